//! A flag in memory: its plan, its lifetime, and how long it may be served after that.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use flag_model::{Jitter, Timestamp};
use flag_rollout::Plan;
use flag_store::Row;
use tokio::time::Instant;

use super::FlagCacheSettings;

/// Varies a lifetime, so that flags read together are not all read again together.
const LIFETIME_JITTER: Jitter = Jitter::between(0.85, 1.15);

/// Varies the lifetime more after a confirmation, as thousands of flags may be confirmed at once.
const CONFIRMED_JITTER: Jitter = Jitter::between(0.25, 1.0);

/// The part of its lifetime after which a requested flag is read again in the background.
const REFRESHED_AFTER: f64 = 0.8;

/// Pause before a flag whose read failed is read again.
const RETRY: Duration = Duration::from_millis(500);

/// Varies [`RETRY`].
const RETRY_JITTER: Jitter = Jitter::between(0.5, 1.0);

/// How long the store counts as unreachable for a flag after a failed read.
const UNREACHABLE_FOR: Duration = Duration::from_secs(10);

/// A revision in memory.
#[derive(Debug)]
pub(crate) struct CacheEntry {
    plan: Plan,
    /// The row as it was read, if the snapshot needs it.
    pub(super) row: Option<Row>,
    /// When it was last confirmed to be in force, in microseconds since 1970.
    last_confirmed: AtomicI64,
    /// When its read began; `None` if it comes from a snapshot.
    began: Option<Instant>,
    loaded_at: Instant,
    /// The end of its lifetime, in microseconds since `loaded_at`.
    until: AtomicU64,
    /// How long it may be served after that.
    stale_for: Duration,
    /// When it is due to be read again, like `until`; moved on when a request begins that read.
    due: AtomicU64,
    /// When the store was found unreachable, like `until`; 0 if it was not since the last confirmation.
    unreachable_at: AtomicU64,
}

/// The age of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// Within its lifetime; a read may be due.
    WithinLifetime,
    /// After its lifetime; served only while the store cannot be reached.
    Stale,
    /// Too old to be served.
    Expired,
}

/// The plan of the revision in force, and where it came from.
#[derive(Clone, Debug)]
pub struct ServedPlan {
    entry: Arc<CacheEntry>,
    /// Where it came from.
    pub source: Source,
}

/// Where a revision came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From memory, within its lifetime.
    Cache,
    /// From the store: the request waited for a read, or another one has just read it.
    Store,
    /// From memory, after its lifetime, as the store cannot be reached.
    Stale,
}

impl CacheEntry {
    /// Creates the entry of a revision that was read from the store; the read began at `began`.
    pub(crate) fn new(
        plan: Plan,
        row: Option<Row>,
        last_confirmed: Timestamp,
        began: Instant,
        settings: &FlagCacheSettings,
    ) -> Self {
        let lifetime = LIFETIME_JITTER.apply(settings.lifetime, fastrand::f64());
        Self {
            plan,
            row,
            last_confirmed: AtomicI64::new(last_confirmed.unix_micros()),
            began: Some(began),
            loaded_at: Instant::now(),
            until: AtomicU64::new(micros(lifetime)),
            stale_for: settings.max_stale,
            due: AtomicU64::new(micros(lifetime.mul_f64(REFRESHED_AFTER))),
            unreachable_at: AtomicU64::new(0),
        }
    }

    /// Creates the entry, already stale, of a revision from a snapshot, last confirmed `ago`; `None` if it is too old to be
    /// served.
    pub(super) fn from_snapshot(
        plan: Plan,
        row: Row,
        last_confirmed: Timestamp,
        ago: Duration,
        settings: &FlagCacheSettings,
    ) -> Option<Self> {
        let remains = (settings.lifetime + settings.max_stale).checked_sub(ago)?;
        Some(Self {
            plan,
            row: Some(row),
            last_confirmed: AtomicI64::new(last_confirmed.unix_micros()),
            began: None,
            loaded_at: Instant::now(),
            until: AtomicU64::new(0),
            stale_for: remains.min(settings.max_stale),
            due: AtomicU64::new(0),
            unreachable_at: AtomicU64::new(0),
        })
    }

