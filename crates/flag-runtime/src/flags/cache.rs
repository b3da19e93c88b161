//! The flag cache: the newest revision of each flag, compiled.
//!
//! A request that finds its flag fresh does no I/O and waits for nothing. A requested flag is read again in the background
//! before its lifetime ends. Concurrent requests for a flag that is not in memory share one read, also one that fails. While the store
//! cannot be reached, the last known revision is served, marked stale. A flag whose newest revision is unreadable fails,
//! even if older revisions are known.

use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::{FlagKey, ProjectName};
use flag_store::{FlagStore, StoreError, UnreadableRow};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use prometheus_client::registry::Registry;
use quick_cache::sync::Cache;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::entry::{Age, CacheEntry, ServedPlan, Source};
use super::existing_flags::{Existence, ExistingFlags};
use super::key_ref::FlagKeyRef;
use super::metrics::CacheMetrics;
use super::negative_cache::{self, NegativeCache, NoPlanReason};
use super::project_flag_keys::ProjectFlagKeys;
use super::project_reports::ProjectReports;
use super::read_task::ReadTask;
use super::restored_projects::RestoredProjects;
use super::token_bucket::TokenBucket;
use super::watched_projects::WatchedProjects;
use crate::events::Events;
use crate::flags::FlagCacheSettings;
use crate::store::Circuit;

/// A request waits for its read until the deadline of the store, and this much longer for the thread that reads.
const GRACE: Duration = Duration::from_millis(10);

/// Burst and rate limit for reading uncached flags one by one; beyond it, pages of keys are read, which show which flags
/// exist. A read that finds its flag gives its turn back.
const COLD_READS: u32 = 64;
const COLD_READS_PER_SECOND: f64 = 10.0;

/// Burst for reading stale flags again after an outage, and the minimum of the rate per second that follows; the rate is
/// twice the usual rate of reads if that is higher.
const RECOVERY_READS: u32 = 64;

/// Why the cache has no revision for a flag.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CacheError {
    /// The flag has no revision.
    #[error("{0} has no revision")]
    NotFound(FlagKey),
    /// The newest revision of the flag cannot be read.
    #[error("the newest revision cannot be read")]
    Unreadable(Arc<UnreadableRow>),
    /// The store failed. Retrying may help.
    #[error("cannot read {flag}")]
    Store {
        /// The flag.
        flag: FlagKey,
        /// The failure of the store.
        #[source]
        error: Arc<StoreError>,
    },
    /// The read panicked, which is a bug.
    #[error("the read panicked")]
    Panicked,
}

/// The newest revision of each flag, compiled.
#[derive(Clone, Debug)]
pub struct FlagCache {
    pub(super) shared: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: FlagStore,
    pub(super) settings: FlagCacheSettings,
    pub(super) circuit: Arc<Circuit>,
    pub(super) entries: Cache<FlagKey, Arc<CacheEntry>>,
    pub(super) negative: NegativeCache,
    pub(super) existing: ExistingFlags,
    pub(super) project_flag_keys: ProjectFlagKeys,
    pub(super) projects: WatchedProjects,
    pub(super) restored: RestoredProjects,
    pub(super) events: Events,
    pub(super) reports: ProjectReports,
    /// The reads in flight.
    reads: Mutex<HashMap<FlagKey, SharedRead>>,
    /// Flags that cannot be read, for the metrics.
    pub(super) unreadable: Mutex<BTreeMap<FlagKey, Arc<UnreadableRow>>>,
    /// Flags whose newest row does not count, as it has no valid time or one too far ahead, and the key of that row. It is served all
    /// the same if no other row counts.
    passed_over: Mutex<BTreeMap<FlagKey, String>>,
    /// For reads of flags that are not in memory.
    cold_reads: TokenBucket,
    /// For reads of flags whose last read failed.
    recovery_reads: TokenBucket,
    /// Grows with each change that the snapshot should contain.
    pub(super) snapshot_generation: AtomicU64,
    pub(super) metrics: CacheMetrics,
    /// The runtime of the reads: a cancelled request must not cancel a read that others wait for.
    pub(super) runtime: Handle,
}

