//! Exposures: served decisions are written in the background; entries from clients are written while the client waits.
//!
//! Recording never blocks and never fails a request.
mod background;
mod batch;
mod chunk;
mod created_bounds;
mod dedup;
mod direct;
mod expiry;
mod format;
mod metrics;
mod queue;
#[cfg(test)]
mod tests;
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

use self::chunk::ServedDecision;
use self::dedup::{Dedup, Logged};
use self::direct::Direct;
use self::metrics::{EntryMetrics, WriteMetrics};
use self::queue::Queue;
use self::writer::Writer;
use crate::flags::{ServedPlan, Source};

pub use self::background::exposure_runtime;
pub use self::created_bounds::CreatedBounds;
pub use self::dedup::DedupSettings;
pub use self::expiry::expire_exposures;
pub use self::format::ExposureFormat;

/// How exposures are recorded.
#[derive(Clone, Debug)]
pub struct ExposureSettings {
    /// Whether served decisions are logged.
    pub recording: Recording,
    /// The most exposures that wait to be written.
    pub queue: usize,
    /// When equal answers are logged only once.
    pub dedup: DedupSettings,
    /// Valid times of entries from clients.
    pub created: CreatedBounds,
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
    direct: Direct,
    created: CreatedBounds,
    metrics: EntryMetrics,
    writing: Mutex<Option<Writing>>,
}

/// The running writer.
#[derive(Debug)]
struct Writing {
    close: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl ExposureRecorder {
    /// Starts the background writer: served decisions are written into the log and on the runtime of `background`, entries
    /// from clients into `direct`, on the current runtime.
    pub fn start(
        direct: Arc<dyn ExposureLog>,
        background: (Arc<dyn ExposureLog>, &Handle),
        settings: &ExposureSettings,
        registry: &mut Registry,
    ) -> Self {
        let queue = Arc::new(Queue::new(settings.queue));
        metrics::register_queue(registry, Arc::clone(&queue));
        let writer = Writer::new(
            Arc::clone(&queue),
            background.0,
            settings.format.clone(),
            WriteMetrics::register(registry),
        );
        let (close, closing) = oneshot::channel();
        let ended = background.1.spawn(writer.run(closing));
        let metrics = EntryMetrics::register(registry);
        Self {
            recording: settings.recording,
            queue,
            dedup: Dedup::new(settings.dedup, metrics.forgotten.clone()),
            direct: Direct::new(direct, settings.format.clone(), Handle::current()),
            created: settings.created,
            metrics,
            writing: Mutex::new(Some(Writing { close, ended })),
        }
    }

    /// Records a served decision.
    pub fn record(
        &self,
        request_id: &str,
        instance: &InstanceId<'_>,
        decision: &Decision<'_>,
        current: &ServedPlan,
    ) {
        if self.recording == Recording::Off {
            return;
        }
        let created = SystemClock.now();
        let push = || {
            self.queue.push(ServedDecision {
                request_id,
                instance,
                flag: Arc::clone(current.entry()),
                decision: decision.into(),
                from_cache: current.source != Source::Store,
                created,
            })
        };
        let Some(dedup) = &self.dedup else {
            push();
            return;
        };
        if dedup.log_once(current, instance, decision.treatment, created, push) == Logged::Before {
            self.metrics.deduplicated.inc();
        }
    }

    /// Returns the valid times of entries from clients.
    pub fn created_bounds(&self) -> CreatedBounds {
        self.created
    }

    /// Writes the entries of a client while it waits; one result each, in order.
    pub async fn write_entries(
        &self,
        exposures: Vec<Exposure<'_>>,
    ) -> Vec<Result<(), WriteExposureError>> {
        let results = self.direct.write(exposures).await;
        for result in &results {
            match result {
                Ok(()) => self.metrics.stored.inc(),
                Err(WriteExposureError::Invalid(_) | WriteExposureError::Differs { .. }) => {
                    self.metrics.invalid.inc()
                }
                Err(WriteExposureError::Store(_)) => self.metrics.failed.inc(),
            };
        }
        results
    }

    /// Counts entries of a client that could not be decoded.
    pub fn count_invalid(&self, entries: usize) {
        self.metrics.invalid.inc_by(entries as u64);
    }

    /// Writes all waiting exposures until the deadline, and stops the writer; returns how many were not written.
    pub async fn flush(&self, deadline: Instant) -> usize {
        let writing = self
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(Writing { close, mut ended }) = writing {
            // The writer may have ended already.
            let _ = close.send(());
            let _ = timeout_at(deadline, &mut ended).await;
            ended.abort();
        }
        self.queue.counts().pending
    }
}
