//! What is remembered of flags that cannot be served: unknown, unreadable, or out of reach a moment ago.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{FlagKey, Jitter, Timestamp};
use flag_store::{StoreError, UnreadableRow};
use quick_cache::sync::Cache;
use tokio::time::Instant;

/// How many are remembered at most.
pub(super) const ENTRIES: usize = 10_000;

/// How long it counts that a flag is unknown or cannot be read.
pub(super) const COUNTS: Duration = Duration::from_secs(5);

/// How long that counts while changes are looked for, but not in this project.
pub(super) const COUNTS_UNWATCHED: Duration = Duration::from_secs(1);

/// How long a failure of the store counts.
const FAILURE_COUNTS: Duration = Duration::from_millis(100);

/// Varies how long it is remembered that a flag is unknown or unreadable.
const JITTER: Jitter = Jitter::between(0.7, 1.0);

/// Why a flag cannot be served.
#[derive(Clone, Debug)]
pub(super) enum Reason {
    /// It has no revision.
    NoRevision,
    /// Its newest revision cannot be read.
    Unreadable(Arc<UnreadableRow>),
    /// The store failed.
    Failed(Arc<StoreError>),
}

/// Flags that cannot be served, each for a short time; apart from the others, so that they drive none of those out.
#[derive(Debug)]
pub(super) struct Unknown(Cache<FlagKey, (Reason, Instant)>);

impl Unknown {
    pub(super) fn new(entries: usize) -> Self {
        Self(Cache::new(entries.min(ENTRIES)))
    }

    pub(super) fn get(&self, flag: &FlagKey, now: Instant) -> Option<Reason> {
        let (reason, until) = self.0.get(flag)?;
        (now < until).then_some(reason)
    }

    /// Remembers a flag for `counts`, or less if it is a failure.
    pub(super) fn remember(&self, flag: &FlagKey, reason: Reason, counts: Duration) {
        let counts = match reason {
            Reason::Failed(_) => counts.min(FAILURE_COUNTS),
            _ => JITTER.apply(counts, fastrand::f64()),
        };
        let until = Instant::now() + counts;
        self.0.insert(flag.clone(), (reason, until));
    }

    pub(super) fn forget(&self, flag: &FlagKey) {
        self.0.remove(flag);
    }

    /// Forgets a flag that has a newer revision than the one, if any, for which it is remembered.
    pub(super) fn forget_older(&self, flag: &FlagKey, newest: Timestamp) {
        self.0.remove_if(flag, |(reason, _)| match reason {
            Reason::NoRevision => true,
            Reason::Unreadable(row) => row.created().is_none_or(|created| created < newest),
            Reason::Failed(_) => false,
        });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