/// Whether the last result for a flag may be used instead of a new read. A read in flight is joined in both modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadMode {
    /// It may be used within its lifetime.
    ReuseValid,
    /// It may not: the flag is read again.
    ReadAgain,
}

/// How a read has ended.
#[derive(Clone, Debug)]
pub(super) enum ReadOutcome {
    /// The flag has a revision in force, from the store or from a result that is still valid.
    Found(Arc<CacheEntry>),
    /// It has none that can be served.
    NoPlan(NoPlanReason),
    Panicked,
}

/// A read in flight, which any number of requests can wait for.
type SharedRead = Shared<BoxFuture<'static, ReadOutcome>>;

impl FlagCache {
    /// Creates an empty cache of the flags of `store`, with the circuit of its reads; reads run on `runtime`.
    pub fn new(
        store: FlagStore,
        circuit: Arc<Circuit>,
        settings: FlagCacheSettings,
        runtime: Handle,
        registry: &mut Registry,
    ) -> Self {
        let shared = Arc::new(Inner {
            store,
            settings,
            circuit,
            entries: Cache::new(settings.entries),
            negative: NegativeCache::new(settings.entries),
            existing: ExistingFlags::default(),
            project_flag_keys: ProjectFlagKeys::default(),
            projects: WatchedProjects::default(),
            restored: RestoredProjects::default(),
            events: Events::new(registry),
            reports: ProjectReports::default(),
            reads: Mutex::default(),
            unreadable: Mutex::default(),
            passed_over: Mutex::default(),
            cold_reads: TokenBucket::new(COLD_READS),
            recovery_reads: TokenBucket::new(RECOVERY_READS),
            snapshot_generation: AtomicU64::new(0),
            metrics: CacheMetrics::register(registry),
            runtime,
        });
        let cache = Self { shared };
        registry.register_collector(Box::new(cache.clone()));
        cache
    }

    /// Returns the revision in force: from memory within its lifetime, and also later while the store cannot be reached;
    /// otherwise it is read.
    pub async fn get_or_read(&self, flag: &FlagKey) -> Result<ServedPlan, CacheError> {
        let inner = &self.shared;
        let now = Instant::now();
        match inner.entries.get(flag) {
            Some(entry) if entry.is_fresh(now) => {
                inner.metrics.hits.inc();
                Ok(ServedPlan::new(entry, Source::Cache))
            }
            Some(entry) => self.serve_due(flag, entry, now).await,
            None => self.serve_uncached(flag, now).await,
        }
    }

    /// Returns the revision in force if it is in memory, fresh, and not due to be read again. Allocates nothing. Call
    /// [`count_hit`](Self::count_hit) when it is served.
    pub fn get_fresh(&self, flag: FlagKeyRef<'_>, now: Instant) -> Option<ServedPlan> {
        let inner = &self.shared;
        let entry = inner.entries.get(&flag)?;
        entry
            .is_fresh(now)
            .then(|| ServedPlan::new(entry, Source::Cache))
    }

    /// Counts an answer from memory.
    pub fn count_hit(&self) {
        self.shared.metrics.hits.inc();
    }

    /// Counts several answers from memory.
    pub fn count_hits(&self, hits: u64) {
        self.shared.metrics.hits.inc_by(hits);
    }

    /// Returns what this replica reports of the watched projects.
    pub(crate) fn project_reports(&self) -> &ProjectReports {
        &self.shared.reports
    }

    /// Returns the events of the flags' changes.
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// Returns a number that grows with each change that the snapshot should contain.
    pub(crate) fn snapshot_generation(&self) -> u64 {
        self.shared.snapshot_generation.load(Ordering::Relaxed)
    }

