//! Metrics of limits.

use flag_api::Code;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The codes of refused requests.
const REFUSED: [Code; 7] = [
    Code::Unauthorized,
    Code::Forbidden,
    Code::PayloadTooLarge,
    Code::UriTooLong,
    Code::HeadersTooLarge,
    Code::TooManyRequests,
    Code::Overloaded,
];

/// Counts refused requests, in the order of [`REFUSED`].
#[derive(Debug)]
pub(super) struct RefusalMetrics(Vec<(Code, Counter)>);

/// Metrics of connections.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionMetrics {
    /// Open connections.
    pub(crate) open: Gauge,
    /// Connections that were closed because a request took too long to arrive.
    pub(crate) slow_to_send: Counter,
    /// Connections that were closed because an answer took too long to be read.
    pub(crate) slow_to_read: Counter,
    /// Connections that were closed because callers together made the service hold too many bytes.
    pub(crate) held_too_much: Counter,
    /// Connections without a request that were closed for new ones.
    pub(crate) idle_closed: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    reason: &'static str,
}

impl RefusalMetrics {
    /// Registers the metric.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let refused = Family::<Labels, Counter>::default();
        registry.register(
            "refused_requests",
            "Requests refused for their size, key or rate, or for lack of capacity, by code",
            refused.clone(),
        );
        let refused = REFUSED.map(|code| {
            let reason = code.as_str();
            (code, refused.get_or_create(&Labels { reason }).clone())
        });
        Self(refused.into())
    }

    /// Counts a refused request.
    pub(super) fn count(&self, code: Code) {
        let counter = self.0.iter().find(|(of, _)| *of == code);
        if let Some((_, counter)) = counter {
            counter.inc();
        }
    }
}

impl ConnectionMetrics {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let open = Gauge::default();
        registry.register("connections", "Open connections", open.clone());
        let slow = Family::<Labels, Counter>::default();
        registry.register(
            "slow_connections_closed",
            "Connections closed because the caller was slow to `send` or to `read`, or because callers together held too much `memory`",
            slow.clone(),
        );
        let slow = |reason| slow.get_or_create(&Labels { reason }).clone();
        let idle_closed = Counter::default();
        registry.register(
            "idle_connections_closed",
            "Connections without a request that were closed for new ones",
            idle_closed.clone(),
        );
        Self {
            open,
            slow_to_send: slow("send"),
            slow_to_read: slow("read"),
            held_too_much: slow("memory"),
            idle_closed,
        }
    }
}
