//! Where the time comes from.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use flag_model::Timestamp;

/// Tells the time; the system's, or one that a test drives.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now, as this machine knows it; it may be wrong, and may go backwards.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// A clock before 1970 reads as 1970.
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let micros = i64::try_from(since.as_micros()).unwrap_or(0);
        Timestamp::from_unix_micros(micros).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
