//! What every call through a port passes: a bound, a deadline, a circuit, and a count.
//!
//! Reads, through either port, share a bounded number of places and a circuit. Batches of exposures have a circuit of
//! their own, and no bound but their writer's: exposures that cannot be written are no reason to refuse flags, nor the
//! other way round. Writes of flags are a person's, who wants the store's own word: they are only counted.

mod log;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flag_store::{Appended, Columns, ExposureLog, RowStore, StoreError, WriteExposureError};
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::circuit::{Change, Circuit, End, Leave};
use super::deferred::Deferred;
use super::metrics::{Operation, Rejection, Side, StoreMetrics, outcome};
use crate::causes::causes;

/// How long a scan without a limit may take; it gives all rows that there are.
const LONG_SCAN: Duration = Duration::from_secs(10);

/// So many calls per place may wait for one.
const WAITING_PER_PLACE: usize = 4;

/// What the gate was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GateSettings {
    /// How many reads may be under way at once.
    pub(crate) reads: usize,
    /// How long a read may take, waiting for its place included.
    pub(crate) deadline: Duration,
}

/// A port whose calls are bounded, and fail at once while the store does.
#[derive(Debug)]
pub(crate) struct Gate<T: ?Sized> {
    store: Arc<Deferred<T>>,
    bounds: Arc<Bounds>,
}

/// What all calls share, through whichever port.
#[derive(Debug)]
struct Bounds {
    settings: GateSettings,
    places: Semaphore,
    waiting: AtomicUsize,
    reads: Arc<Circuit>,
    writes: Circuit,
    metrics: StoreMetrics,
}

impl Gate<dyn RowStore> {
    /// Puts a gate before a store.
    pub(crate) fn new(
        store: Arc<Deferred<dyn RowStore>>,
        settings: GateSettings,
        registry: &mut Registry,
    ) -> Self {
        let bounds = Arc::new(Bounds {
            settings,
            places: Semaphore::new(settings.reads),
            waiting: AtomicUsize::new(0),
            reads: Arc::new(Circuit::new()),
            writes: Circuit::new(),
            metrics: StoreMetrics::register(registry),
        });
        Self { store, bounds }
    }

    /// The same gate before the exposure log of that store.
    pub(crate) fn before_log(&self, log: Arc<Deferred<dyn ExposureLog>>) -> Gate<dyn ExposureLog> {
        Gate {
            store: log,
            bounds: Arc::clone(&self.bounds),
        }
    }

    /// The circuit of reads.
    pub(crate) fn circuit(&self) -> Arc<Circuit> {
        Arc::clone(&self.bounds.reads)
    }

    /// Tries a store that was left alone, so that it is found again though nobody asks; for ever.
    pub(crate) async fn probe(&self) {
        loop {
            self.bounds.reads.wants_probe().await;
            // No row of ours has this key. Where a request was faster, its own call is the trial.
            if let Err(error) = self.get(b"PING", Columns::All).await
                && !error.is_transient()
            {
                warn!(problem = ?error, "store answers, and refuses");
            }
        }
    }
}

impl Bounds {
    fn patience(&self, limit: Option<usize>) -> Duration {
        match limit {
            Some(_) => self.settings.deadline,
            None => LONG_SCAN.max(self.settings.deadline),
        }
    }

    async fn read<T>(
        &self,
        operation: Operation,
        patience: Duration,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let _place = self.place(operation, began + patience).await?;
        let leave = self.leave(&self.reads, operation)?;
        let under_way = self.metrics.begin();
        let result = timeout_at(began + patience, call).await;
        drop(under_way);
        let result = result.unwrap_or(Err(StoreError::TimedOut { after: patience }));
        self.metrics
            .ended(operation, outcome(&result), began.elapsed());
        self.settle(Side::Reads, leave, result.as_ref().err());
        result
    }

