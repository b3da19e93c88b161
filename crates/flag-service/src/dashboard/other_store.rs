//! The store of another environment, for the page that compares projects, and nothing else.
//!
//! It is opened when somebody first asks for that page. While it fails, that page says so; it shares no limit, no circuit
//! breaker and no metric with the store of the service (docs/decisions/0036-a-second-store-to-compare-with.md).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flag_model::with_causes;
use flag_runtime::{GuardSettings, StoreGuard};
use flag_settings::OtherStoreSettings;
use flag_store::{FlagStore, RowOptions, SystemClock};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::guard::guard_settings;
use super::listing::Listings;

/// How long a page waits until it is open. It goes on in the background.
const WAITS: Duration = Duration::from_millis(500);

/// The least time between two attempts to open it.
const PAUSE: Duration = Duration::from_secs(5);

/// The store of another environment.
#[derive(Debug)]
pub(crate) struct OtherStore {
    settings: OtherStoreSettings,
    row_options: RowOptions,
    guard: GuardSettings,
    /// Where its connections belong: the thread of the dashboard has no network.
    runtime: Handle,
    listings: OnceLock<Listings>,
    /// Held by an attempt to open it.
    failed: Arc<Mutex<Option<FailedAttempt>>>,
}

/// The last attempt to open it.
#[derive(Debug)]
struct FailedAttempt {
    at: Instant,
    problem: String,
}

/// Why nothing can be read yet.
#[derive(Debug)]
pub(super) enum NotOpen {
    /// It is being opened.
    Yet,
    /// It could not be opened, and will be tried again: why.
    Failed(String),
}

impl OtherStore {
    /// Will open it on this runtime.
    pub(crate) fn new(
        settings: OtherStoreSettings,
        row_options: RowOptions,
        runtime: Handle,
    ) -> Self {
        let guard = guard_settings(&settings.store);
        let store = settings.store.with_read_timeout(guard.read_timeout);
        Self {
            settings: OtherStoreSettings { store, ..settings },
            row_options,
            guard,
            runtime,
            listings: OnceLock::new(),
            failed: Arc::default(),
        }
    }

    /// The name of the other environment.
    pub(super) fn environment(&self) -> &str {
        &self.settings.environment
    }

    /// Its flags; opens it if it is not open, as far as that takes no long time.
    pub(super) async fn listings(self: &Arc<Self>) -> Result<&Listings, NotOpen> {
        if let Some(listings) = self.listings.get() {
            return Ok(listings);
        }
        let opened = async {
            match Arc::clone(&self.failed).try_lock_owned() {
                Ok(failed) => {
                    let _ = self.runtime.spawn(Arc::clone(self).open(failed)).await;
                }
                // Another page waits for the same attempt.
                Err(_) => drop(self.failed.lock().await),
            }
        };
        let _ = timeout(WAITS, opened).await;
        let failed = self.failed.try_lock();
        let problem = failed
            .ok()
            .and_then(|failed| Some(failed.as_ref()?.problem.clone()));
        self.listings
            .get()
            .ok_or_else(|| problem.map_or(NotOpen::Yet, NotOpen::Failed))
    }

    async fn open(self: Arc<Self>, mut failed: OwnedMutexGuard<Option<FailedAttempt>>) {
        let is_recent = |failed: &FailedAttempt| failed.at.elapsed() < PAUSE;
        if self.listings.get().is_some() || failed.as_ref().is_some_and(is_recent) {
            return;
        }
        *failed = match self.settings.store.open_existing().await {
            Ok(rows) => {
                let guard = StoreGuard::of_other_store(rows, self.guard);
                let store = FlagStore::new(Arc::new(guard), Arc::new(SystemClock));
                let store = store.with_options(self.row_options);
                let listings = Listings::new(store, None, self.guard.concurrent_reads);
                let _ = self.listings.set(listings);
                None
            }
            Err(error) => {
                let problem = with_causes(&error);
                let store = self.settings.store.display_name();
                warn!(
                    store,
                    problem, "the store that the dashboard compares with cannot be opened"
                );
                let at = Instant::now();
                Some(FailedAttempt { at, problem })
            }
        };
    }
}
