//! A time that threads share without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A time that threads share without a lock; it has passed at first.
#[derive(Debug)]
pub(crate) struct Deadline {
    made: Instant,
    /// In nanoseconds since it was made; zero if it has passed.
    at: AtomicU64,
}

impl Deadline {
    pub(crate) fn passed() -> Self {
        Self {
            made: Instant::now(),
            at: AtomicU64::new(0),
        }
    }

    /// Whether this time is before the deadline.
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
    fn a_deadline_is_ahead_until_it_has_come() {
        let (deadline, now) = (Deadline::passed(), Instant::now());
        assert!(!deadline.is_after(now));
        let second = Duration::from_secs(1);
        deadline.set(now + second);
        assert!(deadline.is_after(now));
        assert!(deadline.is_after(now + second.mul_f64(0.999)));
        assert!(!deadline.is_after(now + second));
        deadline.clear();
        assert!(!deadline.is_after(now));
    }
}
