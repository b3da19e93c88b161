//! The flag cache: the newest revision of each flag, compiled.
//!
//! A request that finds its flag fresh does no I/O and waits for nobody. A flag that is asked for is read again in the
//! background before its lifetime ends. However many requests miss a flag at once, the store is read once, also when
//! that read fails. While the store cannot be reached, the last known revision is served on, marked stale; a flag whose
//! newest revision can be reached and not be read fails, whatever is known of older ones.

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

use super::absence::{Absence, Presence};
use super::budget::Budget;
use super::entry::{Age, Current, Entry, Source};
use super::metrics::CacheMetrics;
use super::reading::Reading;
use super::restored::Restored;
use super::served::Served;
use super::sought::Sought;
use super::unknown::{self, Reason, Unknown};
use crate::problem::ApiError;
use crate::store::Circuit;

/// How much longer than the store a request waits for the thread that reads it.
const GRACE: Duration = Duration::from_millis(10);

/// So many flags of which nothing is known are read at once, and so many each second, before pages of keys are read
/// to tell which of them there are. A flag that is there costs nothing.
const COLD_READS: u32 = 64;
const COLD_READS_PER_SECOND: f64 = 10.0;

/// So many flags that were stale are read again at once when the store is back; then twice as many each second as are
/// read when all is well, or as many as this if that is more.
const RECOVERY_READS: u32 = 64;

/// What the flag cache was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlagCacheSettings {
    /// How long a flag is served without reading it again.
    pub(crate) lifetime: Duration,
    /// How long it is served after that while the store cannot be reached.
    pub(crate) max_stale: Duration,
    /// How many flags are held at most.
    pub(crate) entries: usize,
    /// How long a read may take.
    pub(crate) deadline: Duration,
    /// Whether changes are looked for.
    pub(crate) is_polled: bool,
    /// Whether rows are kept as they were read, for the snapshot.
    pub(crate) keeps_rows: bool,
}

/// The newest revision of each flag, compiled.
#[derive(Clone, Debug)]
pub(crate) struct FlagCache {
    pub(super) shared: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: FlagStore,
    pub(super) settings: FlagCacheSettings,
    pub(super) circuit: Arc<Circuit>,
    pub(super) entries: Cache<FlagKey, Arc<Entry>>,
    pub(super) unknown: Unknown,
    pub(super) absence: Absence,
    pub(super) served: Served,
    pub(super) restored: Restored,
    /// The reads under way.
    loading: Mutex<HashMap<FlagKey, Load>>,
    /// Flags that cannot be read, so that somebody notices.
    pub(super) unreadable: Mutex<BTreeMap<FlagKey, Arc<UnreadableRow>>>,
    /// Flags that have a row above the newest one that counts, and its key.
    passed_over: Mutex<BTreeMap<FlagKey, String>>,
    cold: Budget,
    recovery: Budget,
    /// How often something has changed that is worth keeping over a restart.
    pub(super) changes: AtomicU64,
    pub(super) metrics: CacheMetrics,
    /// Where reads run: a request that goes away doesn't take the read of others with it.
    reads: Handle,
}

/// Whether what somebody else has just read will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    Newest,
}

/// What a read gave.
#[derive(Clone, Debug)]
pub(super) enum Loaded {
    Plan(Arc<Entry>),
    Not(Reason),
    Panicked,
}

/// A read under way, that any number of requests wait for.
type Load = Shared<BoxFuture<'static, Loaded>>;

impl FlagCache {
    /// A cache of the flags of `store`, which the circuit belongs to; reads run on `reads`.
    pub(crate) fn new(
        store: FlagStore,
        circuit: Arc<Circuit>,
        settings: FlagCacheSettings,
        reads: Handle,
        registry: &mut Registry,
    ) -> Self {
        let shared = Arc::new(Inner {
            store,
            settings,
            circuit,
            entries: Cache::new(settings.entries),
            unknown: Unknown::new(settings.entries),
            absence: Absence::default(),
            served: Served::default(),
            restored: Restored::default(),
            loading: Mutex::default(),
            unreadable: Mutex::default(),
            passed_over: Mutex::default(),
            cold: Budget::new(COLD_READS),
            recovery: Budget::new(RECOVERY_READS),
            changes: AtomicU64::new(0),
            metrics: CacheMetrics::register(registry),
            reads,
        });
        let cache = Self { shared };
        registry.register_collector(Box::new(cache.clone()));
        cache
    }

