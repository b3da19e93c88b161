//! How much anybody may ask of the service: sizes, slow connections, how many connections, how many waiting requests.
mod answers;
mod chunked;
mod connection;
mod connections;
mod files;
mod framing;
mod held;
mod listen;
mod metrics;
mod size;
mod state;
mod waiting;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use prometheus_client::registry::Registry;

use self::held::HeldBytes;
pub(crate) use self::held::{Held, NoRoom};
pub(crate) use self::listen::listen;
use self::metrics::LimitMetrics;
pub(crate) use self::state::expect_body;
use self::waiting::WaitingRoom;
use crate::problem::{ApiError, Refusal};
use crate::routes::Route;

/// How long the rest of a request that was answered early is read, so that its sender sees the answer.
const LINGER: Duration = Duration::from_secs(1);

/// How much is too much, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitSettings {
    /// Connections at once.
    pub(crate) connections: usize,
    /// How long a connection without a request stays open.
    pub(crate) keep_alive: Duration,
    /// Requests of one path that wait at once.
    pub(crate) in_flight: usize,
}

/// Keeps requests within limits.
#[derive(Debug)]
pub(crate) struct Limits {
    settings: LimitSettings,
    rooms: WaitingRoom,
    metrics: LimitMetrics,
    held: HeldBytes,
    /// Connections beyond the limit.
    extra: Arc<AtomicUsize>,
}

impl Limits {
    /// Begins to keep to these limits.
    pub(crate) fn new(settings: LimitSettings, registry: &mut Registry) -> Self {
        Self {
            settings,
            rooms: WaitingRoom::new(settings.in_flight, registry),
            metrics: LimitMetrics::register(registry),
            held: HeldBytes::new(registry),
            extra: Arc::default(),
        }
    }

    /// Refuses a request on a connection beyond the limit, unless it is one that must always find room.
    pub(crate) fn check_room(&self, request: &HttpRequest, route: Route) -> Result<(), Refusal> {
        let is_any_extra = self.extra.load(Ordering::Relaxed) > 0;
        if is_any_extra && !route.is_probe() && state::is_extra(request) {
            return Err(Refusal::Overloaded);
        }
        Ok(())
    }

    /// Somebody who is about to make the service hold bytes.
    pub(crate) fn holder(&self) -> Held {
        self.held.caller()
    }

    /// Refuses what is too large, by what its head says; a body may have `most_body` bytes.
    ///
    /// Bodies whose length it doesn't tell are counted by whoever reads them.
    pub(crate) fn check_size(request: &HttpRequest, most_body: usize) -> Result<(), Refusal> {
        size::check(request, most_body)
    }

    /// Waits for an answer, if there is room to wait; one that is there already needs none.
    pub(crate) async fn wait_in_line(
        &self,
        route: Route,
        answer: impl Future<Output = Result<HttpResponse, ApiError>>,
    ) -> Result<HttpResponse, ApiError> {
        self.rooms.wait(route, answer).await
    }

    /// Counts a request that was refused.
    pub(crate) fn count(&self, error: &ApiError) {
        if let ApiError::Refused(refusal) = error {
            self.metrics.refused(refusal.code());
        }
    }
}

#[cfg(test)]
impl Limits {
    /// The limits of a service without settings.
    fn for_tests() -> Self {
        let config = crate::config::Config::of_defaults();
        Self::new(config.limits, &mut Registry::default())
    }
}
