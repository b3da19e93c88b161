//! Writes exposures in the background, in batches; a failed write is retried until it succeeds; what
//! the store refuses is dropped.
//!
//! Laws, each kept by the test of that name:
//! - `what_failed_is_written_again_and_nothing_else`
//! - `a_store_that_is_down_loses_nothing`
//! - `one_row_that_always_fails_holds_up_no_other`

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use flag_store::{Clock as _, ExposureLog, StoreError, SystemClock};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use super::batch::{Attempt, PendingBatch};
use super::chunk::CHUNK;
use super::counts::MinuteCounter;
use super::format::ExposureFormat;
use super::metrics::WriteMetrics;
use super::queue::{BatchResult, Queue, TakeChunk};
use crate::causes::causes;

/// How often a chunk that is not full is written too. A killed service loses the exposures of this time, and the writes in
/// flight.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// The most concurrent writes.
const CALLS: usize = 4;

/// While this many exposures are in flight or wait for a retry, no further chunk is taken.
const MAX_TAKEN: usize = CALLS * CHUNK;

/// The most batches that wait for a retry; more exposures wait in the queue, where they become larger batches.
const MAX_FAILED: usize = 4 * CALLS;

/// How long no write may fail before a recovery is logged.
const RECOVERED_AFTER: Duration = Duration::from_secs(10);

/// Writes the exposures of the queue.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Arc<Queue>,
    log: Arc<dyn ExposureLog>,
    format: ExposureFormat,
    metrics: WriteMetrics,
    counts: Arc<MinuteCounter>,
    calls: JoinSet<Attempt>,
    /// Failed batches, each with its own pause.
    failed: Vec<PendingBatch>,
    failed_last: Option<Instant>,
    /// Whether the exposure log says that an operator is needed.
    is_misconfigured: bool,
    last_refused_by_store: Option<Instant>,
}

/// Which exposures a writer still writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// All that come into the queue.
    Working,
    /// Those in the queue, without long pauses; then it ends.
    Draining,
    /// Only those already taken from the queue, without long pauses; then it ends.
    Closing,
}

impl Writer {
    /// Creates a writer; call `run`.
    pub(crate) fn new(
        queue: Arc<Queue>,
        log: Arc<dyn ExposureLog>,
        format: ExposureFormat,
        metrics: WriteMetrics,
        counts: Arc<MinuteCounter>,
    ) -> Self {
        Self {
            queue,
            log,
            format,
            metrics,
            counts,
            calls: JoinSet::new(),
            failed: Vec::new(),
            failed_last: None,
            is_misconfigured: false,
            last_refused_by_store: None,
        }
    }

    /// Writes until `close` is sent or dropped, and then what it has taken.
    pub(crate) async fn run(self, close: oneshot::Receiver<()>) {
        self.run_from(Phase::Working, close).await;
    }

    /// Writes what is in the queue.
    pub(crate) async fn drain(self) {
        let (_close, never) = oneshot::channel();
        self.run_from(Phase::Draining, never).await;
    }

    async fn run_from(mut self, mut phase: Phase, mut close: oneshot::Receiver<()>) {
        let mut flush = interval(FLUSH_EVERY);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut mode = TakeChunk::AlsoOpen;
        loop {
            self.begin_calls(mode, phase);
            if phase != Phase::Working && self.calls.is_empty() && self.failed.is_empty() {
                return;
            }
            mode = TakeChunk::SealedOnly;
            tokio::select! {
                Some(attempt) = self.calls.join_next() => {
                    if let Ok(attempt) = attempt {
                        self.end_attempt(attempt);
                    }
                }
                () = self.queue.chunk_sealed(), if phase != Phase::Closing && self.may_begin() => {}
                _ = flush.tick() => mode = TakeChunk::AlsoOpen,
                _ = &mut close, if phase == Phase::Working => phase = Phase::Closing,
            }
            if phase == Phase::Draining {
                mode = TakeChunk::AlsoOpen;
            }
        }
    }

