//! The last exposure of each flag of a project, to the minute, according to the counts of exposures.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError};
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_store::{ExposureLog, Minute, StoreError};
use tokio::time::{Instant, sleep};

/// How far back the counts are read, in minutes.
const MINUTES: i64 = LastExposure::DAYS * 24 * Minute::PER_HOUR;

/// Pause before the next attempt to insert, while the map is being read.
const RETRY_PAUSE: Duration = Duration::from_millis(1);

/// The last exposure of a flag, as far back as the counts are read.
#[derive(Clone, Copy, Debug)]
pub(in crate::dashboard) struct LastExposure {
    /// The latest minute with an exposure; `None` if there is no such minute within [`LastExposure::DAYS`].
    minute: Option<Minute>,
    /// When the counts were read.
    pub(super) read_at: Instant,
}

impl LastExposure {
    /// How far back the counts are read. A flag without an exposure in these days counts as not asked for.
    pub(in crate::dashboard) const DAYS: i64 = 7;

    /// How long this is valid after the counts were read.
    pub(super) const VALID_FOR: Duration = Duration::from_hours(1);

    /// Whether there was an exposure within [`LastExposure::DAYS`].
    pub(in crate::dashboard) fn exists(&self) -> bool {
        self.minute.is_some()
    }

    /// The minute of the last exposure; `None` if there was none, or if the counts were read longer than
    /// [`LastExposure::VALID_FOR`] ago.
    pub(in crate::dashboard) fn time(&self) -> Option<Timestamp> {
        let minute = self.minute.filter(|_| self.is_recent());
        minute.map(Minute::start)
    }

    pub(super) fn is_recent(&self) -> bool {
        self.read_at.elapsed() < Self::VALID_FOR
    }
}

/// The last exposures of the flags of a project that were read so far. Pages look up the flags that they show while those of
/// other flags are read: copying the map of thousands of flags would keep evaluations waiting.
#[derive(Debug, Default)]
pub(in crate::dashboard) struct LastExposures(RwLock<HashMap<FlagKey, LastExposure>>);

impl LastExposures {
    pub(in crate::dashboard) fn get(&self, flag: &FlagKey) -> Option<LastExposure> {
        self.flags().get(flag).copied()
    }

    /// The number of flags whose last exposures were read.
    pub(in crate::dashboard) fn len(&self) -> usize {
        self.flags().len()
    }

    /// Blocks no thread: a reader at idle priority may hold the lock while it gets no processor time.
    pub(super) async fn insert(&self, read: &[(FlagKey, LastExposure)]) {
        while !self.try_insert(read) {
            sleep(RETRY_PAUSE).await;
        }
    }

    fn try_insert(&self, read: &[(FlagKey, LastExposure)]) -> bool {
        let mut flags = match self.0.try_write() {
            Ok(flags) => flags,
            Err(TryLockError::Poisoned(flags)) => flags.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        flags.extend(read.iter().cloned());
        true
    }

    fn flags(&self) -> RwLockReadGuard<'_, HashMap<FlagKey, LastExposure>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the last exposures of flags.
pub(super) async fn read_last_exposures(
    log: &dyn ExposureLog,
    flags: &[FlagKey],
    now: Timestamp,
) -> Result<Vec<(FlagKey, LastExposure)>, StoreError> {
    let end = Minute::of(now).plus(1);
    let minutes = log.last_counted(flags, end.plus(-MINUTES)..end).await?;
    let read_at = Instant::now();
    let last = minutes
        .into_iter()
        .map(|minute| LastExposure { minute, read_at });
    Ok(flags.iter().cloned().zip(last).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_gets_no_turn_holds_up_no_other_thread() {
        let last_exposures = LastExposures::default();
        let flag: FlagKey = "p/feature/f".parse().unwrap();
        let none = LastExposure {
            minute: None,
            read_at: Instant::now(),
        };
        let reader = last_exposures.flags();
        assert!(!last_exposures.try_insert(&[(flag.clone(), none)]));
        assert!(last_exposures.get(&flag).is_none());
        drop(reader);
        last_exposures.insert(&[(flag.clone(), none)]).await;
        assert!(last_exposures.get(&flag).is_some_and(|last| !last.exists()));
    }
}
