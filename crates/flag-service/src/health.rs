//! `/livez` and `/readyz`, as Kubernetes asks for them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use flag_store::{FlagStore, StoreError};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::routes::Route;
use crate::visit::Visit;

/// How long a look at the store counts, so that many probes cost one read.
const LOOK_COUNTS: Duration = Duration::from_secs(1);

/// Whether the store can be read.
#[derive(Debug)]
pub(crate) struct Readiness {
    store: FlagStore,
    deadline: Duration,
    last: Mutex<Option<(Instant, Store)>>,
    draining: AtomicBool,
}

/// The body of an answer.
#[derive(Clone, Copy, Debug, Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<Store>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Store {
    Ok,
    Timeout,
    Unavailable,
}

impl Readiness {
    /// Looks at this store, and gives it `deadline` to answer.
    pub(crate) fn new(store: FlagStore, deadline: Duration) -> Self {
        Self {
            store,
            deadline,
            last: Mutex::new(None),
            draining: AtomicBool::new(false),
        }
    }

    /// From now on `/readyz` says that no new request shall come: the service is about to stop.
    pub(crate) fn begin_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    async fn look(&self) -> Store {
        let mut last = self.last.lock().await;
        if let Some((at, store)) = *last
            && at.elapsed() < LOOK_COUNTS
        {
            return store;
        }
        let store = match timeout(self.deadline, self.store.ping()).await {
            Ok(Ok(())) => Store::Ok,
            Ok(Err(StoreError::TimedOut { .. })) | Err(_) => Store::Timeout,
            Ok(Err(_)) => Store::Unavailable,
        };
        *last = Some((Instant::now(), store));
        store
    }
}

/// Answers `GET /livez`: the process answers requests.
pub(crate) async fn livez(visit: Visit) -> HttpResponse {
    let live = Health {
        status: "live",
        store: None,
    };
    let answer = async { Ok(HttpResponse::Ok().json(live)) };
    visit.answer(Route::Livez, answer).await
}

/// Answers `GET /readyz`: flags can be served.
pub(crate) async fn readyz(visit: Visit) -> HttpResponse {
    let readiness = &visit.site.readiness;
    let answer = async {
        Ok(match readiness.is_draining() {
            true => draining(),
            false => describe(readiness.look().await),
        })
    };
    visit.answer(Route::Readyz, answer).await
}

fn draining() -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(Health {
        status: "draining",
        store: None,
    })
}

fn describe(store: Store) -> HttpResponse {
    let (code, status) = match store {
        Store::Ok => (StatusCode::OK, "ready"),
        Store::Timeout | Store::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    HttpResponse::build(code).json(Health {
        status,
        store: Some(store),
    })
}