    /// Returns the compiled revision.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether it can be served as it is: within its lifetime, and no read is due.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        let now = self.since_loaded(now);
        now < self.due.load(Ordering::Relaxed) && now < self.until.load(Ordering::Relaxed)
    }

    pub(super) fn age(&self, now: Instant) -> Age {
        let until = self.until.load(Ordering::Relaxed);
        match self.since_loaded(now) {
            now if now < until => Age::WithinLifetime,
            now if now < until.saturating_add(micros(self.stale_for)) => Age::Stale,
            _ => Age::Expired,
        }
    }

    /// Whether its read began at this time or later.
    pub(super) fn is_read_since(&self, time: Instant) -> bool {
        self.began.is_some_and(|began| began >= time)
    }

    /// When it was last confirmed to be in force.
    pub(super) fn last_confirmed(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.last_confirmed.load(Ordering::Relaxed))
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Begins a new lifetime, as it is still in force.
    pub(super) fn confirm(&self, last_confirmed: Timestamp, settings: &FlagCacheSettings) {
        let lifetime = CONFIRMED_JITTER.apply(settings.lifetime, fastrand::f64());
        let now = self.since_loaded(Instant::now());
        let until = now.saturating_add(micros(lifetime));
        let due = now.saturating_add(micros(lifetime.mul_f64(REFRESHED_AFTER)));
        self.last_confirmed
            .store(last_confirmed.unix_micros(), Ordering::Relaxed);
        self.until.store(until, Ordering::Relaxed);
        self.due.store(due, Ordering::Relaxed);
        self.unreachable_at.store(0, Ordering::Relaxed);
    }

    /// Whether a read is due, which the caller may then begin. All other callers get `false` for a while.
    pub(super) fn claim_due_read(&self, now: Instant) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        let now = self.since_loaded(now);
        if now < due {
            return false;
        }
        let next = now.saturating_add(micros(RETRY_JITTER.apply(RETRY, fastrand::f64())));
        self.due
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Notes that the store cannot be reached: a read has failed, or none is sent.
    pub(super) fn note_unreachable(&self, now: Instant) {
        let at = self.since_loaded(now).max(1);
        self.unreachable_at.store(at, Ordering::Relaxed);
    }

    /// Whether the store was found unreachable recently.
    pub(super) fn is_unreachable(&self, now: Instant) -> bool {
        let unreachable_at = self.unreachable_at.load(Ordering::Relaxed);
        unreachable_at > 0
            && self.since_loaded(now).saturating_sub(unreachable_at) < micros(UNREACHABLE_FOR)
    }

    fn since_loaded(&self, now: Instant) -> u64 {
        micros(now.saturating_duration_since(self.loaded_at))
    }
}

impl ServedPlan {
    pub(crate) fn new(entry: Arc<CacheEntry>, source: Source) -> Self {
        Self { entry, source }
    }

    /// The entry of the revision.
    pub(crate) fn entry(&self) -> &Arc<CacheEntry> {
        &self.entry
    }
}

