//! Limits of requests: sizes, connections, memory, waiting requests.
mod held;
mod metrics;
mod size;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use prometheus_client::registry::Registry;

pub(crate) use self::held::{Held, HeldBytes, NoRoom};
pub(crate) use self::metrics::LimitMetrics;
use self::waiting::WaitingRoom;
use super::connection_state::is_extra;
use super::problem::ApiError;
use super::refusal::Refusal;
use super::route::Route;

/// Settings of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitSettings {
    /// The most connections.
    pub(crate) connections: usize,
    /// How long a connection without a request stays open.
    pub(crate) keep_alive: Duration,
    /// The most waiting requests of one route.
    pub(crate) in_flight: usize,
}

/// The limits of requests.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) settings: LimitSettings,
    rooms: WaitingRoom,
    pub(crate) metrics: LimitMetrics,
    pub(crate) held: HeldBytes,
    /// Connections beyond the limit.
    pub(crate) extra: Arc<AtomicUsize>,
}

impl Limits {
    /// Starts with these settings.
    pub(crate) fn new(settings: LimitSettings, registry: &mut Registry) -> Self {
        Self {
            settings,
            rooms: WaitingRoom::new(settings.in_flight, registry),
            metrics: LimitMetrics::register(registry),
            held: HeldBytes::new(registry),
            extra: Arc::default(),
        }
    }

    /// Refuses a request on a connection beyond the limit, unless it is a probe.
    pub(crate) fn check_room(&self, request: &HttpRequest, route: Route) -> Result<(), Refusal> {
        let is_any_extra = self.extra.load(Ordering::Relaxed) > 0;
        if is_any_extra && !route.is_probe() && is_extra(request) {
            return Err(Refusal::Overloaded);
        }
        Ok(())
    }

    /// Returns a count of bytes that a caller makes the service hold.
    pub(crate) fn holder(&self) -> Held {
        self.held.caller()
    }

    /// Refuses a request that is too large according to its head; a body may have `most_body` bytes.
    ///
    /// A body of unknown length is counted when it is read.
    pub(crate) fn check_size(request: &HttpRequest, most_body: usize) -> Result<(), Refusal> {
        size::check(request, most_body)
    }

    /// Waits for an answer if the waiting room has a place; an answer that is ready needs none.
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
    pub(crate) fn for_tests() -> Self {
        let config = crate::config::Config::of_defaults();
        Self::new(config.limits, &mut Registry::default())
    }
}
