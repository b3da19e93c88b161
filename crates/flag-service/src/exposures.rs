//! The exposure log: what was served, written in the background; and what clients send, written at once.
//!
//! Recording never blocks and never fails a request.
mod background;
mod batch;
mod chunk;
mod created;
mod dedup;
mod direct;
mod expiry;
mod form;
mod metrics;
mod queue;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::Method;
use flag_model::InstanceId;
use flag_store::{Clock as _, Exposure, ExposureStore, SystemClock, WriteExposureError};
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use self::chunk::Served;
use self::dedup::{Dedup, Logged};
use self::direct::Direct;
use self::metrics::{EntryMetrics, WriteMetrics};
use self::queue::Queue;
use self::writer::Writer;
use crate::cache::{Current, Source};
use crate::visit::Visit;

pub(crate) use self::background::runtime;
pub(crate) use self::chunk::Outcome;
pub(crate) use self::created::CreatedBounds;
pub(crate) use self::dedup::DedupSettings;
pub(crate) use self::expiry::expire;
pub(crate) use self::form::Form;

/// What the exposure log was told.
#[derive(Clone, Debug)]
pub(crate) struct ExposureSettings {
    /// Whether served decisions are logged.
    pub(crate) recording: Recording,
    /// How many may wait to be written.
    pub(crate) queue: usize,
    /// How long the same answer is logged only once.
    pub(crate) dedup: DedupSettings,
    /// When exposures may have been served that clients send.
    pub(crate) created: CreatedBounds,
    /// How long they are kept where no table does so by itself; zero keeps them for ever.
    pub(crate) retention: Duration,
    /// How they are spelled.
    pub(crate) form: Form,
}

/// Whether served decisions are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recording {
    /// They are.
    On,
    /// They are not.
    Off,
}

/// The exposure log.
#[derive(Debug)]
pub(crate) struct Exposures {
    recording: Recording,
    queue: Arc<Queue>,
    dedup: Option<Dedup>,
    direct: Direct,
    created: CreatedBounds,
    metrics: EntryMetrics,
    writing: Mutex<Option<Writing>>,
}

/// The writer at work.
#[derive(Debug)]
struct Writing {
    close: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Exposures {
    /// Starts to write into `store`, on the runtime `background`; what callers wait for is written on the one that this
    /// is called on.
    pub(crate) fn start(
        store: ExposureStore,
        settings: &ExposureSettings,
        background: &Handle,
        registry: &mut Registry,
    ) -> Self {
        let queue = Arc::new(Queue::new(settings.queue));
        metrics::register_queue(registry, Arc::clone(&queue));
        let writer = Writer::new(
            Arc::clone(&queue),
            store.clone(),
            settings.form.clone(),
            WriteMetrics::register(registry),
        );
        let (close, closing) = oneshot::channel();
        let ended = background.spawn(writer.run(closing));
        let metrics = EntryMetrics::register(registry);
        Self {
            recording: settings.recording,
            queue,
            dedup: Dedup::new(settings.dedup, metrics.forgotten.clone()),
            direct: Direct::new(store, settings.form.clone(), Handle::current()),
            created: settings.created,
            metrics,
            writing: Mutex::new(Some(Writing { close, ended })),
        }
    }

    /// Records what a visit was served; one that only asked for headers was served nothing.
    pub(crate) fn record(
        &self,
        visit: &Visit,
        instance: &InstanceId<'_>,
        outcome: Outcome,
        current: &Current,
    ) {
        if self.recording == Recording::Off || *visit.request.method() == Method::HEAD {
            return;
        }
        let created = SystemClock.now();
        let treatment = outcome.treatment();
        let push = || {
            self.queue.push(Served {
                request_id: visit.id.as_str(),
                instance,
                decided: Arc::clone(current.entry()),
                outcome,
                from_cache: current.source != Source::Store,
                created,
            })
        };
        let Some(dedup) = &self.dedup else {
            push();
            return;
        };
        if dedup.log_once(current, instance, treatment, created, push) == Logged::Before {
            self.metrics.deduplicated.inc();
        }
    }

    /// When exposures may have been served that clients send.
    pub(crate) fn created_bounds(&self) -> CreatedBounds {
        self.created
    }

    /// Writes what a client sends, each entry for itself, while it waits; results in their order.
    pub(crate) async fn store(
        &self,
        exposures: Vec<Exposure<'_>>,
    ) -> Vec<Result<(), WriteExposureError>> {
        let results = self.direct.write(exposures).await;
        for result in &results {
            match result {
                Ok(()) => self.metrics.stored.inc(),
                Err(WriteExposureError::Refused(_) | WriteExposureError::Differs { .. }) => {
                    self.metrics.refused.inc()
                }
                Err(WriteExposureError::Store(_)) => self.metrics.failed.inc(),
            };
        }
        results
    }

    /// Counts entries that cannot be exposures.
    pub(crate) fn count_refused(&self, entries: usize) {
        self.metrics.refused.inc_by(entries as u64);
    }

    /// Writes everything that waits, until then at the latest; how many exposures were not written.
    pub(crate) async fn flush(&self, until: Instant) -> usize {
        let writing = self
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(Writing { close, mut ended }) = writing {
            // A writer that has ended needs no word.
            let _ = close.send(());
            let _ = timeout_at(until, &mut ended).await;
            ended.abort();
        }
        self.queue.counts().pending
    }
}
