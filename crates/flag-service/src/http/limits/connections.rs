//! Limits of connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::registry::Registry;

use super::LimitSettings;
use super::held_bytes::HeldBytes;
use super::metrics::ConnectionMetrics;

/// Limits of connections, shared by all workers.
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    /// The most connections.
    pub(crate) max: usize,
    /// How long a connection without a request stays open.
    pub(crate) keep_alive: Duration,
    /// Open connections beyond the limit.
    pub(crate) over_limit: Arc<AtomicUsize>,
    /// Memory that callers occupy.
    pub(crate) held_bytes: HeldBytes,
    /// Metrics.
    pub(crate) metrics: ConnectionMetrics,
}

impl ConnectionLimits {
    pub(super) fn new(settings: &LimitSettings, registry: &mut Registry) -> Self {
        Self {
            max: settings.connections,
            keep_alive: settings.keep_alive,
            over_limit: Arc::default(),
            held_bytes: HeldBytes::new(registry),
            metrics: ConnectionMetrics::register(registry),
        }
    }

    /// Whether any connection beyond the limit is open.
    pub(super) fn any_over_limit(&self) -> bool {
        self.over_limit.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
impl ConnectionLimits {
    /// The limits of a service with default settings.
    pub(crate) fn for_tests() -> Self {
        let config = crate::config::Config::of_defaults();
        Self::new(&config.limits, &mut Registry::default())
    }
}
