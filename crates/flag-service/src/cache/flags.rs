//! The flag cache: the newest revision of each flag, compiled.
//!
//! However many requests miss a flag at once, the store is read once, also when that read fails. A flag that is
//! unknown or cannot be read is remembered too, for a short time and apart from the others, so that asking for it
//! costs little and drives no other flag out. A failure of the store is remembered for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::FlagKey;
use flag_rollout::Plan;
use flag_store::{FlagStore, ReadError, StoreError, UnreadableRow};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use quick_cache::sync::Cache;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::problem::ApiError;

/// How long a flag is remembered that is unknown or cannot be read, unless the lifetime is shorter.
const UNKNOWN_COUNTS: Duration = Duration::from_secs(5);

/// How long a failure of the store is remembered, unless the lifetime is shorter.
const FAILURE_COUNTS: Duration = Duration::from_millis(100);

/// How much longer than the store a request waits for the thread that reads it.
const GRACE: Duration = Duration::from_millis(10);

/// How many flags are remembered at most that are unknown, cannot be read, or could not be had.
const UNKNOWN_ENTRIES: usize = 10_000;

/// How much the lifetime of an entry varies, either way, so that flags read at once aren't read again at once.
const JITTER: f64 = 0.15;

/// What the cache was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheSettings {
    /// How long a flag is served without reading it again.
    pub(crate) lifetime: Duration,
    /// How many flags are held at most.
    pub(crate) entries: usize,
    /// How long a read may take.
    pub(crate) deadline: Duration,
}

/// The newest revision of each flag, compiled.
#[derive(Debug)]
pub(crate) struct FlagCache {
    shared: Arc<Inner>,
    /// Where reads run: a request that goes away doesn't take the read of others with it.
    reads: Handle,
}

#[derive(Debug)]
struct Inner {
    store: FlagStore,
    settings: CacheSettings,
    entries: Cache<FlagKey, Entry>,
    unknown: Cache<FlagKey, Entry>,
    /// The reads under way.
    loading: Mutex<HashMap<FlagKey, Load>>,
}

/// What a read gave, and until when it counts.
#[derive(Clone, Debug)]
struct Entry {
    loaded: Loaded,
    until: Instant,
}

/// What a read gave.
#[derive(Clone, Debug)]
enum Loaded {
    Plan(Arc<Plan>),
    NoRevision,
    Unreadable(Arc<UnreadableRow>),
    Failed(Arc<StoreError>),
    Panicked,
}

/// A read under way, that any number of requests wait for.
type Load = Shared<BoxFuture<'static, Loaded>>;

impl FlagCache {
    /// A cache of the flags of `store`, whose reads run on `reads`.
    pub(crate) fn new(store: FlagStore, settings: CacheSettings, reads: Handle) -> Self {
        let shared = Inner {
            store,
            settings,
            entries: Cache::new(settings.entries),
            unknown: Cache::new(settings.entries.min(UNKNOWN_ENTRIES)),
            loading: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            reads,
        }
    }

    /// The revision in force, ready to decide, and whether it comes from memory, as while its lifetime lasts.
    pub(crate) async fn current(&self, flag: &FlagKey) -> Result<(Arc<Plan>, bool), ApiError> {
        let fresh = self.shared.fresh(flag);
        let from_cache = fresh.is_some();
        let loaded = match fresh {
            Some(loaded) => loaded,
            None => self.load(flag).await,
        };
        match loaded {
            Loaded::Plan(plan) => Ok((plan, from_cache)),
            Loaded::NoRevision => Err(ApiError::FlagNotFound(flag.clone())),
            Loaded::Unreadable(row) => Err(ApiError::Unreadable(row)),
            Loaded::Failed(error) => Err(ApiError::Store {
                flag: flag.clone(),
                error,
            }),
            Loaded::Panicked => Err(ApiError::Internal),
        }
    }

