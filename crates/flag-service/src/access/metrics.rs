//! What is counted of keys.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How many keys count, and whether the file of them can be read.
#[derive(Debug)]
pub(super) struct AccessMetrics {
    keys: Gauge,
    is_current: Gauge,
    changed: Counter,
    failed: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reloaded {
    outcome: &'static str,
}

impl AccessMetrics {
    /// Begins to count.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let keys = Gauge::default();
        registry.register("api_keys", "API keys that count", keys.clone());
        let is_current = Gauge::default();
        registry.register(
            "api_keys_file_current",
            "1 if the last look at the file of API keys could read it, 0 if older keys count instead or none are asked for",
            is_current.clone(),
        );
        let reloads = Family::<Reloaded, Counter>::default();
        registry.register(
            "api_keys_file_reloads",
            "Looks at the file of API keys that found a change, by whether it could be taken",
            reloads.clone(),
        );
        let reloads = |outcome| reloads.get_or_create(&Reloaded { outcome }).clone();
        Self {
            keys,
            is_current,
            changed: reloads("changed"),
            failed: reloads("failed"),
        }
    }

    /// Notes the keys that count now.
    pub(super) fn loaded(&self, keys: usize) {
        self.keys.set(i64::try_from(keys).unwrap_or(i64::MAX));
        self.is_current.set(1);
    }

    /// Counts a change that was taken.
    pub(super) fn changed(&self, keys: usize) {
        self.changed.inc();
        self.loaded(keys);
    }

    /// Notes that the file is the one that counts.
    pub(super) fn unchanged(&self) {
        self.is_current.set(1);
    }

    /// Counts a change that could not be taken.
    pub(super) fn failed(&self) {
        self.failed.inc();
        self.is_current.set(0);
    }
}
