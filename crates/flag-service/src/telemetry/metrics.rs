//! The metrics of the service.
//!
//! Each part of the service has its own struct of metrics, resolved at start: an answer from the cache looks up no label. Labels are
//! bounded; instance ids and request ids are never labels.
mod build;
mod decisions;
mod exposition;
mod latencies;
mod process;
mod requests;

use std::fmt;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

pub(crate) use self::build::{COMMIT, VERSION};
pub(crate) use self::decisions::{DecisionCounts, DecisionMetrics};
pub(crate) use self::exposition::Exposition;
pub(crate) use self::requests::{RequestMetrics, RouteLabels};

/// All metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    process: Registry,
    /// Requests.
    pub(crate) requests: RequestMetrics,
    /// Decisions.
    pub(crate) decisions: DecisionMetrics,
}

impl Metrics {
    /// Registers the metrics of requests and decisions; all others are in `registry` already.
    pub(crate) fn new(mut registry: Registry, routes: &[RouteLabels]) -> Self {
        let requests = RequestMetrics::register(&mut registry, routes);
        let decisions = DecisionMetrics::register(&mut registry);
        build::register(&mut registry);
        let mut process = Registry::default();
        process::register(&mut process);
        Self {
            registry,
            process,
            requests,
            decisions,
        }
    }

    /// Returns all metrics as text.
    pub(crate) fn text(&self, exposition: Exposition) -> Result<String, fmt::Error> {
        let mut text = String::new();
        for registry in [&self.registry, &self.process] {
            encode_registry(&mut text, registry)?;
        }
        Ok(exposition.of(&text))
    }
}

/// Returns a registry whose metrics begin with `flag_`.
pub(crate) fn registry() -> Registry {
    Registry::with_prefix("flag")
}
