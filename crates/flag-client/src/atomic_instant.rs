//! A time that threads share without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A time that threads share without a lock; it has passed at first.
#[derive(Debug)]
pub(crate) struct AtomicInstant {
    made: Instant,
    /// In nanoseconds since it was made; zero if it has passed.
    at: AtomicU64,
}

impl AtomicInstant {
    pub(crate) fn passed() -> Self {
        Self {
            made: Instant::now(),
            at: AtomicU64::new(0),
        }
    }

    /// Whether it is after `now`.
    pub(crate) fn is_after(&self, now: Instant) -> bool {
        self.nanos(now) < self.at.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, at: Instant) {
        self.at.store(self.nanos(at), Ordering::Relaxed);
    }

    /// Lets it have passed.
    pub(crate) fn clear(&self) {
        self.at.store(0, Ordering::Relaxed);
    }

    fn nanos(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.made);
        let seconds = since.as_secs().saturating_mul(NANOS_PER_SECOND);
        seconds.saturating_add(since.subsec_nanos().into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_ahead_until_it_has_come() {
        let (at, now) = (AtomicInstant::passed(), Instant::now());
        assert!(!at.is_after(now));
        let second = Duration::from_secs(1);
        at.set(now + second);
        assert!(at.is_after(now));
        assert!(at.is_after(now + second.mul_f64(0.999)));
        assert!(!at.is_after(now + second));
        at.clear();
        assert!(!at.is_after(now));
    }
}
