//! Exposures: served decisions are written in the background, entries from clients while they wait.
//!
//! Recording never blocks and never fails a request.
mod background;
mod batch;
mod chunk;
mod created;
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
use crate::flags::{Current, Source};

pub use self::background::exposure_runtime;
pub use self::created::CreatedBounds;
pub use self::dedup::DedupSettings;
pub use self::expiry::expire_exposures;
pub use self::format::ExposureFormat;

/// Settings of the exposure log.
#[derive(Clone, Debug)]
pub struct ExposureSettings {
    /// Whether served decisions are logged.
    pub recording: Recording,
    /// The most exposures that wait to be written.
    pub queue: usize,
    /// How equal answers are deduplicated.
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

/// The exposure log.
#[derive(Debug)]
pub struct Exposures {
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

impl Exposures {
    /// Starts the writer of served decisions into `background`, on its runtime. Entries from clients are written into
    /// `direct`, on the current runtime.
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
        current: &Current,
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
    pub async fn store(&self, exposures: Vec<Exposure<'_>>) -> Vec<Result<(), WriteExposureError>> {
        let results = self.direct.write(exposures).await;
        for result in &results {
            match result {
                Ok(()) => self.metrics.stored.inc(),
                Err(WriteExposureError::Invalid(_) | WriteExposureError::Differs { .. }) => {
                    self.metrics.refused.inc()
                }
                Err(WriteExposureError::Store(_)) => self.metrics.failed.inc(),
            };
        }
        results
    }

    /// Counts invalid entries of a client.
    pub fn count_refused(&self, entries: usize) {
        self.metrics.refused.inc_by(entries as u64);
    }

    /// Stops the writer after it has written all that waits, at the latest at `until`; returns how many exposures are left.
    pub async fn flush(&self, until: Instant) -> usize {
        let writing = self
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(Writing { close, mut ended }) = writing {
            // The writer may have ended already.
            let _ = close.send(());
            let _ = timeout_at(until, &mut ended).await;
            ended.abort();
        }
        self.queue.counts().pending
    }
}
