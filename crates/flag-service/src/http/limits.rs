//! Limits of requests: sizes, connections, memory, waiting requests.
mod connections;
mod error;
mod held_bytes;
mod metrics;
mod size;
mod streams;
mod waiting;

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use prometheus_client::registry::Registry;

pub(crate) use self::connections::ConnectionLimits;
pub(crate) use self::error::LimitError;
pub(crate) use self::held_bytes::{HeldBytes, HeldBytesCounter, TooManyBytes};
pub(crate) use self::metrics::ConnectionMetrics;
use self::metrics::RefusalMetrics;
pub(crate) use self::streams::{HEARTBEAT, StreamEnd, StreamLimit, StreamPermit};
use self::waiting::WaitingLimits;
use super::connection_state::is_over_limit;
use super::problem::ApiError;
use super::route::Route;

/// Settings of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitSettings {
    /// The most connections.
    pub(crate) connections: usize,
    /// How long a connection without a request stays open.
    pub(crate) keep_alive: Duration,
    /// The most waiting requests of one route.
    pub(crate) waiting: usize,
    /// The most event streams.
    pub(crate) streams: usize,
}

/// The limits of requests.
#[derive(Debug)]
pub(crate) struct Limits {
    waiting: WaitingLimits,
    refused: RefusalMetrics,
    connections: ConnectionLimits,
    streams: StreamLimit,
}

impl Limits {
    /// Starts with these settings.
    pub(crate) fn new(settings: LimitSettings, registry: &mut Registry) -> Self {
        Self {
            waiting: WaitingLimits::new(settings.waiting, registry),
            refused: RefusalMetrics::register(registry),
            connections: ConnectionLimits::new(&settings, registry),
            streams: StreamLimit::new(settings.streams, registry),
        }
    }

    /// Returns the limits of connections.
    pub(crate) fn connections(&self) -> &ConnectionLimits {
        &self.connections
    }

    /// Returns the limit of event streams.
    pub(crate) fn streams(&self) -> &StreamLimit {
        &self.streams
    }

    /// Refuses a request on a connection beyond the limit, unless it is a probe.
    pub(crate) fn check_connection(
        &self,
        request: &HttpRequest,
        route: Route,
    ) -> Result<(), LimitError> {
        if self.connections.any_over_limit() && !route.is_probe() && is_over_limit(request) {
            return Err(LimitError::Overloaded);
        }
        Ok(())
    }

    /// Returns a counter of the bytes that one caller makes the service hold, at zero.
    pub(crate) fn new_held_bytes_counter(&self) -> HeldBytesCounter {
        self.connections.held_bytes.new_counter()
    }

    /// Refuses a request that is too large according to its head; `max_body` is the limit of a body in bytes.
    ///
    /// A body of unknown length is counted when it is read.
    pub(crate) fn check_size(request: &HttpRequest, max_body: usize) -> Result<(), LimitError> {
        size::check(request, max_body)
    }

    /// Runs a handler; refuses the request if the handler has to wait and too many requests of the route wait already. An answer
    /// that is ready at once is not limited.
    pub(crate) async fn run_limited(
        &self,
        route: Route,
        answer: impl Future<Output = Result<HttpResponse, ApiError>>,
    ) -> Result<HttpResponse, ApiError> {
        self.waiting.wait(route, answer).await
    }

    /// Counts a request, if it was refused for its size, key or rate, or for lack of capacity.
    pub(crate) fn count_refusal(&self, error: &ApiError) {
        if let ApiError::Access(_) | ApiError::Limit(_) = error {
            self.refused.count(error.code());
        }
    }
}

#[cfg(test)]
mod tests {
    use flag_keys::Scope;
    use prometheus_client::encoding::text::encode;

    use super::error::Size;
    use super::*;
    use crate::access::{AccessError, Forbidden, Unauthorized};
    use crate::config::Config;

    #[test]
    fn every_refused_request_is_counted_and_no_other_one() {
        let size = Size { found: 2, max: 1 };
        let after = Duration::from_secs(1);
        let errors: [ApiError; 8] = [
            AccessError::Unauthorized(Unauthorized::Missing).into(),
            AccessError::Forbidden(Forbidden::Scope(Scope::Read)).into(),
            AccessError::TooManyRequests { after }.into(),
            LimitError::PayloadTooLarge {
                found: None,
                max: 1,
            }
            .into(),
            LimitError::UriTooLong(size).into(),
            LimitError::HeadersTooLarge(size).into(),
            LimitError::Overloaded.into(),
            ApiError::Internal,
        ];
        let mut registry = Registry::default();
        let limits = Limits::new(Config::of_defaults().limits, &mut registry);
        for error in &errors {
            limits.count_refusal(error);
        }
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for error in &errors {
            let code = error.code();
            let line = format!("refused_requests_total{{reason=\"{code}\"}} 1\n");
            let is_refusal = !matches!(error, ApiError::Internal);
            assert_eq!(text.contains(&line), is_refusal, "{code}: {text}");
        }
    }
}
