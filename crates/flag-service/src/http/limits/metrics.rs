//! Metrics of limits.

use flag_api::Code;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::http::Refusal;

/// Metrics of refused requests and of connections.
#[derive(Clone, Debug)]
pub(crate) struct LimitMetrics {
    /// In the order of [`Refusal::CODES`].
    refused: Vec<(Code, Counter)>,
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Connections that were closed because a request took too long to arrive.
    pub(crate) slow_to_send: Counter,
    /// Connections that were closed because an answer took too long to be read.
    pub(crate) slow_to_read: Counter,
    /// Connections that were closed because callers together made the service hold too much.
    pub(crate) no_room: Counter,
    /// Connections without a request that were closed for new ones.
    pub(crate) made_room: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

impl LimitMetrics {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let refused = Family::<Refused, Counter>::default();
        registry.register(
            "refused_requests",
            "Requests refused before they were looked at, by reason",
            refused.clone(),
        );
        let connections = Gauge::default();
        registry.register(
            "connections",
            "Connections that are open",
            connections.clone(),
        );
        let slow = Family::<Refused, Counter>::default();
        registry.register(
            "slow_connections_closed",
            "Connections closed because the caller was slow, by what it was slow to do; `memory` if it was not yet, but too much was held for slow callers",
            slow.clone(),
        );
        let slow = |reason| slow.get_or_create(&Refused { reason }).clone();
        let made_room = Counter::default();
        registry.register(
            "idle_connections_closed",
            "Connections without a request closed to make room for new ones",
            made_room.clone(),
        );
        let refused = Refusal::CODES.map(|code| {
            let reason = code.as_str();
            (code, refused.get_or_create(&Refused { reason }).clone())
        });
        Self {
            refused: refused.into(),
            connections,
            slow_to_send: slow("send"),
            slow_to_read: slow("read"),
            no_room: slow("memory"),
            made_room,
        }
    }

    /// Counts a refused request.
    pub(super) fn refused(&self, code: Code) {
        let counter = self.refused.iter().find(|(of, _)| *of == code);
        if let Some((_, counter)) = counter {
            counter.inc();
        }
    }
}