    /// Whether another chunk may be written.
    fn may_begin(&self) -> bool {
        let failed: usize = self.failed.iter().map(PendingBatch::len).sum();
        failed + self.calls.len() * CHUNK < MAX_TAKEN && self.failed.len() < MAX_FAILED
    }

    /// Begins writes up to the limits: first retries that are due, then new chunks.
    fn begin_calls(&mut self, mode: TakeChunk, phase: Phase) {
        if phase != Phase::Working {
            self.failed.iter_mut().for_each(PendingBatch::shorten_pause);
        }
        while self.calls.len() < CALLS
            && let Some(batch) = self.next_due()
        {
            self.begin(batch);
        }
        while phase != Phase::Closing
            && self.may_begin()
            && let Some(chunk) = self.queue.take(mode)
        {
            let batch = PendingBatch::new(&chunk, &self.format);
            self.counts.add(batch.exposures(), SystemClock.now());
            self.begin(batch);
        }
    }

    /// Takes a failed batch that is due; rests of others are joined, as far as they fit.
    fn next_due(&mut self) -> Option<PendingBatch> {
        let mut due = self.failed.extract_if(.., |batch| batch.is_due());
        let mut batch = due.next()?;
        let mut others = Vec::new();
        for other in due {
            if batch.may_append(&other, CHUNK) {
                batch.append(other);
            } else {
                others.push(other);
            }
        }
        self.failed.append(&mut others);
        Some(batch)
    }

    fn begin(&mut self, batch: PendingBatch) {
        let log = Arc::clone(&self.log);
        self.calls.spawn(async move { batch.write(&*log).await });
    }

    /// Counts the results of an attempt, logs failures, and keeps what must be retried.
    fn end_attempt(&mut self, attempt: Attempt) {
        let refused = attempt
            .refused_by_store
            .as_ref()
            .map_or(0, |(rows, _)| *rows);
        self.queue.finish(BatchResult {
            written: attempt.written as u64,
            invalid: attempt.invalid as u64,
            refused_by_store: refused as u64,
        });
        self.metrics.count(&attempt);
        self.note_refused(attempt.refused_by_store);
        self.note_failed(attempt.failed.as_ref().map(|(_, error)| error));
        self.failed.extend(attempt.failed.map(|(batch, _)| batch));
    }

    /// Logs once when writes begin to fail, once when an operator is needed, and once when they work again.
    fn note_failed(&mut self, error: Option<&StoreError>) {
        let now = Instant::now();
        match (error, self.failed_last) {
            (Some(error), _) if !error.is_transient() => {
                if !self.is_misconfigured {
                    warn!(problem = %error, cause = causes(error), "exposures cannot be written until an operator corrects the store; they are kept until the queue is full");
                }
                self.is_misconfigured = true;
            }
            (Some(error), None) => {
                warn!(problem = %error, cause = causes(error), "exposures cannot be written; they are kept and written later");
            }
            (None, Some(last)) if now.duration_since(last) >= RECOVERED_AFTER => {
                info!("exposures are written again");
                self.failed_last = None;
                self.is_misconfigured = false;
            }
            _ => {}
        }
        if error.is_some() {
            self.failed_last = Some(now);
        }
    }

    /// Logs once when the store begins to refuse, and once when it has stopped.
    fn note_refused(&mut self, refused: Option<(usize, StoreError)>) {
        let now = Instant::now();
        if let Some((rows, error)) = refused {
            if self.last_refused_by_store.is_none() {
                warn!(rows, problem = %error, cause = causes(&error), "the store refuses exposures; they are dropped");
            }
            self.last_refused_by_store = Some(now);
        } else if self
            .last_refused_by_store
            .is_some_and(|last| now.duration_since(last) >= RECOVERED_AFTER)
        {
            info!("the store accepts exposures again");
            self.last_refused_by_store = None;
        }
    }
}