    /// Joins the read of the flag that is under way, or begins one; waits for it within the deadline, whatever the
    /// threads that read are doing.
    async fn load(&self, flag: &FlagKey) -> Loaded {
        let load = {
            let mut loading = self.shared.loading();
            // A read may have ended between the look into the cache and this lock.
            if let Some(loaded) = self.shared.fresh(flag) {
                return loaded;
            }
            loading
                .entry(flag.clone())
                .or_insert_with(|| self.begin(flag))
                .clone()
        };
        let deadline = self.shared.settings.deadline;
        let late = |_| Loaded::Failed(Arc::new(StoreError::TimedOut { after: deadline }));
        timeout(deadline + GRACE, load).await.unwrap_or_else(late)
    }

    fn begin(&self, flag: &FlagKey) -> Load {
        let reading = Reading {
            shared: Arc::clone(&self.shared),
            flag: flag.clone(),
        };
        let read = self.reads.spawn(async move { reading.run().await });
        read.map(|loaded| loaded.unwrap_or(Loaded::Panicked))
            .boxed()
            .shared()
    }
}

impl Inner {
    /// What was read of a flag while that counts.
    fn fresh(&self, flag: &FlagKey) -> Option<Loaded> {
        let now = Instant::now();
        let known = self.entries.get(flag).filter(|entry| now < entry.until);
        let entry = known.or_else(|| self.unknown.get(flag).filter(|entry| now < entry.until));
        entry.map(|entry| entry.loaded)
    }

    fn loading(&self) -> MutexGuard<'_, HashMap<FlagKey, Load>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, flag: &FlagKey, loaded: Loaded) {
        let varied = 2.0 * JITTER * fastrand::f64();
        let lifetime = self.settings.lifetime;
        let (cache, lifetime) = match loaded {
            Loaded::Plan(_) => (&self.entries, lifetime.mul_f64(1.0 - JITTER + varied)),
            Loaded::NoRevision | Loaded::Unreadable(_) => (
                &self.unknown,
                lifetime.min(UNKNOWN_COUNTS).mul_f64(1.0 - varied),
            ),
            Loaded::Failed(_) => (&self.unknown, lifetime.min(FAILURE_COUNTS)),
            Loaded::Panicked => return,
        };
        cache.insert(
            flag.clone(),
            Entry {
                loaded,
                until: Instant::now() + lifetime,
            },
        );
    }
}

/// A read that is begun; however it ends, even before it has run, the next one can begin.
struct Reading {
    shared: Arc<Inner>,
    flag: FlagKey,
}

impl Reading {
    /// Reads the flag and remembers what that gave.
    async fn run(self) -> Loaded {
        let loaded = self.read().await;
        complain(&self.flag, &loaded);
        self.shared.remember(&self.flag, loaded.clone());
        loaded
    }

    async fn read(&self) -> Loaded {
        let deadline = self.shared.settings.deadline;
        match timeout(deadline, self.shared.store.latest_revision(&self.flag)).await {
            Ok(Ok(Some(revision))) => Loaded::Plan(Arc::new(Plan::compile(revision))),
            Ok(Ok(None)) => Loaded::NoRevision,
            Ok(Err(ReadError::Unreadable(row))) => Loaded::Unreadable(Arc::new(row)),
            Ok(Err(ReadError::Store(error))) => Loaded::Failed(Arc::new(error)),
            Ok(Err(_)) => Loaded::Panicked,
            Err(_) => Loaded::Failed(Arc::new(StoreError::TimedOut { after: deadline })),
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.shared.loading().remove(&self.flag);
    }
}

/// One line a read that failed, not one a request.
fn complain(flag: &FlagKey, loaded: &Loaded) {
    match loaded {
        Loaded::Plan(_) | Loaded::NoRevision | Loaded::Panicked => {}
        Loaded::Unreadable(row) => warn!(%flag, problem = %row, "flag cannot be read"),
        Loaded::Failed(error) => {
            let cause = std::error::Error::source(&**error)
                .map(ToString::to_string)
                .unwrap_or_default();
            warn!(%flag, problem = %error, cause, "store failed");
        }
    }
}
