//! Where the time comes from.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use flag_model::Timestamp;

/// The last microsecond of year 9999, counted from 1970.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

/// Tells the time; the system's, or one that a test drives.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now, as this machine knows it; it may be wrong, and may go backwards.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// A clock before 1970 reads as 1970, one after 9999 as the end of 9999.
    fn now(&self) -> Timestamp {
        timestamp(SystemTime::now())
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).map_or(LAST_MICROS, |now| now.min(LAST_MICROS));
    Timestamp::from_unix_micros(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_out_of_range_reads_as_the_end_it_is_beyond() {
        let day = Duration::from_hours(24);
        assert_eq!(timestamp(UNIX_EPOCH - day), Timestamp::UNIX_EPOCH);
        let last = Timestamp::parse("9999-12-31 23:59:59.999999").unwrap();
        assert_eq!(timestamp(UNIX_EPOCH + day * 365 * 9_000), last);
    }
}
