//! How well the caches do, and how fresh what they hold is.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::FlagKey;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::flags::FlagCache;

/// Upper bounds of the classes of propagation, in seconds.
const SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 5.0, 30.0, 300.0];

/// How many unreadable flags are named at most.
const NAMED: usize = 100;

/// What the flag cache counts.
#[derive(Debug)]
pub(super) struct CacheMetrics {
    /// Requests answered from memory, within the flag's lifetime.
    pub(super) hits: Counter,
    /// Requests that waited for a read.
    pub(super) misses: Counter,
    /// Requests answered from memory after the flag's lifetime.
    pub(super) stale: Counter,
    /// Requests for flags that are remembered to be unknown or unreadable.
    pub(super) unknown_hits: Counter,
    /// Requests for flags that a page of keys shows to be unknown.
    pub(super) absent: Counter,
    /// Projects that were seen to go back to an older state.
    pub(super) restores: Counter,
    refreshes: [Counter; 4],
    propagation: Histogram,
}

/// What a read of a flag gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    Read,
    Unknown,
    Unreadable,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Looked {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

impl CacheMetrics {
    /// Begins to count.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let lookups = Family::<Looked, Counter>::default();
        let refreshes = Family::<Ended, Counter>::default();
        let propagation = Histogram::new(SECONDS);
        let restores = Counter::default();
        registry.register(
            "cache_lookups",
            "Requests for a flag, by where its answer came from",
            lookups.clone(),
        );
        registry.register(
            "cache_refreshes",
            "Reads of a flag, by what they gave",
            refreshes.clone(),
        );
        registry.register(
            "propagation_seconds",
            "From the append of a revision to its being served, where an older one was served before",
            propagation.clone(),
        );
        registry.register(
            "store_restores",
            "Projects whose head row went back: their store was restored to an older state, or replaced",
            restores.clone(),
        );
        let looked = |result| lookups.get_or_create_owned(&Looked { result });
        let ended = |outcome| refreshes.get_or_create_owned(&Ended { outcome });
        Self {
            hits: looked("hit"),
            misses: looked("miss"),
            stale: looked("stale"),
            unknown_hits: looked("unknown"),
            absent: looked("absent"),
            restores,
            refreshes: ["read", "unknown", "unreadable", "failed"].map(ended),
            propagation,
        }
    }

    /// Counts a read.
    pub(super) fn refreshed(&self, refresh: Refresh) {
        let [read, unknown, unreadable, failed] = &self.refreshes;
        let counter = match refresh {
            Refresh::Read => read,
            Refresh::Unknown => unknown,
            Refresh::Unreadable => unreadable,
            Refresh::Failed => failed,
        };
        counter.inc();
    }

    /// Counts a change that is served from now on.
    pub(super) fn propagated(&self, after: Duration) {
        self.propagation.observe(after.as_secs_f64());
    }
}

/// What is held is counted when somebody asks, so that it is never out of date.
impl Collector for FlagCache {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let held = self.held();
        let gauges = [
            (
                "cache_entries",
                "Flags held in memory",
                count(self.shared.entries.len()),
            ),
            (
                "cache_unknown_entries",
                "Flags remembered to be unknown, unreadable or out of reach",
                count(self.shared.unknown.len()),
            ),
            (
                "stale_flags",
                "Flags whose lifetime ended while the store could not be reached",
                count(held.stale),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let oldest = ConstGauge::new(held.oldest_stale.as_secs_f64());
        oldest.encode(encoder.encode_descriptor(
            "oldest_stale_seconds",
            "How long ago the oldest stale flag was last known to be in force",
            None,
            oldest.metric_type(),
        )?)?;
        let unreadable = named(&self.shared.unreadable());
        encode_flags(
            &mut encoder,
            "unreadable",
            "1 for a flag whose newest revision cannot be read, for at most 100 of them",
            unreadable,
        )?;
        let passed_over = named(&self.shared.passed_over());
        encode_flags(
            &mut encoder,
            "passed_over",
            "1 for a flag with a row whose time is none or too far ahead, for at most 100 of them",
            passed_over,
        )
    }
}

/// The flags that are named.
fn named<T>(flags: &BTreeMap<FlagKey, T>) -> Vec<String> {
    flags.keys().take(NAMED).map(ToString::to_string).collect()
}

fn encode_flags(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    flags: Vec<String>,
) -> Result<(), std::fmt::Error> {
    let one = ConstGauge::new(1_u64);
    let mut metric = encoder.encode_descriptor(name, help, None, one.metric_type())?;
    for flag in flags {
        one.encode(metric.encode_family(&[("flag", flag)])?)?;
    }
    Ok(())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
