//! Exposures: served decisions are written in the background; entries from clients are written while the client waits.
//!
//! Recording does no I/O under a lock. The lock of the queue is held for a copy of an exposure, and for an allocation when a chunk or a
//! template begins. Deduplication takes one of 16 locks as well; one exposure of many thousand holds it longer, to scan old entries. When the
//! queue is full, [`Overflow`] says what happens.
mod background;
mod batch;
mod chunk;
mod client_entry_writer;
mod counts;
mod created_bounds;
mod dedup;
mod expiry;
mod format;
mod handled;
mod metrics;
mod overflow;
mod queue;
#[cfg(test)]
mod tests;
mod waiting;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flag_model::InstanceId;
use flag_rollout::Decision;
use flag_store::{Clock as _, Exposure, ExposureLog, SystemClock, WriteExposureError};
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use self::chunk::ServedDecision;
use self::client_entry_writer::ClientEntryWriter;
use self::counts::{CountsMetrics, CountsWriter, MinuteCounter};
use self::dedup::{Dedup, DedupOutcome};
use self::metrics::{RecorderMetrics, WriteMetrics};
use self::queue::{Pushed, Queue};
use self::writer::Writer;
use crate::flags::{ServedPlan, Source};

pub use self::background::exposure_runtime;
pub use self::counts::COUNTS_RETENTION;
pub use self::created_bounds::CreatedBounds;
pub use self::dedup::DedupSettings;
pub use self::expiry::expire_exposures;
pub use self::format::ExposureFormat;
pub use self::handled::{ExposureHandled, QueueFull, WaitForRoom};
pub use self::overflow::Overflow;

/// How exposures are recorded.
#[derive(Clone, Debug)]
pub struct ExposureSettings {
    /// Whether served decisions are logged.
    pub recording: Recording,
    /// The most pending exposures.
    pub queue: usize,
    /// What happens to further ones.
    pub overflow: Overflow,
    /// When equal answers are logged only once.
    pub dedup: DedupSettings,
    /// Valid times of entries from clients.
    pub created_bounds: CreatedBounds,
    /// How long exposures are kept if the table has no expiry rule; zero keeps them for ever.
    pub retention: Duration,
    /// How exposures are written.
    pub format: ExposureFormat,
}

/// Whether served decisions are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// They are logged.
    On,
    /// They are not logged.
    Off,
}

/// Records exposures: queues served decisions for the writer, and writes entries from clients at once.
#[derive(Debug)]
pub struct ExposureRecorder {
    recording: Recording,
    queue: Arc<Queue>,
    dedup: Option<Dedup>,
    client_entry_writer: ClientEntryWriter,
    created_bounds: CreatedBounds,
    metrics: RecorderMetrics,
    writer_factory: WriterFactory,
    /// The log that the last exposures are written into.
    drain_log: Arc<dyn ExposureLog>,
    running: Mutex<Option<[RunningWriter; 2]>>,
}

/// Makes writers, of exposures and of their counts.
#[derive(Debug)]
struct WriterFactory {
    queue: Arc<Queue>,
    counts: Arc<MinuteCounter>,
    format: ExposureFormat,
    metrics: WriteMetrics,
    counts_metrics: CountsMetrics,
}

impl WriterFactory {
    fn of_exposures(&self, log: &Arc<dyn ExposureLog>) -> Writer {
        Writer::new(
            Arc::clone(&self.queue),
            Arc::clone(log),
            self.format.clone(),
            self.metrics.clone(),
            Arc::clone(&self.counts),
        )
    }

    fn of_counts(&self, log: &Arc<dyn ExposureLog>) -> CountsWriter {
        CountsWriter::new(
            Arc::clone(&self.counts),
            Arc::clone(log),
            Arc::new(SystemClock),
            self.counts_metrics.clone(),
        )
    }
}

/// A running writer.
#[derive(Debug)]
struct RunningWriter {
    close: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl RunningWriter {
    fn start<W: Future<Output = ()> + Send + 'static>(
        runtime: &Handle,
        run: impl FnOnce(oneshot::Receiver<()>) -> W,
    ) -> Self {
        let (close, closing) = oneshot::channel();
        let ended = runtime.spawn(run(closing));
        Self { close, ended }
    }

    /// Asks it to stop.
    fn request_stop(self) -> JoinHandle<()> {
        // The writer may have ended already.
        let _ = self.close.send(());
        self.ended
    }
}

/// Waits until a writer or a drain has ended; aborts it at the deadline.
async fn join_or_abort_at(mut writer: JoinHandle<()>, deadline: Instant) {
    let _ = timeout_at(deadline, &mut writer).await;
    writer.abort();
}

impl ExposureRecorder {
    /// Starts the background writer: it writes served decisions into the exposure log of `background`, on the runtime of
    /// `background`. Entries of clients, which wait for the result, are written into `client_entry_log`, on the current runtime;
    /// so is the last flush, as the threads of `background` may have a lower priority.
    pub fn start(
        client_entry_log: Arc<dyn ExposureLog>,
        background: (Arc<dyn ExposureLog>, &Handle),
        settings: &ExposureSettings,
        registry: &mut Registry,
    ) -> Self {
        let queue = Arc::new(Queue::new(settings.queue, settings.overflow));
        metrics::register_queue(registry, Arc::clone(&queue));
        let writer_factory = WriterFactory {
            queue: Arc::clone(&queue),
            counts: Arc::new(MinuteCounter::new()),
            format: settings.format.clone(),
            metrics: WriteMetrics::register(registry),
            counts_metrics: CountsMetrics::register(registry),
        };
        let (log, runtime) = background;
        let writer = writer_factory.of_exposures(&log);
        let counts_writer = writer_factory.of_counts(&log);
        let running = [
            RunningWriter::start(runtime, |closing| writer.run(closing)),
            RunningWriter::start(runtime, |closing| counts_writer.run(closing)),
        ];
        let metrics = RecorderMetrics::register(registry);
        let drain_log = Arc::clone(&client_entry_log);
        Self {
            recording: settings.recording,
            queue,
            dedup: Dedup::new(settings.dedup, metrics.forgotten.clone()),
            client_entry_writer: ClientEntryWriter::new(
                client_entry_log,
                settings.format.clone(),
                Arc::clone(&writer_factory.counts),
                Handle::current(),
            ),
            created_bounds: settings.created_bounds,
            metrics,
            writer_factory,
            drain_log,
            running: Mutex::new(Some(running)),
        }
    }

