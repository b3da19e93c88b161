//! Flags that cannot be served: unknown, unreadable, or unreachable a moment ago.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{FlagKey, Jitter, Timestamp};
use flag_store::{StoreError, UnreadableRow};
use quick_cache::sync::Cache;
use tokio::time::Instant;

/// The most flags that are remembered.
pub(super) const ENTRIES: usize = 10_000;

/// How long a flag is remembered as unknown or unreadable.
pub(super) const VALID_FOR: Duration = Duration::from_secs(5);

/// The same while changes are watched, but not those of this project.
pub(super) const VALID_FOR_UNWATCHED: Duration = Duration::from_secs(1);

/// How long a failure of the store is remembered.
const FAILURE_VALID_FOR: Duration = Duration::from_millis(100);

/// Varies how long a flag is remembered as unknown or unreadable.
const JITTER: Jitter = Jitter::between(0.7, 1.0);

/// Why a flag cannot be served.
#[derive(Clone, Debug)]
pub(super) enum NoPlanReason {
    /// It has no revision.
    NotFound,
    /// Its newest revision cannot be read.
    Unreadable(Arc<UnreadableRow>),
    /// The store failed.
    Failed(Arc<StoreError>),
}

/// Remembers flags that cannot be served for a short time; apart from the cache, so that they evict nothing from it.
#[derive(Debug)]
pub(super) struct NegativeCache(Cache<FlagKey, (NoPlanReason, Instant)>);

impl NegativeCache {
    pub(super) fn new(entries: usize) -> Self {
        Self(Cache::new(entries.min(ENTRIES)))
    }

    pub(super) fn get(&self, flag: &FlagKey, now: Instant) -> Option<NoPlanReason> {
        let (reason, until) = self.0.get(flag)?;
        (now < until).then_some(reason)
    }

    /// Remembers a flag for `valid_for`, or less if the store failed.
    pub(super) fn remember(&self, flag: &FlagKey, reason: NoPlanReason, valid_for: Duration) {
        let valid_for = match reason {
            NoPlanReason::Failed(_) => valid_for.min(FAILURE_VALID_FOR),
            _ => JITTER.apply(valid_for, fastrand::f64()),
        };
        let until = Instant::now() + valid_for;
        self.0.insert(flag.clone(), (reason, until));
    }

    pub(super) fn forget(&self, flag: &FlagKey) {
        self.0.remove(flag);
    }

    /// Forgets a flag if its newest revision is newer than the one, if any, that it is remembered for.
    pub(super) fn forget_older(&self, flag: &FlagKey, newest: Timestamp) {
        self.0.remove_if(flag, |(reason, _)| match reason {
            NoPlanReason::NotFound => true,
            NoPlanReason::Unreadable(row) => row.created().is_none_or(|created| created < newest),
            NoPlanReason::Failed(_) => false,
        });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use flag_store::{Cells, Row, RowOptions, decode_revision};
    use tokio::time::advance;

    use super::*;

    const A_MOMENT: Duration = Duration::from_micros(1);

    fn flag() -> FlagKey {
        "p/feature/f".parse().unwrap()
    }

    fn unreadable(created: Timestamp) -> NoPlanReason {
        let key = format!("PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#f#TIME#{created}");
        let row = Row {
            key: key.into(),
            cells: Cells::default(),
        };
        let row = decode_revision(&row, &RowOptions::default()).unwrap_err();
        assert_eq!(row.created(), Some(created));
        NoPlanReason::Unreadable(Arc::new(row))
    }

    fn failed() -> NoPlanReason {
        let after = Duration::ZERO;
        NoPlanReason::Failed(Arc::new(StoreError::TimedOut { after }))
    }

    fn holds(cache: &NegativeCache) -> bool {
        cache.get(&flag(), Instant::now()).is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn a_flag_is_forgotten_when_its_time_is_over() {
        let cache = NegativeCache::new(10);
        let shortest = VALID_FOR * 7 / 10;
        for (reason, least, most) in [
            (NoPlanReason::NotFound, shortest, VALID_FOR),
            (failed(), FAILURE_VALID_FOR, FAILURE_VALID_FOR),
        ] {
            cache.remember(&flag(), reason, VALID_FOR);
            advance(least.saturating_sub(A_MOMENT)).await;
            assert!(holds(&cache));
            advance(most.saturating_sub(least) + A_MOMENT).await;
            assert!(!holds(&cache));
        }
        cache.remember(&flag(), failed(), FAILURE_VALID_FOR / 2);
        advance(FAILURE_VALID_FOR / 2).await;
        assert!(!holds(&cache));
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_revision_forgets_what_it_may_change() {
        let created = Timestamp::parse("2024-01-01 00:00:00").unwrap();
        let second = Duration::from_secs(1);
        let cache = NegativeCache::new(10);
        for (reason, newest, is_forgotten) in [
            (NoPlanReason::NotFound, created, true),
            (unreadable(created), created, false),
            (unreadable(created.saturating_add(second)), created, false),
            (unreadable(created), created.saturating_add(second), true),
            (failed(), created, false),
        ] {
            let what = format!("{reason:?}");
            cache.remember(&flag(), reason, VALID_FOR);
            cache.forget_older(&flag(), newest);
            assert_eq!(holds(&cache), !is_forgotten, "{what}");
        }
        cache.forget(&flag());
        assert_eq!((holds(&cache), cache.len()), (false, 0));
    }
}
