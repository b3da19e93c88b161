//! The dashboard: pages about projects and flags, for people with a browser.
//!
//! Only reads. Pages are made on a thread of its own, over readers of the store of its own, at most [`MOST`] at a time within
//! [`DEADLINE`]: a dashboard that hangs costs no evaluation. Start with `answer.rs`.
//! - `pages/` has a file for each page, `parts/` what several pages have.
//! - `listing/` keeps what is newest of each flag of a project, for lists of thousands.
mod answer;
mod assets;
mod error;
mod listing;
mod pages;
mod parts;
mod query;
mod response;
mod sign_in;

use std::sync::Arc;
use std::time::Duration;

use flag_runtime::GuardSettings;
use flag_store::{ExposureLog, FlagStore, InstanceNames};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

pub(crate) use self::answer::dashboard;
pub(crate) use self::assets::assets;
use self::listing::Listings;

/// The most pages that are made at a time.
const MOST: usize = 8;

/// How long making a page may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long a read of the store may take.
const READ_DEADLINE: Duration = Duration::from_millis(1_500);

/// Settings of the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DashboardSettings {
    /// The name of the environment, which is on every page.
    pub(crate) environment: String,
    /// Over which connections browsers send the cookie of a session.
    pub(crate) cookies: CookieScope,
}

/// Over which connections browsers send the cookie of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieScope {
    /// Over any, as the service listens on a loopback address.
    AnyConnection,
    /// Only over TLS.
    TlsOnly,
}

/// The dashboard.
#[derive(Debug)]
pub(crate) struct Dashboard {
    permits: Arc<Semaphore>,
    runtime: Handle,
    sources: Arc<Sources>,
}

/// What pages are made of.
#[derive(Debug)]
struct Sources {
    settings: DashboardSettings,
    store: FlagStore,
    log: Arc<dyn ExposureLog>,
    names: InstanceNames,
    listings: Listings,
}

impl Dashboard {
    /// Starts on this runtime, with readers that evaluations don't use; `reads` of them may run at a time.
    pub(crate) fn new(
        settings: DashboardSettings,
        store: FlagStore,
        log: Arc<dyn ExposureLog>,
        names: InstanceNames,
        (runtime, reads): (&Handle, usize),
    ) -> Self {
        let listings = Listings::new(store.clone(), Arc::clone(&log), reads);
        Self {
            permits: Arc::new(Semaphore::new(MOST)),
            runtime: runtime.clone(),
            sources: Arc::new(Sources {
                settings,
                store,
                log,
                names,
                listings,
            }),
        }
    }
}

/// Settings of the guard of the dashboard's readers.
pub(crate) fn guard_settings(reads: usize) -> GuardSettings {
    GuardSettings {
        concurrent_reads: reads,
        deadline: READ_DEADLINE,
    }
}

/// Creates the runtime of the dashboard, with one thread: long lists are sorted there, and not between evaluations.
pub(crate) fn dashboard_runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("dashboard")
        .enable_time()
        .build()
}
