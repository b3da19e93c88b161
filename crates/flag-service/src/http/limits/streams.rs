//! Limits the open event streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::error::LimitError;

/// How often an event stream sends a heartbeat, give or take a quarter.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(20);

/// The limit of event streams.
#[derive(Debug)]
pub(crate) struct StreamLimit {
    max: AtomicUsize,
    counts: Arc<StreamCounts>,
    refused: Counter,
}

#[derive(Debug)]
struct StreamCounts {
    open: AtomicUsize,
    gauge: Gauge,
    closed: [Counter; 5],
}

/// Permission for an open stream, until it is dropped.
#[derive(Debug)]
pub(crate) struct StreamPermit(Arc<StreamCounts>);

/// Why a stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// The caller closed it.
    Caller,
    /// The caller did not read.
    Slow,
    /// It was open for long enough.
    Age,
    /// The key of the caller is not valid any more.
    Key,
    /// The process is about to stop.
    Stop,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    reason: &'static str,
}

impl StreamLimit {
    /// Permits at most this many streams.
    pub(super) fn new(max: usize, registry: &mut Registry) -> Self {
        let gauge = Gauge::default();
        let (closed, refused) = (Family::<Labels, Counter>::default(), Counter::default());
        registry.register("event_streams", "Open event streams", gauge.clone());
        registry.register(
            "event_streams_closed",
            "Event streams closed by the `caller`, because it was `slow` to read, for their `age`, for a `key` that is not valid any more, or because of a `stop`",
            closed.clone(),
        );
        registry.register(
            "event_streams_refused",
            "Event streams refused because too many were open",
            refused.clone(),
        );
        let reasons = ["caller", "slow", "age", "key", "stop"];
        let counter = |reason| closed.get_or_create_owned(&Labels { reason });
        Self {
            max: AtomicUsize::new(max),
            counts: Arc::new(StreamCounts {
                open: AtomicUsize::new(0),
                gauge,
                closed: reasons.map(counter),
            }),
            refused,
        }
    }

    /// Returns the most streams.
    pub(crate) fn max(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }

    /// Lowers the limit to what the system allows.
    pub(crate) fn lower(&self, max: usize) {
        self.max.fetch_min(max, Ordering::Relaxed);
    }

    /// Whether no more streams are permitted now.
    pub(crate) fn is_full(&self) -> bool {
        self.counts.open.load(Ordering::Relaxed) >= self.max()
    }

    /// Permits one more stream, unless there are too many.
    pub(crate) fn acquire(&self) -> Result<StreamPermit, LimitError> {
        let counts = &self.counts;
        if counts.open.fetch_add(1, Ordering::Relaxed) >= self.max() {
            counts.open.fetch_sub(1, Ordering::Relaxed);
            self.refused.inc();
            return Err(LimitError::TooManyStreams);
        }
        counts.gauge.inc();
        Ok(StreamPermit(Arc::clone(counts)))
    }
}

impl StreamPermit {
    /// Counts why the stream was closed.
    pub(crate) fn count_end(&self, end: StreamEnd) {
        let [caller, slow, age, key, stop] = &self.0.closed;
        let counter = match end {
            StreamEnd::Caller => caller,
            StreamEnd::Slow => slow,
            StreamEnd::Age => age,
            StreamEnd::Key => key,
            StreamEnd::Stop => stop,
        };
        counter.inc();
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.gauge.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_beyond_the_limit_are_refused_until_one_is_closed() {
        let limit = StreamLimit::new(3, &mut Registry::default());
        limit.lower(2);
        limit.lower(5);
        let first = limit.acquire().unwrap();
        let _second = limit.acquire().unwrap();
        assert_eq!(limit.acquire().unwrap_err(), LimitError::TooManyStreams);
        drop(first);
        assert!(limit.acquire().is_ok());
        assert_eq!(limit.counts.gauge.get(), 1);
    }
}
