//! Guards the ports: every read and write is counted and timed; closing passes through, and deleting
//! exposures is refused.
//!
//! Reads through either port share a concurrency limit, a deadline (a longer one for those without a limit of rows) and a circuit. Writes into the exposure log
//! (exposures, counts, reports and their removal), and the look-up after an insertion, have a circuit of their own, and their
//! callers limit them: failing writes must not stop reads, nor failing reads writes. Writes of flags are only counted and timed.

mod log;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flag_store::{AppendResult, ExposureLog, RowStore, StoreError, WriteExposureError};
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::circuit::{CallEnd, CallPermit, Change, Circuit};
use super::deferred::DeferredStore;
use super::metrics::{CircuitKind, Operation, Rejection, StoreMetrics, outcome};
use crate::causes::causes;

/// Deadline of a scan without a limit, which returns all rows.
const LONG_SCAN: Duration = Duration::from_secs(10);

/// Calls that may wait per concurrent read.
const WAITING_PER_READ: usize = 4;

/// The same where nobody evaluates flags, so that waiting costs nothing but memory.
const WAITING_PER_READ_SEPARATE: usize = 64;

/// Settings of the guard.
#[derive(Clone, Copy, Debug)]
pub struct GuardSettings {
    /// The most concurrent reads.
    pub concurrent_reads: usize,
    /// Deadline of a read, including the wait for its turn.
    pub read_timeout: Duration,
}

/// A guarded port. Guarded calls fail at once while their circuit is open.
#[derive(Debug)]
pub struct StoreGuard<T: ?Sized> {
    store: Arc<DeferredStore<T>>,
    calls: Arc<GuardedCalls>,
}

/// What makes the calls of both ports: their limits, circuits and metrics.
#[derive(Debug)]
struct GuardedCalls {
    settings: GuardSettings,
    /// One permit for each concurrent read.
    read_permits: Semaphore,
    max_waiting: usize,
    waiting: AtomicUsize,
    read_circuit: Arc<Circuit>,
    write_circuit: Circuit,
    calls_for: CallsFor,
    metrics: Arc<StoreMetrics>,
}

/// Whose calls they are. Metrics and log report changes of the circuits of evaluations only; of other calls more may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallsFor {
    Evaluations,
    Others,
}

impl StoreGuard<dyn RowStore> {
    /// Guards the flags of a store.
    pub fn new(
        store: Arc<DeferredStore<dyn RowStore>>,
        settings: GuardSettings,
        registry: &mut Registry,
    ) -> Self {
        let metrics = Arc::new(StoreMetrics::register(registry));
        let calls = Arc::new(GuardedCalls::new(settings, CallsFor::Evaluations, metrics));
        Self { store, calls }
    }

    /// Guards the same flags for other readers, which share no limit and no circuit with this guard: neither can stop the
    /// other. Their calls are counted in the same metrics.
    #[must_use]
    pub fn with_separate_limits(&self, settings: GuardSettings) -> Self {
        let metrics = Arc::clone(&self.calls.metrics);
        let calls = Arc::new(GuardedCalls::new(settings, CallsFor::Others, metrics));
        Self {
            store: Arc::clone(&self.store),
            calls,
        }
    }

    /// Guards the flags of a store that evaluations don't use, and of which neither metrics nor log report anything.
    pub fn of_other_store(rows: Arc<dyn RowStore>, settings: GuardSettings) -> Self {
        let metrics = Arc::new(StoreMetrics::register(&mut Registry::default()));
        Self {
            store: Arc::new(rows.into()),
            calls: Arc::new(GuardedCalls::new(settings, CallsFor::Others, metrics)),
        }
    }

    /// Guards the exposure log of the same store, with the same limits and circuits.
    pub fn for_log(&self, log: Arc<DeferredStore<dyn ExposureLog>>) -> StoreGuard<dyn ExposureLog> {
        StoreGuard {
            store: log,
            calls: Arc::clone(&self.calls),
        }
    }

    /// Returns the circuit of reads.
    pub fn read_circuit(&self) -> Arc<Circuit> {
        Arc::clone(&self.calls.read_circuit)
    }

    /// Probes the store whenever the circuit is open, for ever, so that a recovery shows without requests.
    pub async fn probe(&self) {
        loop {
            self.calls.read_circuit.probe_due().await;
            // If a request comes first, its call is the probe.
            if let Err(error) = self.ping().await
                && !error.is_transient()
            {
                warn!(problem = ?error, "store answers, but refuses the call");
            }
        }
    }
}

impl GuardedCalls {
    fn new(settings: GuardSettings, calls_for: CallsFor, metrics: Arc<StoreMetrics>) -> Self {
        let waiting_per_read = match calls_for {
            CallsFor::Evaluations => WAITING_PER_READ,
            CallsFor::Others => WAITING_PER_READ_SEPARATE,
        };
        Self {
            settings,
            read_permits: Semaphore::new(settings.concurrent_reads),
            max_waiting: settings.concurrent_reads * waiting_per_read,
            waiting: AtomicUsize::new(0),
            read_circuit: Arc::new(Circuit::new()),
            write_circuit: Circuit::new(),
            calls_for,
            metrics,
        }
    }

    /// Returns the timeout of a scan; a scan without a limit may take longer.
    fn scan_timeout(&self, limit: Option<usize>) -> Duration {
        match limit {
            Some(_) => self.settings.read_timeout,
            None => LONG_SCAN.max(self.settings.read_timeout),
        }
    }

