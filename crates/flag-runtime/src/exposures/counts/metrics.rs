//! Metrics of counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::super::metrics::by_outcome;

/// Metrics of counts.
#[derive(Clone, Debug)]
pub(crate) struct CountsMetrics {
    /// Writes that succeeded.
    pub(super) written: Counter,
    /// Writes that failed.
    pub(super) failed: Counter,
    /// Exposures whose counts were given up.
    pub(super) lost: Counter,
}

impl CountsMetrics {
    /// Registers the metrics.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let help = "Attempts to write counts of exposures, by outcome";
        let of = by_outcome(registry, "exposure_counts_writes", help);
        let lost = Counter::default();
        let help = "Exposures that are in no counts, as the store took none for too long; they are logged all the same";
        registry.register("exposure_counts_lost", help, lost.clone());
        Self {
            written: of("written"),
            failed: of("failed"),
            lost,
        }
    }
}
