//! Whether the service is ready, as the probes of Kubernetes ask.
//!
//! A replica is ready while it can serve something: the store answers, or last known values are in memory. So an outage of
//! the store takes no replica out of service that still has answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use flag_runtime::{CacheStats, Circuit, FlagCache};
use flag_store::{ExposureLog, FlagStore, StoreError};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long the result of a check is used again, so that many probes cost one read.
const CHECK_VALID_FOR: Duration = Duration::from_secs(1);

/// Whether flags can be served.
#[derive(Debug)]
pub(crate) struct Readiness {
    store: FlagStore,
    log: Arc<dyn ExposureLog>,
    circuit: Arc<Circuit>,
    flags: FlagCache,
    last: Mutex<Option<(Instant, StoreCheck)>>,
    draining: AtomicBool,
}

/// The body of an answer.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Health {
    status: &'static str,
    #[serde(flatten)]
    details: Option<Details>,
}

/// The state of the store, and of the flags in memory.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Details {
    store: Store,
    circuit: &'static str,
    /// How long the circuit has been open.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreachable_seconds: Option<u64>,
    /// Flags that can be served without the store.
    servable_flags: usize,
    stale_flags: usize,
    oldest_stale_seconds: u64,
    /// Projects whose store was restored to an older state, or replaced, within the last hour.
    #[serde(skip_serializing_if = "is_zero")]
    restored_projects: usize,
    /// What is probably wrong although the service works.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
}

/// The result of a check of the store.
#[derive(Clone, Copy, Debug)]
struct StoreCheck {
    store: Store,
    /// Whether it holds no flags, which usually means that it is the wrong store; only checked while no flag is in memory.
    is_empty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Store {
    Ok,
    Timeout,
    Unavailable,
}

impl Readiness {
    /// Checks this store and its exposure log; `circuit` and `flags` belong to the same store.
    pub(crate) fn new(
        store: FlagStore,
        log: Arc<dyn ExposureLog>,
        circuit: Arc<Circuit>,
        flags: FlagCache,
    ) -> Self {
        Self {
            store,
            log,
            circuit,
            flags,
            last: Mutex::new(None),
            draining: AtomicBool::new(false),
        }
    }

    /// From now on `/readyz` answers `draining`, so that no new requests are sent: the service is about to stop.
    pub(crate) fn begin_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Returns status and body of `/readyz`.
    pub(crate) async fn describe(&self) -> (StatusCode, Health) {
        if self.draining.load(Ordering::Relaxed) {
            let draining = Health {
                status: "draining",
                details: None,
            };
            return (StatusCode::SERVICE_UNAVAILABLE, draining);
        }
        let check = self.check().await;
        let mut details = Details::new(check.store, &self.circuit, self.flags.stats());
        details.warning =
            (check.is_empty && details.servable_flags == 0).then_some("the store holds no flags");
        let (code, status) = if details.store == Store::Ok || details.servable_flags > 0 {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready")
        };
        let details = Some(details);
        (code, Health { status, details })
    }

    async fn check(&self) -> StoreCheck {
        let mut last = self.last.lock().await;
        if let Some((at, check)) = *last
            && at.elapsed() < CHECK_VALID_FOR
        {
            return check;
        }
        // Both run to their end: the ping of the flags counts for the circuit, even if the exposure log fails first.
        let (store, log) = tokio::join!(self.store.ping(), self.log.ping());
        let store = match store.and(log) {
            Ok(()) => Store::Ok,
            Err(StoreError::TimedOut { .. }) => Store::Timeout,
            Err(_) => Store::Unavailable,
        };
        let is_suspicious = store == Store::Ok && self.flags.stats().servable == 0;
        let is_empty = is_suspicious && self.store.is_empty().await.is_ok_and(|is_empty| is_empty);
        let check = StoreCheck { store, is_empty };
        *last = Some((Instant::now(), check));
        check
    }
}

impl Details {
    fn new(store: Store, circuit: &Circuit, stats: CacheStats) -> Self {
        let open_for = circuit.open_for();
        Self {
            store,
            circuit: if open_for.is_some() { "open" } else { "closed" },
            unreachable_seconds: open_for.map(|open| open.as_secs()),
            servable_flags: stats.servable,
            stale_flags: stats.stale,
            oldest_stale_seconds: stats.oldest_stale.as_secs(),
            restored_projects: stats.restored_projects,
            warning: None,
        }
    }
}

impl Health {
    /// The body of `/livez`.
    pub(crate) const LIVE: Self = Self {
        status: "live",
        details: None,
    };
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use flag_runtime::{DeferredStore, GuardSettings, StoreGuard};
    use flag_store::memory::MemoryStore;
    use flag_store::scripted::{ScriptedLog, ScriptedRows, Step};
    use flag_store::{Cells, Row, RowStore, SystemClock};
    use prometheus_client::registry::Registry;
    use tokio::time::sleep;