    /// Serves a flag that is due to be read again, or whose lifetime has ended.
    async fn serve_due(
        &self,
        flag: &FlagKey,
        entry: Arc<CacheEntry>,
        now: Instant,
    ) -> Result<ServedPlan, CacheError> {
        let inner = &self.shared;
        let age = entry.age(now);
        match age {
            Age::WithinLifetime => {
                inner.refresh(flag, &entry, now);
                inner.metrics.hits.inc();
                return Ok(ServedPlan::new(entry, Source::Cache));
            }
            Age::Stale if inner.circuit.is_open() => {
                entry.note_unreachable(now);
                return Ok(inner.stale(entry));
            }
            Age::Stale if entry.is_unreachable(now) => {
                inner.refresh(flag, &entry, now);
                return Ok(inner.stale(entry));
            }
            Age::Stale => {}
            Age::Expired => drop(inner.entries.remove(flag)),
        }
        inner.metrics.misses.inc();
        match (self.read_within_deadline(flag).await, age) {
            (ReadOutcome::NoPlan(NoPlanReason::Failed(_)) | ReadOutcome::Panicked, Age::Stale) => {
                Ok(inner.stale(entry))
            }
            (outcome, _) => outcome.into_result(flag),
        }
    }

    /// Serves a flag that is not in memory.
    async fn serve_uncached(&self, flag: &FlagKey, now: Instant) -> Result<ServedPlan, CacheError> {
        let inner = &self.shared;
        if let Some(reason) = inner.negative.get(flag, now) {
            inner.metrics.negative_hits.inc();
            return ReadOutcome::NoPlan(reason).into_result(flag);
        }
        inner.metrics.misses.inc();
        self.read_within_deadline(flag).await.into_result(flag)
    }

    /// Joins the read of the flag in flight, or starts one. Waits until the deadline, even if the threads that read are
    /// stuck.
    async fn read_within_deadline(&self, flag: &FlagKey) -> ReadOutcome {
        let read_timeout = self.shared.settings.read_timeout;
        let timed_out = |_| {
            ReadOutcome::failed(StoreError::TimedOut {
                after: read_timeout,
            })
        };
        let outcome = timeout(read_timeout + GRACE, self.shared.read(flag));
        outcome.await.unwrap_or_else(timed_out)
    }
}

impl Inner {
    async fn read(self: &Arc<Self>, flag: &FlagKey) -> ReadOutcome {
        if self.is_being_read(flag) || self.entries.peek(flag).is_some() {
            return self.join_or_start_read(flag, ReadMode::ReuseValid).await;
        }
        if self.cold_reads.take(COLD_READS_PER_SECOND) {
            let outcome = self.join_or_start_read(flag, ReadMode::ReuseValid).await;
            if let ReadOutcome::Found(_) = outcome {
                self.cold_reads.give_back();
            }
            return outcome;
        }
        match self.existence(flag).await {
            Ok(Existence::Exists) => self.join_or_start_read(flag, ReadMode::ReuseValid).await,
            Ok(Existence::NotFound) => {
                self.metrics.not_listed.inc();
                ReadOutcome::NoPlan(NoPlanReason::NotFound)
            }
            Err(error) => ReadOutcome::failed(error),
        }
    }

    /// Whether the flag exists, according to pages of keys. Runs in the task of the request, and is cancelled with it.
    async fn existence(&self, flag: &FlagKey) -> Result<Existence, StoreError> {
        let valid_for = self.watch_for_negative(&flag.project);
        self.existing.look_up(&self.store, flag, valid_for).await
    }

    /// Watches the project of a flag that is unknown or unreadable, from now on and for a while, if there is room; returns how
    /// long that may be remembered.
    pub(super) fn watch_for_negative(&self, project: &ProjectName) -> Duration {
        if self.projects.watch_for_a_while(project) || !self.settings.watches_changes {
            negative_cache::VALID_FOR
        } else {
            negative_cache::VALID_FOR_UNWATCHED
        }
    }