    /// The revision in force, ready to decide; from memory while its lifetime lasts, or while the store cannot be
    /// reached.
    pub(crate) async fn current(&self, flag: &FlagKey) -> Result<Current, ApiError> {
        let inner = &self.shared;
        let now = Instant::now();
        match inner.entries.get(flag) {
            Some(entry) if entry.is_settled(now) => {
                inner.metrics.hits.inc();
                Ok(Current::new(entry, Source::Cache))
            }
            Some(entry) => self.aged(flag, entry, now).await,
            None => self.missing(flag, now).await,
        }
    }

    /// The revision in force if it is fresh, and nobody has to do anything about it; allocates nothing. Whoever serves it
    /// counts the hit.
    pub(crate) fn settled(&self, flag: Sought<'_>, now: Instant) -> Option<Current> {
        let inner = &self.shared;
        let entry = inner.entries.get(&flag)?;
        entry
            .is_settled(now)
            .then(|| Current::new(entry, Source::Cache))
    }

    /// Counts an answer from memory.
    pub(crate) fn count_hit(&self) {
        self.shared.metrics.hits.inc();
    }

    /// How often something has changed that is worth keeping over a restart.
    pub(crate) fn changes(&self) -> u64 {
        self.shared.changes.load(Ordering::Relaxed)
    }

    /// Serves a flag that is due to be read again, or whose lifetime is over.
    async fn aged(
        &self,
        flag: &FlagKey,
        entry: Arc<Entry>,
        now: Instant,
    ) -> Result<Current, ApiError> {
        let inner = &self.shared;
        let age = entry.age(now);
        match age {
            Age::Fresh => {
                inner.refresh(flag, &entry, now);
                inner.metrics.hits.inc();
                return Ok(Current::new(entry, Source::Cache));
            }
            Age::Stale if inner.circuit.is_open() => {
                entry.note_failure(now);
                return Ok(inner.stale(entry));
            }
            Age::Stale if entry.has_failed(now) => {
                inner.refresh(flag, &entry, now);
                return Ok(inner.stale(entry));
            }
            Age::Stale => {}
            Age::Over => drop(inner.entries.remove(flag)),
        }
        inner.metrics.misses.inc();
        match (self.load(flag).await, age) {
            (Loaded::Not(Reason::Failed(_)) | Loaded::Panicked, Age::Stale) => {
                Ok(inner.stale(entry))
            }
            (loaded, _) => loaded.answer(flag),
        }
    }

    /// Serves a flag of which no revision is held.
    async fn missing(&self, flag: &FlagKey, now: Instant) -> Result<Current, ApiError> {
        let inner = &self.shared;
        if let Some(reason) = inner.unknown.get(flag, now) {
            inner.metrics.unknown_hits.inc();
            return Loaded::Not(reason).answer(flag);
        }
        inner.metrics.misses.inc();
        self.load(flag).await.answer(flag)
    }

    /// Joins the read of the flag that is under way, or begins one; waits for it within the deadline, whatever the
    /// threads that read are doing.
    async fn load(&self, flag: &FlagKey) -> Loaded {
        let deadline = self.shared.settings.deadline;
        let late = |_| Loaded::failed(StoreError::TimedOut { after: deadline });
        let loaded = timeout(deadline + GRACE, self.shared.load(flag));
        loaded.await.unwrap_or_else(late)
    }
}

