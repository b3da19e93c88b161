//! Metrics of counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

impl CountsMetrics {
    /// Registers the metrics.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let writes = Family::<Ended, Counter>::default();
        let help = "Attempts to write counts of exposures, by outcome";
        registry.register("exposure_counts_writes", help, writes.clone());
        let lost = Counter::default();
        let help = "Exposures that are in no counts, as the store took none for too long; they are logged all the same";
        registry.register("exposure_counts_lost", help, lost.clone());
        let of = |outcome| writes.get_or_create(&Ended { outcome }).clone();
        Self {
            written: of("written"),
            failed: of("failed"),
            lost,
        }
    }
}
