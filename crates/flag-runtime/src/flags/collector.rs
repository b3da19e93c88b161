//! Metrics of the flags in memory, computed at each scrape.

use std::collections::BTreeMap;

use flag_model::FlagKey;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;

use super::cache::FlagCache;

/// The most flags that a metric names.
const NAMED: usize = 100;

impl Collector for FlagCache {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let stats = self.stats();
        let gauges = [
            (
                "cache_entries",
                "Flags in memory",
                count(self.shared.entries.len()),
            ),
            (
                "cache_unknown_entries",
                "Flags in the negative cache: unknown, unreadable, or not read because the store failed",
                count(self.shared.negative.len()),
            ),
            (
                "stale_flags",
                "Flags whose lifetime ended while the store could not be reached",
                count(stats.stale),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let oldest = ConstGauge::new(stats.oldest_stale.as_secs_f64());
        oldest.encode(encoder.encode_descriptor(
            "oldest_stale_seconds",
            "How long ago the oldest stale flag was last confirmed to be in force",
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
            "1 for a flag with a row whose time is invalid or too far in the future, for at most 100 of them",
            passed_over,
        )
    }
}

/// Returns the flags that a metric names.
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
