//! Removes old exposures from a store without expiry rules.
//!
//! A wrong clock must not delete the exposure log. So exposures are removed only if the time limit has moved, since the check
//! before, about as far as a monotonic clock; otherwise a second check, an hour later, must find the same.

use std::time::Duration;

use flag_model::Timestamp;
use flag_store::{Clock, StoreError, SystemClock};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// The first check, after the start.
const FIRST_AFTER: Duration = Duration::from_mins(1);

/// The pause after a successful removal.
const PERIOD: Duration = Duration::from_hours(24);

/// The pause after a failure, and between two checks that must agree.
const RETRY: Duration = Duration::from_hours(1);

/// How much further than the monotonic clock the time limit may move between two checks.
const MAX_DRIFT: Duration = Duration::from_hours(1);

/// Removes exposures that are older than `retention`, once a day, for ever. Zero keeps all. `remove` removes the exposures
/// before a time, and returns how many it removed.
///
/// Several services with the same files all do so; the second one finds nothing to remove.
pub async fn expire_exposures<R: Future<Output = Result<usize, StoreError>>>(
    retention: Duration,
    remove: impl Fn(Timestamp) -> R,
) {
    if !retention.is_zero() {
        expire_by(SystemClock, retention, remove).await;
    }
}

async fn expire_by<R: Future<Output = Result<usize, StoreError>>>(
    clock: impl Clock,
    retention: Duration,
    remove: impl Fn(Timestamp) -> R,
) {
    let mut last = LastCheck::default();
    let mut pause = FIRST_AFTER;
    loop {
        sleep(pause).await;
        let Some(limit) = retention_limit(clock.now(), retention) else {
            return;
        };
        if !last.agrees_with(limit, Instant::now()) {
            pause = RETRY;
            continue;
        }
        pause = match remove(limit).await {
            Ok(removed) => {
                info!(removed, before = %limit, "old exposures removed");
                PERIOD
            }
            Err(error) => {
                warn!(problem = %error, "old exposures cannot be removed");
                RETRY
            }
        };
    }
}

/// The time limit of the last check, and the time of that check by the monotonic clock.
#[derive(Debug, Default)]
struct LastCheck(Option<(Timestamp, Instant)>);

impl LastCheck {
    /// Whether the time limit has moved about as far as the monotonic clock since the last check; notes this check.
    fn agrees_with(&mut self, limit: Timestamp, now: Instant) -> bool {
        let Some((before, at)) = self.0.replace((limit, now)) else {
            return false;
        };
        let passed = now.saturating_duration_since(at) + MAX_DRIFT;
        limit >= before && limit.since(before) <= passed
    }
}

/// Returns the time `retention` ago; `None` if a timestamp cannot express it.
fn retention_limit(now: Timestamp, retention: Duration) -> Option<Timestamp> {
    let micros = i64::try_from(retention.as_micros()).ok()?;
    Timestamp::from_unix_micros(now.unix_micros().checked_sub(micros)?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::sync::{Arc, Mutex};

    use tokio::time::timeout;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// A clock that follows tokio's, and jumps when a test moves it.
    #[derive(Debug)]
    struct Jumping {
        began: Instant,
        ahead: Arc<AtomicI64>,
    }

    const BEGAN: &str = "2026-11-22 10:00:00";

    fn micros(duration: Duration) -> i64 {
        i64::try_from(duration.as_micros()).unwrap()
    }

    impl Clock for Jumping {
        fn now(&self) -> Timestamp {
            let began = Timestamp::parse(BEGAN).unwrap().unix_micros();
            let passed = micros(self.began.elapsed()) + self.ahead.load(Ordering::Relaxed);
            Timestamp::from_unix_micros(began + passed).unwrap()
        }
    }

    /// How far ahead the clock is at the beginning of each span, and what is removed before its end, as days ago.
    async fn check(spans: &[(Duration, i64)], expected: &[i64]) {
        let ahead = Arc::new(AtomicI64::new(0));
        let clock = Jumping {
            began: Instant::now(),
            ahead: Arc::clone(&ahead),
        };
        let removed = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&removed);
        let expiring = tokio::spawn(async move {
            let remove = |before: Timestamp| {
                let began = Timestamp::parse(BEGAN).unwrap().unix_micros();
                let days = (began - before.unix_micros()).div_euclid(micros(DAY)) + 1;
                seen.lock().unwrap().push(days);
                std::future::ready(Ok(0))
            };
            expire_by(clock, 90 * DAY, remove).await;
        });
        for &(span, days) in spans {
            ahead.store(days * micros(DAY), Ordering::Relaxed);
            sleep(span).await;
        }
        expiring.abort();
        assert_eq!(*removed.lock().unwrap(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn two_checks_an_hour_apart_remove_what_is_old_and_then_one_a_day() {
        check(&[(Duration::from_hours(1), 0)], &[]).await;
        check(&[(Duration::from_mins(62), 0)], &[90]).await;
        check(&[(3 * DAY, 0)], &[90, 89, 88]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_ahead_for_less_than_an_hour_removes_nothing_more() {
        let (minutes, hours) = (Duration::from_mins(30), Duration::from_hours(2));
        check(&[(minutes, 100), (hours, 0)], &[90]).await;
        check(&[(DAY, 0), (3 * minutes, 100), (hours, 0)], &[90, 89]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_stays_ahead_is_believed_after_an_hour() {
        check(&[(Duration::from_mins(62), 100)], &[-10]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_removed_is_tried_again_after_an_hour() {
        let calls = AtomicI64::new(0);
        let remove = |_| {
            let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
            let error = || StoreError::Unavailable {
                source: "for the test".into(),
            };
            std::future::ready(if is_first { Err(error()) } else { Ok(1) })
        };
        let expiring = expire_exposures(90 * DAY, remove);
        // A minute and an hour for two checks, and an hour more.
        let _ = timeout(Duration::from_mins(122), expiring).await;
        assert_eq!(calls.into_inner(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_retention_of_zero_keeps_all() {
        let remove = async |_| panic!("nothing is too old");
        let expiring = expire_exposures(Duration::ZERO, remove);
        assert_eq!(timeout(DAY, expiring).await, Ok(()));
    }

    #[test]
    fn ninety_days_ago_is_in_the_summer_before() {
        let now = Timestamp::parse("2026-11-22 10:00:00.5").unwrap();
        let then = retention_limit(now, 90 * DAY).unwrap();
        assert_eq!(then.to_string(), "2026-08-24 10:00:00.500000");
    }
}
