//! Limits the bytes that callers make the service hold in memory: unread answers and unfinished requests.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The most bytes of all callers together.
const MAX: usize = 64 << 20;

/// Bytes that each caller may hold even beyond that: less than the memory of an idle connection.
const FREE_SHARE: usize = 4 << 10;

/// The bytes of all callers.
#[derive(Clone, Debug)]
pub(crate) struct HeldBytes {
    total: Gauge,
    max: usize,
}

/// Counts the bytes of one caller, until it is dropped.
#[derive(Debug)]
pub(crate) struct HeldBytesCounter {
    total: HeldBytes,
    bytes: usize,
}

/// Callers together hold too many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyBytes;

impl HeldBytes {
    /// Registers the metric.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let total = Gauge::default();
        registry.register(
            "held_bytes",
            "Bytes that the service holds for callers: unread answers, unfinished requests",
            total.clone(),
        );
        Self { total, max: MAX }
    }

    /// Returns the counter of a new caller, at zero.
    pub(crate) fn new_counter(&self) -> HeldBytesCounter {
        HeldBytesCounter {
            total: self.clone(),
            bytes: 0,
        }
    }
}

impl HeldBytesCounter {
    /// Sets the bytes of this caller. After an error they must be released.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), TooManyBytes> {
        if bytes == self.bytes {
            return Ok(());
        }
        let change = signed(bytes) - signed(self.bytes);
        self.bytes = bytes;
        let total = self.total.total.inc_by(change) + change;
        if total > signed(self.total.max) && change > 0 && bytes > FREE_SHARE {
            return Err(TooManyBytes);
        }
        Ok(())
    }
}

impl Drop for HeldBytesCounter {
    fn drop(&mut self) {
        let _ = self.set(0);
    }
}

#[cfg(test)]
impl HeldBytes {
    /// Returns the bytes of all callers.
    pub(crate) fn total(&self) -> i64 {
        self.total.get()
    }
}

#[cfg(test)]
impl HeldBytesCounter {
    /// The counter of the only caller.
    pub(crate) fn for_tests() -> Self {
        HeldBytes::new(&mut Registry::default()).new_counter()
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_shares_of_all_connections_are_less_than_the_limit() {
        let connections = crate::config::Config::of_defaults().limits.connections;
        assert!(connections * FREE_SHARE < MAX);
    }

    #[test]
    fn a_caller_with_many_bytes_gets_no_more_while_all_hold_too_many() {
        let mut all = HeldBytes::new(&mut Registry::default());
        all.max = FREE_SHARE * 3;
        let (mut one, mut other) = (all.new_counter(), all.new_counter());
        assert_eq!(one.set(FREE_SHARE * 2), Ok(()));
        assert_eq!(other.set(FREE_SHARE), Ok(()));
        assert_eq!(one.set(FREE_SHARE * 2 + 1), Err(TooManyBytes));
        assert_eq!(one.set(FREE_SHARE * 2), Ok(()), "less is always permitted");
        let mut small = all.new_counter();
        assert_eq!(
            small.set(FREE_SHARE),
            Ok(()),
            "every caller has a free share"
        );
        assert_eq!(all.total(), signed(FREE_SHARE * 4));
        drop((one, other, small));
        assert_eq!(all.total(), 0);
    }
}
