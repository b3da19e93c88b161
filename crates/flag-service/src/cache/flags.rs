//! The flag cache: the newest revision of each flag, compiled.
//!
//! However many requests miss a flag at once, the store is read once, also when that read fails. A flag that is
//! unknown or cannot be read is remembered too, for a short time, so that asking for it costs little.

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

/// How much the lifetime of an entry varies, either way, so that flags read at once aren't read again at once.
const JITTER: f64 = 0.15;

/// What the cache was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheSettings {
    /// How long a flag is served without reading it again.
    pub(crate) lifetime: Duration,
    /// How many flags are held at most.
    pub(crate) entries: usize,
    /// How long a request waits for the store.
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
    /// The reads under way.
    loading: Mutex<HashMap<FlagKey, Load>>,
}

/// What is known of a flag, and until when.
#[derive(Clone, Debug)]
struct Entry {
    known: Known,
    until: Instant,
}

#[derive(Clone, Debug)]
enum Known {
    Plan(Arc<Plan>),
    NoRevision,
    Unreadable(Arc<UnreadableRow>),
}

/// What a read gave.
type Loaded = Result<Known, LoadError>;
/// A read under way, that any number of requests wait for.
type Load = Shared<BoxFuture<'static, Loaded>>;

#[derive(Clone, Debug)]
enum LoadError {
    Store(Arc<StoreError>),
    Panicked,
}

impl FlagCache {
    /// A cache of the flags of `store`, whose reads run on `reads`.
    pub(crate) fn new(store: FlagStore, settings: CacheSettings, reads: Handle) -> Self {
        let (entries, loading) = (Cache::new(settings.entries), Mutex::default());
        Self {
            shared: Arc::new(Inner {
                store,
                settings,
                entries,
                loading,
            }),
            reads,
        }
    }

    /// The revision in force, ready to decide; from memory while its lifetime lasts.
    pub(crate) async fn current(&self, flag: &FlagKey) -> Result<Arc<Plan>, ApiError> {
        let known = match self.shared.fresh(flag) {
            Some(known) => Ok(known),
            None => self.load(flag).await,
        };
        match known {
            Ok(Known::Plan(plan)) => Ok(plan),
            Ok(Known::NoRevision) => Err(ApiError::FlagNotFound(flag.clone())),
            Ok(Known::Unreadable(row)) => Err(ApiError::Unreadable(row)),
            Err(LoadError::Store(error)) => Err(ApiError::Store {
                flag: flag.clone(),
                error,
            }),
            Err(LoadError::Panicked) => Err(ApiError::Internal),
        }
    }

    /// Joins the read of the flag that is under way, or begins one.
    async fn load(&self, flag: &FlagKey) -> Loaded {
        let load = {
            let mut loading = self.shared.loading();
            // A read may have ended between the look into the cache and this lock.
            if let Some(known) = self.shared.fresh(flag) {
                return Ok(known);
            }
            loading
                .entry(flag.clone())
                .or_insert_with(|| self.begin(flag.clone()))
                .clone()
        };
        load.await
    }

    fn begin(&self, flag: FlagKey) -> Load {
        let shared = Arc::clone(&self.shared);
        let read = self.reads.spawn(async move { shared.read(flag).await });
        read.map(|loaded| loaded.unwrap_or(Err(LoadError::Panicked)))
            .boxed()
            .shared()
    }
}

impl Inner {
    /// What is known of a flag while its lifetime lasts.
    fn fresh(&self, flag: &FlagKey) -> Option<Known> {
        let entry = self.entries.get(flag)?;
        (Instant::now() < entry.until).then_some(entry.known)
    }

    fn loading(&self) -> MutexGuard<'_, HashMap<FlagKey, Load>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a flag, remembers what can be, and makes room for the next read.
    async fn read(&self, flag: FlagKey) -> Loaded {
        let done = Done {
            loading: self,
            flag: &flag,
        };
        let deadline = self.settings.deadline;
        let loaded = match timeout(deadline, self.store.latest_revision(&flag)).await {
            Ok(Ok(Some(revision))) => Ok(Known::Plan(Arc::new(Plan::compile(revision)))),
            Ok(Ok(None)) => Ok(Known::NoRevision),
            Ok(Err(ReadError::Unreadable(row))) => Ok(Known::Unreadable(Arc::new(row))),
            Ok(Err(ReadError::Store(error))) => Err(LoadError::Store(Arc::new(error))),
            Ok(Err(_)) => Err(LoadError::Panicked),
            Err(_) => Err(LoadError::Store(Arc::new(StoreError::TimedOut {
                after: deadline,
            }))),
        };
        complain(&flag, &loaded);
        if let Ok(known) = &loaded {
            self.entries.insert(flag.clone(), self.entry(known.clone()));
        }
        drop(done);
        loaded
    }

    fn entry(&self, known: Known) -> Entry {
        let lifetime = match known {
            Known::Plan(_) => self.settings.lifetime,
            Known::NoRevision | Known::Unreadable(_) => self.settings.lifetime.min(UNKNOWN_COUNTS),
        };
        let varied = lifetime.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64());
        Entry {
            known,
            until: Instant::now() + varied,
        }
    }
}

/// Ends a read however it ends, so that a panic doesn't leave the flag loading for ever.
struct Done<'a> {
    loading: &'a Inner,
    flag: &'a FlagKey,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.loading.loading().remove(self.flag);
    }
}

/// One line a read that failed, not one a request.
fn complain(flag: &FlagKey, loaded: &Loaded) {
    match loaded {
        Ok(Known::Plan(_) | Known::NoRevision) | Err(LoadError::Panicked) => {}
        Ok(Known::Unreadable(row)) => warn!(%flag, problem = %row, "flag cannot be read"),
        Err(LoadError::Store(error)) => {
            let cause = std::error::Error::source(&**error)
                .map(ToString::to_string)
                .unwrap_or_default();
            warn!(%flag, problem = %error, cause, "store failed");
        }
    }
}