impl Inner {
    async fn load(self: &Arc<Self>, flag: &FlagKey) -> Loaded {
        let is_begun = self.loading().contains_key(flag);
        if is_begun || self.entries.peek(flag).is_some() {
            return self.begin(flag, Wanted::Any).await;
        }
        if self.cold.take(COLD_READS_PER_SECOND) {
            let loaded = self.begin(flag, Wanted::Any).await;
            if let Loaded::Plan(_) = loaded {
                self.cold.give_back();
            }
            return loaded;
        }
        match self.look_up(flag).await {
            Ok(Presence::Present) => self.begin(flag, Wanted::Any).await,
            Ok(Presence::Absent) => {
                self.metrics.absent.inc();
                Loaded::Not(Reason::NoRevision)
            }
            Err(error) => Loaded::failed(error),
        }
    }

    /// Whether the flag is there, as pages of keys say. Runs where the request does, so that no more of it goes on than
    /// requests wait.
    async fn look_up(&self, flag: &FlagKey) -> Result<Presence, StoreError> {
        let counts = self.unknown_counts(&flag.project);
        self.absence.look_up(&self.store, flag, counts).await
    }

    /// How long it counts that a flag of the project is unknown.
    pub(super) fn unknown_counts(&self, project: &ProjectName) -> Duration {
        if self.served.note_unknown(project) || !self.settings.is_polled {
            unknown::COUNTS
        } else {
            unknown::COUNTS_UNWATCHED
        }
    }

    /// Reads a flag again in the background, if it is time to.
    fn refresh(self: &Arc<Self>, flag: &FlagKey, entry: &Entry, now: Instant) {
        if !entry.is_to_be_read(now) || self.circuit.is_open() {
            return;
        }
        if !entry.has_failed(now) || self.recovery.take(self.recovery_rate()) {
            drop(self.begin(flag, Wanted::Newest));
        }
    }

    /// Twice as many reads each second as there are when all is well.
    fn recovery_rate(&self) -> f64 {
        let entries = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let lifetime = self.settings.lifetime.as_secs_f64().max(1.0);
        (2.0 * f64::from(entries) / lifetime).max(f64::from(RECOVERY_READS))
    }

    /// Joins the read of the flag that is under way, or begins one. It goes on though nobody waits for it.
    pub(super) fn begin(self: &Arc<Self>, flag: &FlagKey, wanted: Wanted) -> Load {
        let mut loading = self.loading();
        if let Some(load) = loading.get(flag) {
            return load.clone();
        }
        // A read may have ended between the caller's look into the cache and this lock.
        if wanted == Wanted::Any
            && let Some(loaded) = self.fresh(flag)
        {
            return ready(loaded).boxed().shared();
        }
        let read = self
            .reads
            .spawn(Reading::new(Arc::clone(self), flag.clone()).run());
        let load = read
            .map(|loaded| loaded.unwrap_or(Loaded::Panicked))
            .boxed()
            .shared();
        loading.insert(flag.clone(), load.clone());
        load
    }

    /// What was read of a flag while that counts.
    fn fresh(&self, flag: &FlagKey) -> Option<Loaded> {
        let now = Instant::now();
        match self.entries.peek(flag) {
            Some(entry) => (entry.age(now) == Age::Fresh).then_some(Loaded::Plan(entry)),
            None => self.unknown.get(flag, now).map(Loaded::Not),
        }
    }

    fn stale(&self, entry: Arc<Entry>) -> Current {
        self.metrics.stale.inc();
        Current::new(entry, Source::Stale)
    }

    pub(super) fn end(&self, flag: &FlagKey) {
        self.loading().remove(flag);
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

    fn loading(&self) -> MutexGuard<'_, HashMap<FlagKey, Load>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    pub(super) fn failed(error: StoreError) -> Self {
        Self::Not(Reason::Failed(Arc::new(error)))
    }

    fn answer(self, flag: &FlagKey) -> Result<Current, ApiError> {
        match self {
            Self::Plan(entry) => Ok(Current::new(entry, Source::Store)),
            Self::Not(Reason::NoRevision) => Err(ApiError::FlagNotFound(flag.clone())),
            Self::Not(Reason::Unreadable(row)) => Err(ApiError::Unreadable(row)),
            Self::Not(Reason::Failed(error)) => Err(ApiError::Store {
                flag: flag.clone(),
                error,
            }),
            Self::Panicked => Err(ApiError::Internal),
        }
    }
}
