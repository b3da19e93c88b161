//! Removes old exposures from a store without expiry rules.
//!
//! A wrong clock must not delete the log: exposures are removed only if the time limit has moved about as much as the time
//! since the last look; else a second look, an hour later, must agree.

use std::time::Duration;

use flag_model::Timestamp;
use flag_settings::StoreSettings;
use flag_store::{Clock, StoreError, SystemClock};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// The first look, after the start.
const FIRST: Duration = Duration::from_mins(1);

/// The pause after a successful removal.
const AGAIN: Duration = Duration::from_hours(24);

/// The pause after a failure, and between two looks that must agree.
const RETRY: Duration = Duration::from_hours(1);

/// How much more than the time between two looks the time limit may move.
const LEAP: Duration = Duration::from_hours(1);

/// Removes exposures that are older than `retention`, once a day, for ever. Zero keeps all.
///
/// Several services on the same files all do so; the second finds nothing to remove.
pub async fn expire_exposures(store: StoreSettings, retention: Duration) {
    let StoreSettings::Embedded(_) = store else {
        return;
    };
    if retention.is_zero() {
        return;
    }
    let remove = |before: Timestamp| {
        let store = store.clone();
        async move { store.remove_exposures_before(&before.to_string()).await }
    };
    expire_by(SystemClock, retention, remove).await;
}

async fn expire_by<R: Future<Output = Result<usize, StoreError>>>(
    clock: impl Clock,
    retention: Duration,
    remove: impl Fn(Timestamp) -> R,
) {
    let mut due = Due::default();
    let mut pause = FIRST;
    loop {
        sleep(pause).await;
        let Some(time) = before(clock.now(), retention) else {
            return;
        };
        if !due.agrees(time, Instant::now()) {
            pause = RETRY;
            continue;
        }
        pause = match remove(time).await {
            Ok(removed) => {
                info!(removed, before = %time, "old exposures removed");
                AGAIN
            }
            Err(error) => {
                warn!(problem = %error, "old exposures cannot be removed");
                RETRY
            }
        };
    }
}

/// The time limit of the last look.
#[derive(Debug, Default)]
struct Due {
    /// The time limit, and when that was by a monotonic clock.
    last: Option<(Timestamp, Instant)>,
}

impl Due {
    /// Whether the time limit has moved about as much as the time since the last look.
    fn agrees(&mut self, due: Timestamp, now: Instant) -> bool {
        let Some((before, at)) = self.last.replace((due, now)) else {
            return false;
        };
        let passed = now.saturating_duration_since(at) + LEAP;
        due >= before && due.since(before) <= passed
    }
}

/// Returns the time `retention` ago; `None` before the first year.
fn before(now: Timestamp, retention: Duration) -> Option<Timestamp> {
    let micros = i64::try_from(retention.as_micros()).ok()?;
    Timestamp::from_unix_micros(now.unix_micros().checked_sub(micros)?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// A clock that goes with tokio's, and jumps when told to.
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
    async fn two_looks_an_hour_apart_remove_what_is_old_and_then_one_a_day() {
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

    #[test]
    fn ninety_days_ago_is_in_the_summer_before() {
        let now = Timestamp::parse("2026-11-22 10:00:00.5").unwrap();
        let then = before(now, 90 * DAY).unwrap();
        assert_eq!(then.to_string(), "2026-08-24 10:00:00.500000");
    }
}
