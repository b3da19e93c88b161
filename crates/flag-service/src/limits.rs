//! How much anybody may ask of the service: sizes, slow connections, how many connections, how many waiting requests.
mod files;
mod line;
mod listen;
mod metrics;
mod size;
mod waiting;

use actix_web::{HttpRequest, HttpResponse};
use prometheus_client::registry::Registry;

pub(crate) use self::line::begin;
pub(crate) use self::listen::listen;
use self::metrics::LimitMetrics;
use self::waiting::WaitingRoom;
use crate::problem::{ApiError, Refusal};
use crate::routes::Route;

/// How much is too much, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitSettings {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Requests of one path that wait at once.
    pub(crate) in_flight: usize,
}

/// Keeps requests within limits.
#[derive(Debug)]
pub(crate) struct Limits {
    settings: LimitSettings,
    rooms: WaitingRoom,
    metrics: LimitMetrics,
}

impl Limits {
    /// Begins to keep to these limits.
    pub(crate) fn new(settings: LimitSettings, registry: &mut Registry) -> Self {
        Self {
            settings,
            rooms: WaitingRoom::new(settings.in_flight, registry),
            metrics: LimitMetrics::register(registry),
        }
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
