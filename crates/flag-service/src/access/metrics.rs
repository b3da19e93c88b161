//! Metrics of API keys.

use flag_keys::KeyFile;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The number of keys, and whether the file can be read.
#[derive(Debug)]
pub(super) struct AccessMetrics {
    keys: Gauge,
    is_current: Gauge,
    invalid: Gauge,
    changed: Counter,
    failed: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reloaded {
    outcome: &'static str,
}

impl AccessMetrics {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let keys = Gauge::default();
        registry.register(
            "api_keys",
            "API keys of the file, expired ones included",
            keys.clone(),
        );
        let is_current = Gauge::default();
        is_current.set(1);
        registry.register(
            "api_keys_file_current",
            "0 if the file of API keys could not be read at the last check, so that the keys read before stay valid; otherwise 1, also if no keys are required",
            is_current.clone(),
        );
        let invalid = Gauge::default();
        registry.register(
            "api_keys_not_understood",
            "Entries and fields of the file of API keys that are not understood; the others are valid",
            invalid.clone(),
        );
        let reloads = Family::<Reloaded, Counter>::default();
        registry.register(
            "api_keys_file_reloads",
            "Checks of the file of API keys that found a change, by outcome",
            reloads.clone(),
        );
        let reloads = |outcome| reloads.get_or_create(&Reloaded { outcome }).clone();
        Self {
            keys,
            is_current,
            invalid,
            changed: reloads("changed"),
            failed: reloads("failed"),
        }
    }

    /// Notes the file in use.
    pub(super) fn loaded(&self, file: &KeyFile) {
        let number = |of: usize| i64::try_from(of).unwrap_or(i64::MAX);
        self.keys.set(number(file.keys.len()));
        self.invalid.set(number(file.invalid_entries().len()));
        self.is_current.set(1);
    }

    /// Counts a reload.
    pub(super) fn changed(&self, file: &KeyFile) {
        self.changed.inc();
        self.loaded(file);
    }

    /// Notes that the file has not changed.
    pub(super) fn unchanged(&self) {
        self.is_current.set(1);
    }

    /// Counts a failed reload.
    pub(super) fn failed(&self) {
        self.failed.inc();
        self.is_current.set(0);
    }
}