    /// A place among the reads, or the reason why there is none in time.
    async fn place(
        &self,
        operation: Operation,
        until: Instant,
    ) -> Result<SemaphorePermit<'_>, StoreError> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        if self.reads.is_open() {
            return Err(self.reject(operation, Rejection::CircuitOpen));
        }
        let waiting = Waiting::new(&self.waiting);
        let place = if waiting.before < self.settings.reads * WAITING_PER_PLACE {
            timeout_at(until, self.places.acquire()).await.ok()
        } else {
            None
        };
        match place {
            Some(Ok(place)) => Ok(place),
            _ => Err(self.reject(operation, Rejection::Crowded)),
        }
    }

    fn leave<'a>(
        &self,
        circuit: &'a Circuit,
        operation: Operation,
    ) -> Result<Leave<'a>, StoreError> {
        let leave = circuit.admit();
        leave.ok_or_else(|| self.reject(operation, Rejection::CircuitOpen))
    }

    fn reject(&self, operation: Operation, rejection: Rejection) -> StoreError {
        self.metrics.rejected(operation, rejection);
        let source = match rejection {
            Rejection::CircuitOpen => "circuit open",
            Rejection::Crowded => "too many reads under way",
        };
        StoreError::Unavailable {
            source: source.into(),
        }
    }

    /// Tells the circuit how the call ended, and the log if that changes anything.
    fn settle(&self, side: Side, leave: Leave<'_>, error: Option<&StoreError>) {
        let end = match error {
            Some(error) if error.is_transient() => End::Failed,
            _ => End::Answered,
        };
        match leave.end(end) {
            Change::None => {}
            Change::Opened => {
                self.metrics.opened(side);
                let problem = error.map(ToString::to_string).unwrap_or_default();
                let cause = error.map(|error| causes(error)).unwrap_or_default();
                let circuit = side.as_str();
                warn!(circuit, problem, cause, "store fails, left alone");
            }
            Change::Closed(after) => {
                self.metrics.closed(side);
                let circuit = side.as_str();
                info!(
                    circuit,
                    seconds = after.as_secs_f64(),
                    "store answers again"
                );
            }
        }
    }

    async fn write<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let under_way = self.metrics.begin();
        let result = call.await;
        drop(under_way);
        self.metrics
            .ended(operation, outcome(&result), began.elapsed());
        result
    }

    /// A write of an exposure, or what belongs to it; its failures say nothing of the flags.
    async fn write_exposure<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let leave = self.leave(&self.writes, operation)?;
        let result = self.write(operation, call).await;
        self.settle(Side::Writes, leave, result.as_ref().err());
        result
    }

    /// A batch of exposures.
    async fn append(
        &self,
        exposures: usize,
        call: impl Future<Output = Vec<Appended>>,
    ) -> Vec<Appended> {
        let operation = Operation::WriteBatch;
        let Ok(leave) = self.leave(&self.writes, operation) else {
            return all_unavailable(exposures, "circuit open");
        };
        let began = Instant::now();
        let under_way = self.metrics.begin();
        let results = call.await;
        drop(under_way);
        let failure = common_failure(&results);
        let outcome = match failure {
            Some(StoreError::TimedOut { .. }) => "timeout",
            Some(_) => "unavailable",
            None if sent(&results).all(|failure| failure.is_none()) => "ok",
            None => "partial",
        };
        self.metrics.ended(operation, outcome, began.elapsed());
        self.settle(Side::Writes, leave, failure);
        results
    }
}

/// The failure of each exposure that was sent to the store, if it has one; what cannot be logged never is.
fn sent(results: &[Appended]) -> impl Iterator<Item = Option<&StoreError>> {
    results.iter().filter_map(|result| match result {
        Err(WriteExposureError::Store(error)) => Some(Some(error)),
        Err(_) => None,
        Ok(()) => Some(None),
    })
}

/// The failure of a batch of which no exposure had an answer.
fn common_failure(results: &[Appended]) -> Option<&StoreError> {
    let mut failures = sent(results);
    let first = failures.next()??;
    let is_transient = |error: Option<&StoreError>| error.is_some_and(StoreError::is_transient);
    (first.is_transient() && failures.all(is_transient)).then_some(first)
}

fn all_unavailable(exposures: usize, why: &'static str) -> Vec<Appended> {
    let failure = || StoreError::Unavailable { source: why.into() };
    (0..exposures).map(|_| Err(failure().into())).collect()
}

/// A call that waits for its place, counted until it is dropped.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    /// How many waited already.
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        let before = count.fetch_add(1, Ordering::Relaxed);
        Self { count, before }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
