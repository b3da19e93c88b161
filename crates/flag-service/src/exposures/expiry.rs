//! Removes old exposures now and then, where the store doesn't do so by itself.

use std::time::Duration;

use flag_model::Timestamp;
use flag_settings::StoreSettings;
use flag_store::{Clock as _, SystemClock};
use tokio::time::sleep;
use tracing::{info, warn};

/// How long after the start old exposures are looked for.
const FIRST: Duration = Duration::from_mins(1);

/// How long after that again.
const AGAIN: Duration = Duration::from_hours(24);

/// How long after a failure.
const RETRY: Duration = Duration::from_hours(1);

/// Removes exposures that are older than `retention`, once a day; for ever. Zero keeps all.
///
/// Of several services on the same files each does so; the second finds nothing to remove.
pub(crate) async fn expire(store: StoreSettings, retention: Duration) {
    let StoreSettings::Embedded(_) = store else {
        return;
    };
    if retention.is_zero() {
        return;
    }
    let mut pause = FIRST;
    loop {
        sleep(pause).await;
        let Some(time) = before(SystemClock.now(), retention) else {
            return;
        };
        pause = match store.remove_exposures_before(&time.to_string()).await {
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

/// The time so long ago; `None` before the first year.
fn before(now: Timestamp, retention: Duration) -> Option<Timestamp> {
    let micros = i64::try_from(retention.as_micros()).ok()?;
    Timestamp::from_unix_micros(now.unix_micros().checked_sub(micros)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_days_ago_is_in_the_summer_before() {
        let now = Timestamp::parse("2026-11-22 10:00:00.5").unwrap();
        let then = before(now, Duration::from_hours(90 * 24)).unwrap();
        assert_eq!(then.to_string(), "2026-08-24 10:00:00.500000");
    }
}
