//! Writes exposures in the background: in batches, and again what failed, until the store has them.
//!
//! Laws, each kept by the test of that name:
//! - `what_failed_is_written_again_and_nothing_else`
//! - `a_store_that_is_down_loses_nothing`
//! - `one_row_that_always_fails_holds_up_no_other`

use std::sync::Arc;
use std::time::Duration;

use flag_store::{ExposureStore, StoreError};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use super::batch::{Attempt, Batch};
use super::chunk::{CHUNK, Chunk};
use super::form::Form;
use super::metrics::WriteMetrics;
use super::queue::{Queue, Settled, Take};
use crate::causes::causes;
/// How often a chunk that is not full is written too; with the write itself, what a killed service loses.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// How many batches are written at once.
const CALLS: usize = 4;

/// How many rows there may be, under way and to be written again: they are larger than exposures in the queue.
const MOST_ROWS: usize = CALLS * CHUNK;

/// How long the store must have failed nothing before the log says that it works again.
const CALM: Duration = Duration::from_secs(10);

/// Writes what is in the queue.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Arc<Queue>,
    store: ExposureStore,
    form: Form,
    metrics: WriteMetrics,
    calls: JoinSet<Attempt>,
    /// Rows that failed, each batch with a pause of its own.
    failed: Vec<Batch>,
    failed_last: Option<Instant>,
    refused_last: Option<Instant>,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Working,
    /// Nothing is appended any more; what waits is written as soon as possible.
    Closing,
}

impl Writer {
    /// A writer that has not begun.
    pub(crate) fn new(
        queue: Arc<Queue>,
        store: ExposureStore,
        form: Form,
        metrics: WriteMetrics,
    ) -> Self {
        Self {
            queue,
            store,
            form,
            metrics,
            calls: JoinSet::new(),
            failed: Vec::new(),
            failed_last: None,
            refused_last: None,
        }
    }

    /// Writes until `close` is told or dropped; ends when everything is written then.
    pub(crate) async fn run(mut self, mut close: oneshot::Receiver<()>) {
        let mut flush = interval(FLUSH_EVERY);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut phase = Phase::Working;
        let mut take = Take::Any;
        loop {
            self.begin_calls(take, phase);
            if phase == Phase::Closing && self.is_done() {
                return;
            }
            take = Take::Full;
            tokio::select! {
                Some(attempt) = self.calls.join_next() => {
                    if let Ok(attempt) = attempt {
                        self.settle(attempt);
                    }
                }
                () = self.queue.full(), if self.may_begin() => {}
                _ = flush.tick() => take = Take::Any,
                _ = &mut close, if phase == Phase::Working => phase = Phase::Closing,
            }
            if phase == Phase::Closing {
                take = Take::Any;
            }
        }
    }

    fn is_done(&self) -> bool {
        self.queue.counts().pending == 0
    }

    /// Whether a chunk may be begun.
    fn may_begin(&self) -> bool {
        let failed: usize = self.failed.iter().map(Batch::len).sum();
        failed + self.calls.len() * CHUNK < MOST_ROWS
    }

    /// Begins as many calls as there may be: first what failed and is due, then what is new.
    fn begin_calls(&mut self, take: Take, phase: Phase) {
        if phase == Phase::Closing {
            self.failed.iter_mut().for_each(Batch::hurry);
        }
        while self.calls.len() < CALLS
            && let Some(batch) = self.due()
        {
            let store = self.store.clone();
            self.calls.spawn(async move { batch.write(&store).await });
        }
        while self.may_begin()
            && let Some(chunk) = self.queue.take(take)
        {
            self.begin(chunk);
        }
    }

    /// Rows that failed and are due, from as many batches as fit into one.
    fn due(&mut self) -> Option<Batch> {
        let mut due = self.failed.extract_if(.., |batch| batch.is_due());
        let mut batch = due.next()?;
        let mut others = Vec::new();
        for other in due {
            if batch.len() + other.len() <= CHUNK {
                batch.absorb(other);
            } else {
                others.push(other);
            }
        }
        self.failed.append(&mut others);
        Some(batch)
    }

    fn begin(&mut self, chunk: Chunk) {
        let (queue, store, form) = (
            Arc::clone(&self.queue),
            self.store.clone(),
            self.form.clone(),
        );
        self.calls.spawn(async move {
            let (batch, invalid) = Batch::encode(&chunk, &form);
            drop(chunk);
            queue.settle(Settled {
                invalid: invalid as u64,
                ..Settled::default()
            });
            batch.write(&store).await
        });
    }

    fn settle(&mut self, attempt: Attempt) {
        let refused = attempt.refused.as_ref().map_or(0, |(rows, _)| *rows);
        self.queue.settle(Settled {
            written: attempt.written.len() as u64,
            invalid: 0,
            refused: refused as u64,
        });
        self.metrics.count(&attempt);
        self.note_refused(attempt.refused);
        self.note_failed(attempt.failed.as_ref().map(|(_, error)| error));
        self.failed.extend(attempt.failed.map(|(batch, _)| batch));
    }

    /// One line when the store begins to fail, one when it has stopped.
    fn note_failed(&mut self, error: Option<&StoreError>) {
        let now = Instant::now();
        match (error, self.failed_last) {
            (Some(error), None) => {
                warn!(problem = %error, cause = causes(error), "exposures cannot be written; they are kept and written later");
            }
            (None, Some(last)) if now.duration_since(last) >= CALM => {
                info!("exposures are written again");
                self.failed_last = None;
            }
            _ => {}
        }
        if error.is_some() {
            self.failed_last = Some(now);
        }
    }

    /// One line when the store begins to refuse.
    fn note_refused(&mut self, refused: Option<(usize, StoreError)>) {
        let now = Instant::now();
        if let Some((rows, error)) = refused {
            if self.refused_last.is_none() {
                warn!(rows, problem = %error, cause = causes(&error), "the store refuses exposures; they are dropped");
            }
            self.refused_last = Some(now);
        } else if self
            .refused_last
            .is_some_and(|last| now.duration_since(last) >= CALM)
        {
            info!("the store takes exposures again");
            self.refused_last = None;
        }
    }
}