    async fn read<T>(
        &self,
        operation: Operation,
        timeout: Duration,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let deadline = began + timeout;
        let _read_permit = self.read_permit(operation, deadline).await?;
        let permit = self.call_permit(&self.read_circuit, operation)?;
        let in_flight = self.metrics.begin();
        let result = timeout_at(deadline, call).await;
        drop(in_flight);
        let result = result.unwrap_or(Err(StoreError::TimedOut { after: timeout }));
        self.metrics
            .ended(operation, outcome(&result), began.elapsed());
        self.end_call(CircuitKind::Reads, permit, result.as_ref().err());
        result
    }

    /// Waits for one of the concurrent reads to end, within the deadline.
    async fn read_permit(
        &self,
        operation: Operation,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, StoreError> {
        if let Ok(permit) = self.read_permits.try_acquire() {
            return Ok(permit);
        }
        if self.read_circuit.is_open() {
            return Err(self.reject(operation, Rejection::CircuitOpen));
        }
        let waiting = WaitingCall::new(&self.waiting);
        let permit = if waiting.before < self.max_waiting {
            timeout_at(deadline, self.read_permits.acquire()).await.ok()
        } else {
            None
        };
        match permit {
            Some(Ok(permit)) => Ok(permit),
            _ => Err(self.reject(operation, Rejection::Crowded)),
        }
    }

    fn call_permit<'a>(
        &self,
        circuit: &'a Circuit,
        operation: Operation,
    ) -> Result<CallPermit<'a>, StoreError> {
        let permit = circuit.admit();
        permit.ok_or_else(|| self.reject(operation, Rejection::CircuitOpen))
    }

    fn reject(&self, operation: Operation, rejection: Rejection) -> StoreError {
        self.metrics.rejected(operation, rejection);
        let source = match rejection {
            Rejection::CircuitOpen => "circuit open",
            Rejection::Crowded => "too many concurrent reads",
        };
        StoreError::Unavailable {
            source: source.into(),
        }
    }

    /// Reports the end of a call to its circuit; logs when the circuit opens or closes.
    fn end_call(
        &self,
        circuit_kind: CircuitKind,
        permit: CallPermit<'_>,
        error: Option<&StoreError>,
    ) {
        let end = match error {
            Some(error) if error.is_transient() => CallEnd::Failed,
            _ => CallEnd::Answered,
        };
        match permit.end(end) {
            Change::None => {}
            _ if self.calls_for == CallsFor::Others => {}
            Change::Opened => {
                self.metrics.opened(circuit_kind);
                let problem = error.map(ToString::to_string).unwrap_or_default();
                let cause = error.map(|error| causes(error)).unwrap_or_default();
                let circuit = circuit_kind.as_str();
                warn!(
                    circuit,
                    problem, cause, "store does not answer; calls are stopped"
                );
            }
            Change::Closed(after) => {
                self.metrics.closed(circuit_kind);
                let circuit = circuit_kind.as_str();
                info!(
                    circuit,
                    seconds = after.as_secs_f64(),
                    "store answers again"
                );
            }
        }
    }

    /// Counts and times a write.
    async fn write<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let in_flight = self.metrics.begin();
        let result = call.await;
        drop(in_flight);
        self.metrics
            .ended(operation, outcome(&result), began.elapsed());
        result
    }

    /// Makes a call on the circuit of writes: a write of one exposure, of counts or of reports, their removal, or the look-up after
    /// an insertion.
    async fn call_on_write_circuit<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let permit = self.call_permit(&self.write_circuit, operation)?;
        let result = self.write(operation, call).await;
        self.end_call(CircuitKind::Writes, permit, result.as_ref().err());
        result
    }

    /// Guards a batch of exposures.
    async fn append(
        &self,
        exposures: usize,
        call: impl Future<Output = Vec<AppendResult>>,
    ) -> Vec<AppendResult> {
        let operation = Operation::WriteMany;
        let Ok(permit) = self.call_permit(&self.write_circuit, operation) else {
            return all_unavailable(exposures, "circuit open");
        };
        let began = Instant::now();
        let in_flight = self.metrics.begin();
        let results = call.await;
        drop(in_flight);
        let failure = common_failure(&results);
        let outcome = match failure {
            Some(StoreError::TimedOut { .. }) => "timeout",
            Some(_) => "unavailable",
            None if sent(&results).all(|failure| failure.is_none()) => "ok",
            None => "partial",
        };
        self.metrics.ended(operation, outcome, began.elapsed());
        self.end_call(CircuitKind::Writes, permit, failure);
        results
    }
}

/// Returns the failure, if any, of each exposure that was sent to the store; invalid exposures are never sent.
fn sent(results: &[AppendResult]) -> impl Iterator<Item = Option<&StoreError>> {
    results.iter().filter_map(|result| match result {
        Err(WriteExposureError::Store(error)) => Some(Some(error)),
        Err(_) => None,
        Ok(()) => Some(None),
    })
}

/// Returns the failure of a batch that had no answer at all.
fn common_failure(results: &[AppendResult]) -> Option<&StoreError> {
    let mut failures = sent(results);
    let first = failures.next()??;
    let is_transient = |error: Option<&StoreError>| error.is_some_and(StoreError::is_transient);
    (first.is_transient() && failures.all(is_transient)).then_some(first)
}

fn all_unavailable(exposures: usize, why: &'static str) -> Vec<AppendResult> {
    let failure = || StoreError::Unavailable { source: why.into() };
    (0..exposures).map(|_| Err(failure().into())).collect()
}

/// Counts a waiting call until it is dropped.
struct WaitingCall<'a> {
    count: &'a AtomicUsize,
    /// Calls that waited before.
    before: usize,
}

impl<'a> WaitingCall<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        let before = count.fetch_add(1, Ordering::Relaxed);
        Self { count, before }
    }
}

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