    use super::*;
    use crate::http::AppState;

    async fn status(state: &AppState) -> (u16, &'static str) {
        let (code, health) = state.readiness.describe().await;
        (code.as_u16(), health.status)
    }

    #[tokio::test]
    async fn a_service_whose_store_answers_is_ready() {
        assert_eq!(status(&AppState::for_tests()).await, (200, "ready"));
    }

    #[tokio::test]
    async fn a_store_without_flags_is_a_warning() {
        let state = AppState::for_tests();
        let (_, health) = state.readiness.describe().await;
        let details = health.details.unwrap();
        assert_eq!(details.warning, Some("the store holds no flags"));
    }

    #[tokio::test(start_paused = true)]
    async fn many_probes_cost_one_check_for_flags() {
        let rows = Arc::new(MemoryStore::default());
        let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
        let Readiness {
            log,
            circuit,
            flags,
            ..
        } = AppState::for_tests().readiness;
        let readiness = Readiness::new(store, log, circuit, flags);
        let warning = async || readiness.describe().await.1.details.unwrap().warning;
        assert!(warning().await.is_some());
        let row = Row {
            key: b"row".to_vec(),
            cells: Cells::default().with("Name", "f"),
        };
        rows.put([row]);
        assert!(warning().await.is_some(), "the check is still valid");
        sleep(CHECK_VALID_FOR).await;
        assert_eq!(warning().await, None);
    }

    /// The exposure log fails before the flags answer.
    #[tokio::test(start_paused = true)]
    async fn a_log_that_fails_is_reported_and_does_not_open_the_circuit_of_reads() {
        let (rows, log) = (ScriptedRows::default(), ScriptedLog::default());
        rows.script(|_| async {
            sleep(Duration::from_millis(1)).await;
            Step::Pass
        });
        log.script(|_| async {
            Step::Fail(StoreError::Unavailable {
                source: "down".into(),
            })
        });
        let rows: Arc<dyn RowStore> = Arc::new(rows);
        let log: Arc<dyn ExposureLog> = Arc::new(log);
        let settings = GuardSettings {
            concurrent_reads: 4,
            read_timeout: Duration::from_millis(300),
        };
        let guard = StoreGuard::new(
            Arc::new(DeferredStore::from(rows)),
            settings,
            &mut Registry::default(),
        );
        let log = Arc::new(guard.for_log(Arc::new(DeferredStore::from(log))));
        let circuit = guard.read_circuit();
        let store = FlagStore::new(Arc::new(guard), Arc::new(SystemClock));
        let flags = AppState::for_tests().readiness.flags;
        let readiness = Readiness::new(store, log, circuit, flags);
        for _ in 0..20 {
            let details = readiness.describe().await.1.details.unwrap();
            let found = (details.store, details.circuit);
            assert_eq!(found, (Store::Unavailable, "closed"));
            sleep(CHECK_VALID_FOR).await;
        }
    }

    #[tokio::test]
    async fn a_service_that_is_about_to_stop_is_not_ready() {
        let state = AppState::for_tests();
        state.readiness.begin_draining();
        assert_eq!(status(&state).await, (503, "draining"));
    }
}