    /// Records a served decision: its exposure is queued, unless it is a duplicate. The result is the proof that the answer may be
    /// given.
    ///
    /// # Errors
    ///
    /// The queue is full, and the answer must wait for room.
    pub fn record(
        &self,
        request_id: &str,
        instance: &InstanceId<'_>,
        decision: &Decision<'_>,
        plan: &ServedPlan,
    ) -> Result<ExposureHandled, WaitForRoom<'_>> {
        if self.recording == Recording::Off {
            return Ok(ExposureHandled::NONE_NEEDED);
        }
        let served = served_decision(request_id, instance, decision, plan);
        let Some(dedup) = &self.dedup else {
            return self.push(served);
        };
        let push = || self.queue.push(served);
        match dedup.push_once(
            plan,
            instance,
            decision.treatment_index,
            served.served_at,
            push,
        ) {
            DedupOutcome::NoRoom(entry) => Err(WaitForRoom::new(self, served.into(), Some(entry))),
            DedupOutcome::New | DedupOutcome::Dropped => Ok(ExposureHandled::DONE),
            DedupOutcome::Duplicate => {
                self.metrics.deduplicated.inc();
                Ok(ExposureHandled::DONE)
            }
        }
    }

    /// Records a decision of an answer that lists all flags: with a reason of its own, as the application may not have used it. It
    /// is never left out as a duplicate.
    ///
    /// # Errors
    ///
    /// The queue is full, and the answer must wait for room.
    pub fn record_delivered(
        &self,
        request_id: &str,
        instance: &InstanceId<'_>,
        decision: &Decision<'_>,
        plan: &ServedPlan,
    ) -> Result<ExposureHandled, WaitForRoom<'_>> {
        if self.recording == Recording::Off {
            return Ok(ExposureHandled::NONE_NEEDED);
        }
        let mut served = served_decision(request_id, instance, decision, plan);
        served.decision = served.decision.delivered();
        self.push(served)
    }

    #[inline]
    fn push(&self, served: ServedDecision<'_>) -> Result<ExposureHandled, WaitForRoom<'_>> {
        match self.queue.push(served) {
            Pushed::NoRoom => Err(WaitForRoom::new(self, served.into(), None)),
            Pushed::Accepted | Pushed::Dropped => Ok(ExposureHandled::DONE),
        }
    }

    /// Returns the valid times of entries from clients.
    pub fn created_bounds(&self) -> CreatedBounds {
        self.created_bounds
    }

    /// Writes exposures that a client sent to `/log-feature-flag`, while it waits; one result each, in order.
    pub async fn write_from_client(
        &self,
        exposures: Vec<Exposure<'_>>,
    ) -> Vec<Result<(), WriteExposureError>> {
        let results = self.client_entry_writer.write(exposures).await;
        for result in &results {
            match result {
                Ok(()) => self.metrics.entries_stored.inc(),
                Err(WriteExposureError::Invalid(_) | WriteExposureError::Differs { .. }) => {
                    self.metrics.entries_invalid.inc()
                }
                Err(WriteExposureError::Store(_)) => self.metrics.entries_failed.inc(),
            };
        }
        results
    }

    /// Counts entries of `/log-feature-flag` that could not be decoded.
    pub fn count_invalid(&self, entries: usize) {
        self.metrics.entries_invalid.inc_by(entries as u64);
    }

    /// Writes all pending exposures and their counts until the deadline, and stops the writers; returns how many exposures
    /// were not written.
    pub async fn drain_and_stop(&self, deadline: Instant) -> usize {
        let running = self.running.lock();
        let running = running.unwrap_or_else(PoisonError::into_inner).take();
        if let Some([exposures, counts]) = running {
            let stopping = exposures.request_stop();
            let last = self.writer_factory.of_exposures(&self.drain_log);
            join_or_abort_at(tokio::spawn(last.drain()), deadline).await;
            if self.queue.totals().pending > 0 {
                join_or_abort_at(stopping, deadline).await;
            }
            let stopping = counts.request_stop();
            let last = self.writer_factory.of_counts(&self.drain_log);
            join_or_abort_at(tokio::spawn(last.drain()), deadline).await;
            if self.writer_factory.counts.unwritten() > 0 {
                join_or_abort_at(stopping, deadline).await;
            }
        }
        let uncounted = self.writer_factory.counts.unwritten();
        if uncounted > 0 {
            warn!(
                exposures = uncounted,
                "stopped with counts of exposures that were not written"
            );
        }
        self.queue.totals().pending
    }
}

fn served_decision<'a>(
    request_id: &'a str,
    instance: &'a InstanceId<'_>,
    decision: &Decision<'_>,
    plan: &'a ServedPlan,
) -> ServedDecision<'a> {
    ServedDecision {
        request_id,
        instance: instance.as_str(),
        entry: plan.entry(),
        decision: decision.into(),
        from_cache: plan.source != Source::Store,
        served_at: SystemClock.now(),
    }
}