    /// Reads a flag again in the background, if it is due.
    fn refresh(self: &Arc<Self>, flag: &FlagKey, entry: &CacheEntry, now: Instant) {
        if !entry.claim_due_read(now) || self.circuit.is_open() {
            return;
        }
        if !entry.is_unreachable(now) || self.recovery_reads.take(self.recovery_rate()) {
            drop(self.join_or_start_read(flag, ReadMode::ReadAgain));
        }
    }

    /// Twice the usual rate of reads, per second.
    pub(super) fn recovery_rate(&self) -> f64 {
        let entries = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let lifetime = self.settings.lifetime.as_secs_f64().max(1.0);
        (2.0 * f64::from(entries) / lifetime).max(f64::from(RECOVERY_READS))
    }

    /// Joins the read of the flag in flight, or starts one. It continues even if all requests for it are cancelled.
    pub(super) fn join_or_start_read(
        self: &Arc<Self>,
        flag: &FlagKey,
        mode: ReadMode,
    ) -> SharedRead {
        let mut reads = self.reads();
        if let Some(read) = reads.get(flag) {
            return read.clone();
        }
        // A read may have ended after the caller looked into the cache.
        if mode == ReadMode::ReuseValid
            && let Some(outcome) = self.valid_result(flag)
        {
            return ready(outcome).boxed().shared();
        }
        let task = self
            .runtime
            .spawn(ReadTask::new(Arc::clone(self), flag.clone()).run());
        let read = task
            .map(|outcome| outcome.unwrap_or(ReadOutcome::Panicked))
            .boxed()
            .shared();
        reads.insert(flag.clone(), read.clone());
        read
    }

    /// Returns the last result for a flag if it is still valid.
    fn valid_result(&self, flag: &FlagKey) -> Option<ReadOutcome> {
        let now = Instant::now();
        match self.entries.peek(flag) {
            Some(entry) => {
                (entry.age(now) == Age::WithinLifetime).then_some(ReadOutcome::Found(entry))
            }
            None => self.negative.get(flag, now).map(ReadOutcome::NoPlan),
        }
    }

    fn stale(&self, entry: Arc<CacheEntry>) -> ServedPlan {
        self.metrics.stale.inc();
        ServedPlan::new(entry, Source::Stale)
    }

    pub(super) fn end_read(&self, flag: &FlagKey) {
        self.reads().remove(flag);
    }

    pub(super) fn unreadable(&self) -> MutexGuard<'_, BTreeMap<FlagKey, Arc<UnreadableRow>>> {
        self.unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn passed_over(&self) -> MutexGuard<'_, BTreeMap<FlagKey, String>> {
        self.passed_over
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a read of the flag is in flight.
    pub(super) fn is_being_read(&self, flag: &FlagKey) -> bool {
        self.reads().contains_key(flag)
    }

    fn reads(&self) -> MutexGuard<'_, HashMap<FlagKey, SharedRead>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadOutcome {
    pub(super) fn failed(error: StoreError) -> Self {
        Self::NoPlan(NoPlanReason::Failed(Arc::new(error)))
    }

    fn into_result(self, flag: &FlagKey) -> Result<ServedPlan, CacheError> {
        match self {
            Self::Found(entry) => Ok(ServedPlan::new(entry, Source::Store)),
            Self::NoPlan(NoPlanReason::NotFound) => Err(CacheError::NotFound(flag.clone())),
            Self::NoPlan(NoPlanReason::Unreadable(row)) => Err(CacheError::Unreadable(row)),
            Self::NoPlan(NoPlanReason::Failed(error)) => {
                let flag = flag.clone();
                Err(CacheError::Store { flag, error })
            }
            Self::Panicked => Err(CacheError::Panicked),
        }
    }
}
