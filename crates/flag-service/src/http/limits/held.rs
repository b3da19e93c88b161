//! Bytes that callers make the service hold: unread answers and unfinished requests.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The most bytes of all callers together.
const MOST: usize = 64 << 20;

/// Bytes that each caller may hold beyond that: less than an idle connection takes.
const SHARE: usize = 4 << 10;

/// Counts the bytes of all callers.
#[derive(Clone, Debug)]
pub(crate) struct HeldBytes {
    total: Gauge,
    most: usize,
}

/// The bytes of one caller, until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    total: HeldBytes,
    bytes: usize,
}

/// The caller may hold no more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl HeldBytes {
    /// Registers the metric.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let total = Gauge::default();
        registry.register(
            "held_bytes",
            "Bytes that callers make the service hold: answers that they do not take, requests that they do not finish",
            total.clone(),
        );
        Self { total, most: MOST }
    }

    /// Returns the count of a new caller, at zero.
    pub(crate) fn caller(&self) -> Held {
        Held {
            total: self.clone(),
            bytes: 0,
        }
    }
}

impl Held {
    /// Sets the bytes of this caller. On an error the caller must release them.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if bytes == self.bytes {
            return Ok(());
        }
        let change = signed(bytes) - signed(self.bytes);
        self.bytes = bytes;
        let total = self.total.total.inc_by(change) + change;
        if total > signed(self.total.most) && change > 0 && bytes > SHARE {
            return Err(NoRoom);
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.set(0);
    }
}

#[cfg(test)]
impl HeldBytes {
    /// What all callers together make the service hold.
    pub(crate) fn total(&self) -> i64 {
        self.total.get()
    }
}

#[cfg(test)]
impl Held {
    /// One who is alone.
    pub(crate) fn for_tests() -> Self {
        HeldBytes::new(&mut Registry::default()).caller()
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_connections_are_less_than_what_all_may_hold() {
        let connections = crate::config::Config::of_defaults().limits.connections;
        assert!(connections * SHARE < MOST);
    }

    #[test]
    fn who_holds_much_is_refused_more_when_all_hold_too_much() {
        let mut all = HeldBytes::new(&mut Registry::default());
        all.most = SHARE * 3;
        let (mut one, mut other) = (all.caller(), all.caller());
        assert_eq!(one.set(SHARE * 2), Ok(()));
        assert_eq!(other.set(SHARE), Ok(()));
        assert_eq!(one.set(SHARE * 2 + 1), Err(NoRoom));
        assert_eq!(one.set(SHARE * 2), Ok(()), "less is always well");
        let mut small = all.caller();
        assert_eq!(small.set(SHARE), Ok(()), "a share is left to everybody");
        assert_eq!(all.total(), signed(SHARE * 4));
        drop((one, other, small));
        assert_eq!(all.total(), 0);
    }
}
