//! Metrics of exposures.

use std::fmt;
use std::sync::Arc;

use flag_store::{Clock as _, SystemClock};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Registry, Unit};

use super::batch::Attempt;
use super::queue::{DropReason, Queue, QueueTotals};

/// Upper bounds of the buckets of the lag histogram, in seconds.
const LAG_SECONDS: [f64; 11] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0,
];

/// The counts of the queue, read at one moment for each scrape, so that they add up.
#[derive(Debug)]
struct QueueMetrics(Arc<Queue>);

/// Metrics of batches, and the lag of the first exposure of each.
#[derive(Clone, Debug)]
pub(crate) struct WriteMetrics {
    written: Counter,
    partly: Counter,
    failed: Counter,
    lag: Histogram,
}

/// Metrics of deduplication, of waits for room in the queue, and of entries from clients.
#[derive(Debug)]
pub(crate) struct RecorderMetrics {
    /// Answers that were not logged again.
    pub(crate) deduplicated: Counter,
    /// Answers that were forgotten within the window.
    pub(crate) forgotten: Counter,
    /// Answers that waited for room in the queue, and found it.
    pub(crate) accepted_after_wait: Counter,
    /// Answers that were refused, as there was no room in time.
    pub(crate) wait_timed_out: Counter,
    /// Entries of `/log-feature-flag` that were stored.
    pub(crate) entries_stored: Counter,
    /// Invalid entries, whose label is `refused`.
    pub(crate) entries_invalid: Counter,
    /// Entries that the store failed to take.
    pub(crate) entries_failed: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DroppedLabels {
    reason: &'static str,
}

/// Registers the counts of the queue.
pub(super) fn register_queue(registry: &mut Registry, queue: Arc<Queue>) {
    registry.register_collector(Box::new(QueueMetrics(queue)));
}

/// Registers counters by outcome; returns what creates them.
pub(super) fn by_outcome(
    registry: &mut Registry,
    name: &str,
    help: &str,
) -> impl Fn(&'static str) -> Counter + use<> {
    let counters = Family::<OutcomeLabels, Counter>::default();
    registry.register(name, help, counters.clone());
    move |outcome| counters.get_or_create_owned(&OutcomeLabels { outcome })
}

impl Collector for QueueMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.0.totals();
        let QueueTotals {
            produced,
            written,
            dropped,
            pending,
        } = counts;
        let help = "Exposures of served decisions: the sum of written, dropped and pending";
        count(&mut encoder, "exposures_produced", help, produced)?;
        let help = "Exposures that are stored";
        count(&mut encoder, "exposures_written", help, written)?;
        let help = "Exposures that are lost, by reason";
        let mut family =
            encoder.encode_descriptor("exposures_dropped", help, None, MetricType::Counter)?;
        for reason in DropReason::ALL {
            let labels = DroppedLabels {
                reason: reason.as_str(),
            };
            ConstCounter::new(dropped.of(reason)).encode(family.encode_family(&labels)?)?;
        }
        let help = "Exposures that wait or are being written";
        gauge(&mut encoder, "exposures_pending", help, pending)?;
        let help = "The most pending exposures; further ones are dropped, or their requests wait";
        let capacity = self.0.capacity();
        gauge(&mut encoder, "exposures_queue_capacity", help, capacity)?;
        let help = "Requests that wait for room in the queue; their exposures are not counted as produced yet";
        gauge(
            &mut encoder,
            "exposures_requests_waiting",
            help,
            self.0.waiting(),
        )
    }
}

fn count(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let counter = ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: usize) -> fmt::Result {
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.encode(encoder.encode_descriptor(name, help, None, ConstGauge::<i64>::TYPE)?)
}

impl WriteMetrics {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let help = "Attempts to write a batch of exposures, by outcome";
        let of = by_outcome(registry, "exposure_batches", help);
        let lag = Histogram::new(LAG_SECONDS);
        let help = "Time from serving a decision to writing its exposure, of the first one written of each batch";
        registry.register_with_unit("exposure_lag", help, Unit::Seconds, lag.clone());
        Self {
            written: of("written"),
            partly: of("partly"),
            failed: of("failed"),
            lag,
        }
    }

    /// Counts an attempt and the exposures that it wrote.
    pub(super) fn count(&self, attempt: &Attempt) {
        let is_complete = attempt.failed.is_none() && attempt.refused_by_store.is_none();
        let outcome = match (is_complete, attempt.written == 0) {
            (true, _) => &self.written,
            (false, false) => &self.partly,
            (false, true) => &self.failed,
        };
        outcome.inc();
        if let Some(first) = attempt.served_at_of_first_written {
            let lag = SystemClock.now().since(first);
            self.lag.observe(lag.as_secs_f64());
        }
    }
}

