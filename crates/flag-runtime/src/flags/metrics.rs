//! Metrics of the flag cache.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the buckets of the propagation histogram, in seconds.
const SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 5.0, 30.0, 300.0];

/// Metrics of look-ups, reads and changes.
#[derive(Debug)]
pub(super) struct CacheMetrics {
    /// Requests answered from memory, within the flag's lifetime.
    pub(super) hits: Counter,
    /// Requests that waited for a read.
    pub(super) misses: Counter,
    /// Requests answered from memory after the flag's lifetime.
    pub(super) stale: Counter,
    /// Requests for flags in the negative cache: not found, unreadable, or not read because the store failed.
    pub(super) negative_hits: Counter,
    /// Requests for flags that are not in the index of existing flags.
    pub(super) not_listed: Counter,
    /// Projects that went back to an older state.
    pub(super) restores: Counter,
    /// Reads by result, in the order of [`ReadResult`].
    reads: [Counter; 4],
    propagation: Histogram,
}

/// The result of a read of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadResult {
    Read,
    NotFound,
    Unreadable,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookupLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadLabels {
    outcome: &'static str,
}

impl CacheMetrics {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let lookups = Family::<LookupLabels, Counter>::default();
        let reads = Family::<ReadLabels, Counter>::default();
        let propagation = Histogram::new(SECONDS);
        let restores = Counter::default();
        registry.register(
            "cache_lookups",
            "Look-ups of a flag by result; a miss may also count as stale or absent",
            lookups.clone(),
        );
        registry.register(
            "cache_refreshes",
            "Reads of a flag, first reads included, by result",
            reads.clone(),
        );
        registry.register(
            "propagation_seconds",
            "Time from appending a revision to serving it in place of an older one",
            propagation.clone(),
        );
        registry.register(
            "store_restores",
            "Projects whose head row went back to an older state: the store was restored or replaced",
            restores.clone(),
        );
        let looked = |result| lookups.get_or_create_owned(&LookupLabels { result });
        let ended = |outcome| reads.get_or_create_owned(&ReadLabels { outcome });
        Self {
            hits: looked("hit"),
            misses: looked("miss"),
            stale: looked("stale"),
            negative_hits: looked("unknown"),
            not_listed: looked("absent"),
            restores,
            reads: ["read", "unknown", "unreadable", "failed"].map(ended),
            propagation,
        }
    }

    /// Counts a read.
    pub(super) fn count_read(&self, result: ReadResult) {
        let [read, not_found, unreadable, failed] = &self.reads;
        let counter = match result {
            ReadResult::Read => read,
            ReadResult::NotFound => not_found,
            ReadResult::Unreadable => unreadable,
            ReadResult::Failed => failed,
        };
        counter.inc();
    }

    /// Counts a change that reached the cache, this long after its append.
    pub(super) fn propagated(&self, after: Duration) {
        self.propagation.observe(after.as_secs_f64());
    }
}
