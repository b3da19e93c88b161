//! Metrics of events.

use flag_model::{FlagKey, Timestamp};
use flag_store::{Clock as _, SystemClock};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the buckets of the delay histogram, in seconds.
const SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 5.0, 30.0, 300.0];

/// Metrics of events.
#[derive(Debug)]
pub(super) struct EventMetrics {
    /// Events that were handed to subscribers.
    pub(super) sent: Counter,
    /// Events sent in place of missed ones.
    pub(super) missed: Counter,
    /// Calls that noted changes in projects with subscribers: one call may note several flags, and a flag may be noted twice.
    pub(super) changes_noted: Counter,
    announced: Counter,
    delay: Histogram,
}

impl EventMetrics {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            sent: Counter::default(),
            missed: Counter::default(),
            changes_noted: Counter::default(),
            announced: Counter::default(),
            delay: Histogram::new(SECONDS),
        };
        let counters = [
            ("events_sent", "Events sent to event streams", &metrics.sent),
            (
                "events_missed",
                "Events sent in place of several ones, to a stream whose reader was too slow for them",
                &metrics.missed,
            ),
            (
                "event_changes",
                "Times that changes were noted in projects with event streams; one flag may count twice, and flags that are seen together count once",
                &metrics.changes_noted,
            ),
            (
                "events_published",
                "Events that announced changes for the first time, each for all streams of a project",
                &metrics.announced,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "event_delay_seconds",
            "Time from appending a revision to the event that announces it",
            metrics.delay.clone(),
        );
        metrics
    }

    /// Counts an event that announces changes, of these flags as far as they are named, for the first time.
    pub(super) fn announced(&self, flags: &[(FlagKey, Timestamp)]) {
        self.announced.inc();
        let now = SystemClock.now();
        for (_, time) in flags {
            self.delay.observe(now.since(*time).as_secs_f64());
        }
    }
}
