//! Whether a flag was asked for lately, and when last, according to the counts of exposures.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError};
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_store::{ExposureLog, Minute, StoreError};
use tokio::time::{Instant, sleep};

/// How far back the counts are read, in minutes.
const MINUTES: i64 = Asked::DAYS * 24 * Minute::PER_HOUR;

/// Pause before another look whether nobody reads what is known.
const LOOKS_AGAIN: Duration = Duration::from_millis(1);

/// Whether a flag was asked for lately.
#[derive(Clone, Copy, Debug)]
pub(in crate::dashboard) struct Asked {
    /// The latest minute with an answer; none if there is no such minute within [`Asked::DAYS`].
    minute: Option<Minute>,
    pub(super) found: Instant,
}

impl Asked {
    /// A flag counts as not asked for if it was not in these days.
    pub(in crate::dashboard) const DAYS: i64 = 7;

    /// How long an answer counts.
    pub(super) const VALID_FOR: Duration = Duration::from_hours(1);

    /// Whether it was, within [`Asked::DAYS`].
    pub(in crate::dashboard) fn is_asked(&self) -> bool {
        self.minute.is_some()
    }

    /// When it was asked for last as of when that was found out, at most [`Asked::VALID_FOR`] ago; none if that is not known.
    pub(in crate::dashboard) fn last(&self) -> Option<Timestamp> {
        let minute = self.minute.filter(|_| self.is_recent());
        minute.map(Minute::start)
    }

    pub(super) fn is_recent(&self) -> bool {
        self.found.elapsed() < Self::VALID_FOR
    }
}

/// Which flags of a project were asked for lately, as far as it is known. Pages look up the flags that they show, while others are
/// found out: copying what is known of thousands of flags would keep evaluations waiting.
#[derive(Debug, Default)]
pub(in crate::dashboard) struct AskedFlags(RwLock<HashMap<FlagKey, Asked>>);

impl AskedFlags {
    pub(in crate::dashboard) fn get(&self, flag: &FlagKey) -> Option<Asked> {
        self.flags().get(flag).copied()
    }

    /// Of how many flags it is known.
    pub(in crate::dashboard) fn len(&self) -> usize {
        self.flags().len()
    }

    /// Blocks no thread: the thread at idle priority may read, and get no turn to end that.
    pub(super) async fn insert(&self, asked: &[(FlagKey, Asked)]) {
        while !self.try_insert(asked) {
            sleep(LOOKS_AGAIN).await;
        }
    }

    fn try_insert(&self, asked: &[(FlagKey, Asked)]) -> bool {
        let mut flags = match self.0.try_write() {
            Ok(flags) => flags,
            Err(TryLockError::Poisoned(flags)) => flags.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        flags.extend(asked.iter().cloned());
        true
    }

    fn flags(&self) -> RwLockReadGuard<'_, HashMap<FlagKey, Asked>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds out whether flags were asked for.
pub(super) async fn find(
    log: &dyn ExposureLog,
    flags: &[FlagKey],
    now: Timestamp,
) -> Result<Vec<(FlagKey, Asked)>, StoreError> {
    let end = Minute::of(now).plus(1);
    let minutes = log.last_counted(flags, end.plus(-MINUTES)..end).await?;
    let found = Instant::now();
    let asked = minutes.into_iter().map(|minute| Asked { minute, found });
    Ok(flags.iter().cloned().zip(asked).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_gets_no_turn_holds_up_no_other_thread() {
        let asked = AskedFlags::default();
        let flag: FlagKey = "p/feature/f".parse().unwrap();
        let not_asked = Asked {
            minute: None,
            found: Instant::now(),
        };
        let reader = asked.flags();
        assert!(!asked.try_insert(&[(flag.clone(), not_asked)]));
        assert!(asked.get(&flag).is_none());
        drop(reader);
        asked.insert(&[(flag.clone(), not_asked)]).await;
        assert!(asked.get(&flag).is_some_and(|asked| !asked.is_asked()));
    }
}
