//! Whether a flag was asked for lately, according to the counts of exposures.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_store::{CountsQuery, CountsScope, ExposureLog, Minute, StoreError};
use tokio::time::Instant;

/// How far back the counts are read, in minutes: usually the first is enough.
const STEPS: [i64; 3] = [60, 24 * 60, Asked::DAYS * 24 * 60];

/// Whether a flag was asked for lately.
#[derive(Clone, Copy, Debug)]
pub(in crate::dashboard) struct Asked {
    /// Whether it was, within [`Asked::DAYS`].
    pub(in crate::dashboard) is_asked: bool,
    pub(super) found: Instant,
}

impl Asked {
    /// A flag that was not asked for in these days is told.
    pub(in crate::dashboard) const DAYS: i64 = 7;

    /// How long an answer counts.
    pub(super) const VALID_FOR: Duration = Duration::from_hours(1);

    pub(super) fn is_recent(&self) -> bool {
        self.found.elapsed() < Self::VALID_FOR
    }
}

/// Which flags of a project were asked for lately, as far as it is known. Pages look up the flags that they show, while others are
/// found out: copying what is known of thousands of flags would keep evaluations waiting.
#[derive(Debug, Default)]
pub(in crate::dashboard) struct AskedFlags(Mutex<HashMap<FlagKey, Asked>>);

impl AskedFlags {
    pub(in crate::dashboard) fn get(&self, flag: &FlagKey) -> Option<Asked> {
        self.flags().get(flag).copied()
    }

    /// Of how many flags it is known.
    pub(in crate::dashboard) fn len(&self) -> usize {
        self.flags().len()
    }

    pub(super) fn insert(&self, flag: FlagKey, asked: Asked) {
        self.flags().insert(flag, asked);
    }

    fn flags(&self) -> MutexGuard<'_, HashMap<FlagKey, Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the counts of a flag, from the newest to older ones until there is one.
pub(super) async fn find(
    log: &dyn ExposureLog,
    flag: &FlagKey,
    now: Timestamp,
) -> Result<Asked, StoreError> {
    let mut until = Minute::of(now).plus(1);
    let end = until;
    for minutes in STEPS {
        let since = end.plus(-minutes);
        let query = CountsQuery {
            scope: CountsScope::Flag(flag),
            since,
            until,
        };
        if log
            .counts(query)
            .await?
            .iter()
            .any(|counts| counts.total() > 0)
        {
            return Ok(answer(true));
        }
        until = since;
    }
    Ok(answer(false))
}

fn answer(is_asked: bool) -> Asked {
    Asked {
        is_asked,
        found: Instant::now(),
    }
}
