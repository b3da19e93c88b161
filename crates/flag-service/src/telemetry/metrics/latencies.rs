//! A histogram of durations without a lock.
//!
//! The histogram of prometheus-client takes a lock for each observation; this one, for the request path, only adds to two
//! numbers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Upper bounds of the buckets, in nanoseconds: 50 µs to 1 s.
const BOUNDS: [u64; 12] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    300_000_000,
    1_000_000_000,
];

/// A histogram of durations; clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Counts per bucket, in the order of [`BOUNDS`].
    classes: [AtomicU64; BOUNDS.len()],
    /// Durations beyond the last bound.
    longer: AtomicU64,
    /// The sum of all durations.
    nanos: AtomicU64,
}

impl Latencies {
    /// Counts a duration.
    pub(crate) fn observe(&self, lasted: Duration) {
        let nanos = u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX);
        let class = BOUNDS.iter().position(|bound| nanos <= *bound);
        let class = class.and_then(|class| self.0.classes.get(class));
        class
            .unwrap_or(&self.0.longer)
            .fetch_add(1, Ordering::Relaxed);
        self.0.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl TypedMetric for Latencies {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Latencies {
    /// The count is the sum of the buckets, so that each scrape is consistent.
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = BOUNDS
            .iter()
            .map(|bound| Duration::from_nanos(*bound).as_secs_f64())
            .chain([f64::INFINITY]);
        let counts = self.0.classes.iter().chain([&self.0.longer]);
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        let classes: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = classes.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_nanos(self.0.nanos.load(Ordering::Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &classes, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::registry::Registry;

    use super::*;

    fn text(metric: impl prometheus_client::registry::Metric) -> String {
        let mut registry = Registry::default();
        registry.register("lasted_seconds", "How long", metric);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn it_counts_as_the_histogram_of_prometheus_does() {
        let ours = Latencies::default();
        let bounds = BOUNDS.map(|bound| Duration::from_nanos(bound).as_secs_f64());
        let theirs = Histogram::new(bounds);
        for millis in [0, 1, 2, 8, 64, 300, 301, 1_000, 1_024, 4_096] {
            let lasted = Duration::from_millis(millis);
            ours.observe(lasted);
            theirs.observe(lasted.as_secs_f64());
        }
        assert_eq!(text(ours), text(theirs));
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let latencies = Latencies::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| latencies.observe(Duration::from_secs(2))));
            }
        });
        let text = text(latencies);
        assert!(text.contains("lasted_seconds_count 40000\n"), "{text}");
        assert!(text.contains("lasted_seconds_sum 80000.0\n"), "{text}");
    }
}