impl Deref for ServedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.entry.plan
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use flag_model::{BucketScheme, FlagValue, HashAlgorithm, Revision, RevisionParts};
    use flag_store::{Cells, RowOptions, encode_revision};
    use tokio::time::advance;

    use super::*;
    use crate::flags::test_settings;

    const A_MOMENT: Duration = Duration::from_micros(1);

    fn revision() -> Revision {
        let parts = RevisionParts {
            flag: "p/feature/f".parse().unwrap(),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(true),
            treatments: vec![],
            comment: String::new(),
            owner: None,
            rollback_of: None,
        };
        Revision::new(Timestamp::UNIX_EPOCH, parts).unwrap()
    }

    fn entry() -> CacheEntry {
        let plan = Plan::compile(revision());
        let began = Instant::now();
        CacheEntry::new(plan, None, Timestamp::UNIX_EPOCH, began, &test_settings())
    }

    /// An entry of a snapshot that was confirmed so long ago.
    fn kept(ago: Duration) -> Option<CacheEntry> {
        let row = encode_revision(&revision(), &RowOptions::default()).unwrap();
        assert_ne!(row.cells, Cells::default());
        let plan = Plan::compile(revision());
        CacheEntry::from_snapshot(plan, row, Timestamp::UNIX_EPOCH, ago, &test_settings())
    }

    /// When its lifetime ends, and when it is due to be read again, after it was loaded.
    fn times(entry: &CacheEntry) -> (Duration, Duration) {
        let [until, due] = [&entry.until, &entry.due].map(|time| time.load(Ordering::Relaxed));
        (Duration::from_micros(until), Duration::from_micros(due))
    }

    fn before(time: Duration) -> Duration {
        time.saturating_sub(A_MOMENT)
    }

    #[track_caller]
    fn check_lifetime(lifetime: Duration, due: Duration, least: f64, most: f64) {
        let part = lifetime.as_secs_f64() / test_settings().lifetime.as_secs_f64();
        assert!((least..=most).contains(&part), "{part}");
        let due = due.as_secs_f64() / lifetime.as_secs_f64();
        assert!((due - REFRESHED_AFTER).abs() < 1e-6, "{due}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_is_fresh_then_due_then_stale_then_expired() {
        let entry = entry();
        let (lifetime, due) = times(&entry);
        check_lifetime(lifetime, due, 0.85, 1.15);
        let expires = lifetime + test_settings().max_stale;
        let begin = Instant::now();
        for (after, is_fresh, age) in [
            (Duration::ZERO, true, Age::WithinLifetime),
            (before(due), true, Age::WithinLifetime),
            (due, false, Age::WithinLifetime),
            (before(lifetime), false, Age::WithinLifetime),
            (lifetime, false, Age::Stale),
            (before(expires), false, Age::Stale),
            (expires, false, Age::Expired),
        ] {
            let now = begin + after;
            let found = (entry.is_fresh(now), entry.age(now));
            assert_eq!(found, (is_fresh, age), "{after:?}");
        }
        // A read that was begun moves the time at which it is due behind the end of the lifetime.
        assert!(entry.claim_due_read(begin + lifetime - A_MOMENT));
        assert!(entry.is_fresh(begin + lifetime - A_MOMENT));
        assert!(!entry.is_fresh(begin + lifetime));
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_begins_a_read_that_is_due_and_another_one_after_a_pause() {
        let entry = entry();
        let due = Instant::now() + times(&entry).1;
        assert!(!entry.claim_due_read(due - A_MOMENT));
        for from in [due, due + RETRY] {
            assert!(entry.claim_due_read(from));
            assert!(!entry.claim_due_read(from));
            assert!(!entry.claim_due_read(from + RETRY / 2 - A_MOMENT));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_read_counts_for_ten_seconds() {
        let entry = entry();
        let begin = Instant::now();
        assert!(!entry.is_unreachable(begin));
        entry.note_unreachable(begin);
        assert!(entry.is_unreachable(begin));
        let failed = begin + UNREACHABLE_FOR;
        entry.note_unreachable(failed);
        assert!(entry.is_unreachable(failed + UNREACHABLE_FOR - A_MOMENT));
        assert!(!entry.is_unreachable(failed + UNREACHABLE_FOR));
    }

    #[tokio::test(start_paused = true)]
    async fn a_confirmed_entry_begins_a_new_lifetime() {
        let entry = entry();
        advance(test_settings().lifetime * 3).await;
        let now = Instant::now();
        entry.note_unreachable(now);
        let confirmed = Timestamp::UNIX_EPOCH.saturating_add(A_MOMENT);
        entry.confirm(confirmed, &test_settings());
        assert_eq!(entry.last_confirmed(), confirmed);
        assert!(entry.is_fresh(now) && !entry.is_unreachable(now));
        let age = test_settings().lifetime * 3;
        let (until, due) = times(&entry);
        let [lifetime, due] = [until, due].map(|time| time.saturating_sub(age));
        check_lifetime(lifetime, due, 0.25, 1.0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_of_a_snapshot_is_stale_until_it_is_too_old() {
        let settings = test_settings();
        let all = settings.lifetime + settings.max_stale;
        for (ago, remains) in [
            (Duration::ZERO, settings.max_stale),
            (settings.lifetime, settings.max_stale),
            (before(all), A_MOMENT),
        ] {
            let entry = kept(ago).unwrap();
            let now = Instant::now();
            assert_eq!(entry.age(now), Age::Stale, "{ago:?}");
            assert_eq!(entry.age(now + remains - A_MOMENT), Age::Stale, "{ago:?}");
            assert_eq!(entry.age(now + remains), Age::Expired, "{ago:?}");
            assert!(entry.claim_due_read(now) && !entry.is_read_since(now));
        }
        assert!(kept(all + A_MOMENT).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_is_as_new_as_the_begin_of_its_read() {
        let entry = entry();
        let began = Instant::now();
        assert!(entry.is_read_since(began));
        assert!(!entry.is_read_since(began + A_MOMENT));
    }
}
