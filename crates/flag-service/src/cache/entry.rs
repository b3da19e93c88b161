//! A flag in memory: its plan, how long it is fresh, how long it may be served after that.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use flag_model::{Jitter, Timestamp};
use flag_rollout::Plan;
use flag_store::Row;
use tokio::time::Instant;

use super::flags::FlagCacheSettings;

/// Varies a lifetime, so that flags that were read together are not read again together.
const LIFETIME_JITTER: Jitter = Jitter::between(0.85, 1.15);

/// Varies a lifetime more, as thousands of flags may be confirmed at once.
const CONFIRMED_JITTER: Jitter = Jitter::between(0.25, 1.0);

/// After which part of its lifetime a flag that is asked for is read again in the background.
const REFRESHED_AFTER: f64 = 0.8;

/// How long a flag whose read failed is left alone.
const RETRY: Duration = Duration::from_millis(500);

/// Varies [`RETRY`].
const RETRY_JITTER: Jitter = Jitter::between(0.5, 1.0);

/// How long a failed read says that the store cannot be reached.
const FAILURE_COUNTS: Duration = Duration::from_secs(10);

/// A revision that was read.
#[derive(Debug)]
pub(crate) struct Entry {
    plan: Plan,
    /// The row as it was read, if it is to be kept over a restart.
    pub(super) row: Option<Row>,
    /// When it was last known to be in force, by the clock on the wall, in microseconds since 1970.
    known: AtomicI64,
    /// When the read of it began; none if it is from before the start.
    began: Option<Instant>,
    made: Instant,
    /// Until when it is fresh, in microseconds since it was made.
    until: AtomicU64,
    /// How long it may be served after that.
    stale_for: Duration,
    /// When somebody should read it again, like `until`; after that, where a read is under way or has failed.
    due: AtomicU64,
    /// When reading it failed last, like `until`; 0 for never.
    failed: AtomicU64,
}

/// How old an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// It is fresh.
    Fresh,
    /// Its lifetime has ended, and it may be served while the store cannot be reached.
    Stale,
    /// It must not be served any more.
    Over,
}

/// The revision in force, and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    entry: Arc<Entry>,
    /// Where it came from.
    pub(crate) source: Source,
}

/// Where a revision came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// From memory, within its lifetime.
    Cache,
    /// From the store.
    Store,
    /// From memory, after its lifetime, as the store cannot be reached.
    Stale,
}

impl Entry {
    /// A revision read just now, by a read that began at `began`.
    pub(crate) fn new(
        plan: Plan,
        row: Option<Row>,
        known: Timestamp,
        began: Instant,
        settings: &FlagCacheSettings,
    ) -> Self {
        let lifetime = LIFETIME_JITTER.apply(settings.lifetime, fastrand::f64());
        Self {
            plan,
            row,
            known: AtomicI64::new(known.unix_micros()),
            began: Some(began),
            made: Instant::now(),
            until: AtomicU64::new(micros(lifetime)),
            stale_for: settings.max_stale,
            due: AtomicU64::new(micros(lifetime.mul_f64(REFRESHED_AFTER))),
            failed: AtomicU64::new(0),
        }
    }

    /// A revision from before the start, last known so long ago: not fresh, and `None` if it must not be served.
    pub(super) fn from_before(
        plan: Plan,
        row: Row,
        known: Timestamp,
        ago: Duration,
        settings: &FlagCacheSettings,
    ) -> Option<Self> {
        let remains = (settings.lifetime + settings.max_stale).checked_sub(ago)?;
        Some(Self {
            plan,
            row: Some(row),
            known: AtomicI64::new(known.unix_micros()),
            began: None,
            made: Instant::now(),
            until: AtomicU64::new(0),
            stale_for: remains.min(settings.max_stale),
            due: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// The revision, ready to decide.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether it is fresh, and nobody has to do anything about it.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        let now = self.since_made(now);
        now < self.due.load(Ordering::Relaxed) && now < self.until.load(Ordering::Relaxed)
    }

    pub(super) fn age(&self, now: Instant) -> Age {
        let until = self.until.load(Ordering::Relaxed);
        match self.since_made(now) {
            now if now < until => Age::Fresh,
            now if now < until.saturating_add(micros(self.stale_for)) => Age::Stale,
            _ => Age::Over,
        }
    }

    /// Whether the store was asked for it at that time or later.
    pub(super) fn is_read_since(&self, time: Instant) -> bool {
        self.began.is_some_and(|began| began >= time)
    }

    /// When it was last known to be in force.
    pub(super) fn known(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.known.load(Ordering::Relaxed))
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Makes it fresh again: it is known to be in force still. Entries that are confirmed at once are not read again
    /// at once.
    pub(super) fn confirm(&self, known: Timestamp, settings: &FlagCacheSettings) {
        let lifetime = CONFIRMED_JITTER.apply(settings.lifetime, fastrand::f64());
        let now = self.since_made(Instant::now());
        let until = now.saturating_add(micros(lifetime));
        let due = now.saturating_add(micros(lifetime.mul_f64(REFRESHED_AFTER)));
        self.known.store(known.unix_micros(), Ordering::Relaxed);
        self.until.store(until, Ordering::Relaxed);
        self.due.store(due, Ordering::Relaxed);
        self.failed.store(0, Ordering::Relaxed);
    }

    /// Whether the caller shall read it again; nobody else is told so for a while.
    pub(super) fn is_to_be_read(&self, now: Instant) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        let now = self.since_made(now);
        if now < due {
            return false;
        }
        let next = now.saturating_add(micros(RETRY_JITTER.apply(RETRY, fastrand::f64())));
        self.due
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Notes that the store could not be reached for it.
    pub(super) fn note_failure(&self, now: Instant) {
        let at = self.since_made(now).max(1);
        self.failed.store(at, Ordering::Relaxed);
    }

    /// Whether the store could not be reached for it, a moment ago.
    pub(super) fn has_failed(&self, now: Instant) -> bool {
        let failed = self.failed.load(Ordering::Relaxed);
        failed > 0 && self.since_made(now).saturating_sub(failed) < micros(FAILURE_COUNTS)
    }

    fn since_made(&self, now: Instant) -> u64 {
        micros(now.saturating_duration_since(self.made))
    }
}

impl Current {
    pub(super) fn new(entry: Arc<Entry>, source: Source) -> Self {
        Self { entry, source }
    }

    /// The revision, to keep.
    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }
}

impl Deref for Current {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.entry.plan
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