impl RecorderMetrics {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let deduplicated = Counter::default();
        let help = "Answers that were not logged because an equal one was logged shortly before; not counted as produced";
        registry.register("exposures_deduplicated", help, deduplicated.clone());
        let forgotten = Counter::default();
        let help = "Answers that deduplication forgot before its window ended, to stay within its limit of entries; they are logged again if repeated";
        registry.register("exposures_dedup_forgotten", help, forgotten.clone());
        let help = "Answers that waited for room in the queue of exposures, by outcome: `accepted` or `refused`, which is not counted as produced";
        let wait = by_outcome(registry, "exposure_waits", help);
        let help = "Entries of /log-feature-flag, by outcome: `stored`, `refused` (invalid) or `failed`; not counted as produced";
        let of = by_outcome(registry, "exposure_entries", help);
        Self {
            deduplicated,
            forgotten,
            accepted_after_wait: wait("accepted"),
            wait_timed_out: wait("refused"),
            entries_stored: of("stored"),
            entries_invalid: of("refused"),
            entries_failed: of("failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flag_store::StoreError;
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::exposures::overflow::Overflow;
    use crate::exposures::queue::{BatchResult, TakeChunk};
    use crate::exposures::tests::{batch_of, decided, served};

    /// The values of metrics whose names begin so, without their help.
    fn values(registry: &Registry, prefix: &str) -> Vec<String> {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        let values = text.lines().filter(|line| line.starts_with(prefix));
        values.map(str::to_owned).collect()
    }

    #[test]
    fn the_counts_of_a_queue_add_up_in_a_scrape() {
        let mut registry = Registry::default();
        let queue = Arc::new(Queue::new(20, Overflow::Drop));
        register_queue(&mut registry, Arc::clone(&queue));
        let decided = decided();
        for _ in 0..23 {
            queue.push(served(&decided, "A"));
        }
        assert_eq!(queue.take(TakeChunk::AlsoOpen).unwrap().len(), 20);
        queue.finish(BatchResult {
            written: 10,
            invalid: 2,
            refused_by_store: 1,
        });
        let expected = [
            "exposures_produced_total 23",
            "exposures_written_total 10",
            "exposures_dropped_total{reason=\"queue_full\"} 3",
            "exposures_dropped_total{reason=\"invalid\"} 2",
            "exposures_dropped_total{reason=\"refused\"} 1",
            "exposures_pending 7",
            "exposures_queue_capacity 20",
            "exposures_requests_waiting 0",
        ];
        assert_eq!(values(&registry, "exposures_"), expected);
    }

    #[test]
    fn an_attempt_is_counted_by_its_outcome() {
        let error = || StoreError::Unavailable {
            source: "for the test".into(),
        };
        let failed = || Some((batch_of(1), error()));
        let refused = || Some((1, error()));
        let check = |attempt: Attempt, outcome: &str| {
            let mut registry = Registry::default();
            let metrics = WriteMetrics::register(&mut registry);
            metrics.count(&attempt);
            let counted = values(&registry, "exposure_batches_total");
            let counted: Vec<_> = counted.iter().filter(|line| line.ends_with(" 1")).collect();
            assert_eq!(
                counted,
                [&format!(
                    "exposure_batches_total{{outcome=\"{outcome}\"}} 1"
                )]
            );
        };
        let attempt = |written, failed, refused| Attempt {
            written,
            refused_by_store: refused,
            failed,
            ..Attempt::default()
        };
        check(attempt(1, None, None), "written");
        check(attempt(0, None, None), "written");
        check(attempt(1, failed(), None), "partly");
        check(attempt(1, None, refused()), "partly");
        check(attempt(0, failed(), None), "failed");
        check(attempt(0, None, refused()), "failed");
    }

    #[test]
    fn the_lag_is_that_of_what_is_written() {
        let mut registry = Registry::default();
        let metrics = WriteMetrics::register(&mut registry);
        let ago = SystemClock.now().saturating_sub(Duration::from_hours(1));
        for first in [None, Some(ago), Some(ago)] {
            metrics.count(&Attempt {
                served_at_of_first_written: first,
                ..Attempt::default()
            });
        }
        let lags = values(&registry, "exposure_lag_seconds_bucket");
        assert_eq!(
            lags.first().unwrap(),
            "exposure_lag_seconds_bucket{le=\"0.01\"} 0"
        );
        assert_eq!(
            lags.last().unwrap(),
            "exposure_lag_seconds_bucket{le=\"+Inf\"} 2"
        );
    }
}
