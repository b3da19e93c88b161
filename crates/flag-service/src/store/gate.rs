//! What every call to the store passes: a bound, a deadline, a circuit, and a count.
//!
//! Reads, of either table, share a bounded number of places and a circuit. Batches of exposures have a circuit of
//! their own, and no bound but their writer's: exposures that cannot be written are no reason to refuse flags, nor the
//! other way round. Writes of flags are a person's, who wants the store's own word: they are only counted.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flag_store::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan, StoreError,
    Table,
};
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::circuit::{Change, Circuit, End, Leave};
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

/// A store whose calls are bounded, and fail at once while it does.
#[derive(Debug)]
pub(crate) struct Gate {
    rows: Arc<dyn RowStore>,
    settings: GateSettings,
    places: Semaphore,
    waiting: AtomicUsize,
    reads: Arc<Circuit>,
    writes: Circuit,
    metrics: StoreMetrics,
}

impl Gate {
    /// Puts a gate before a store.
    pub(crate) fn new(
        rows: Arc<dyn RowStore>,
        settings: GateSettings,
        registry: &mut Registry,
    ) -> Self {
        Self {
            rows,
            settings,
            places: Semaphore::new(settings.reads),
            waiting: AtomicUsize::new(0),
            reads: Arc::new(Circuit::new()),
            writes: Circuit::new(),
            metrics: StoreMetrics::register(registry),
        }
    }

    /// The circuit of reads.
    pub(crate) fn circuit(&self) -> Arc<Circuit> {
        Arc::clone(&self.reads)
    }

    /// Tries a store that was left alone, so that it is found again though nobody asks; for ever.
    pub(crate) async fn probe(&self) {
        loop {
            self.reads.wants_probe().await;
            // No row of ours has this key. Where a request was faster, its own call is the trial.
            if let Err(error) = self.get(Table::Flags, b"PING", Columns::All).await
                && !error.is_transient()
            {
                warn!(problem = ?error, "store answers, and refuses");
            }
        }
    }

    fn patience(&self, scan: &Scan) -> Duration {
        match scan.limit {
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
        call: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let under_way = self.metrics.begin();
        let result = call.await;
        drop(under_way);
        self.metrics
            .ended(operation, outcome(&result), began.elapsed());
        result
    }

    /// A call to the table of exposures; its failures say nothing of the flags.
    async fn call_log<T>(
        &self,
        operation: Operation,
        call: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let leave = self.leave(&self.writes, operation)?;
        let result = self.write(operation, call).await;
        self.settle(Side::Writes, leave, result.as_ref().err());
        result
    }

    async fn write_exposures(&self, rows: &[Row]) -> Vec<Result<(), StoreError>> {
        let operation = Operation::WriteBatch;
        let Ok(leave) = self.leave(&self.writes, operation) else {
            let refusal = || StoreError::Unavailable {
                source: "circuit open".into(),
            };
            return rows.iter().map(|_| Err(refusal())).collect();
        };
        let results = self.write_all(Table::Exposures, rows).await;
        self.settle(Side::Writes, leave, common_failure(&results));
        results
    }

    async fn write_all(&self, table: Table, rows: &[Row]) -> Vec<Result<(), StoreError>> {
        let began = Instant::now();
        let under_way = self.metrics.begin();
        let results = self.rows.write_batch(table, rows).await;
        drop(under_way);
        let outcome = match common_failure(&results) {
            Some(StoreError::TimedOut { .. }) => "timeout",
            Some(_) => "unavailable",
            None if results.iter().all(Result::is_ok) => "ok",
            None => "partial",
        };
        self.metrics
            .ended(Operation::WriteBatch, outcome, began.elapsed());
        results
    }
}

impl RowStore for Gate {
    fn get<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        let call = self.rows.get(table, key, columns);
        match table {
            Table::Exposures => Box::pin(self.call_log(Operation::Get, call)),
            Table::Flags => Box::pin(self.read(Operation::Get, self.settings.deadline, call)),
        }
    }

    fn scan(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        let patience = self.patience(&scan);
        let call = self.rows.scan(table, scan);
        Box::pin(self.read(Operation::Scan, patience, call))
    }

    fn keys(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Vec<u8>>, StoreError>> {
        let patience = self.patience(&scan);
        let call = self.rows.keys(table, scan);
        Box::pin(self.read(Operation::Keys, patience, call))
    }

    fn insert_if_absent<'a>(
        &'a self,
        table: Table,
        row: &'a Row,
    ) -> BoxFuture<'a, Result<Insert, StoreError>> {
        let call = self.rows.insert_if_absent(table, row);
        match table {
            Table::Exposures => Box::pin(self.call_log(Operation::InsertIfAbsent, call)),
            Table::Flags => Box::pin(self.write(Operation::InsertIfAbsent, call)),
        }
    }

    fn compare_and_set<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        let call = self.rows.compare_and_set(table, key, expected, cells);
        Box::pin(self.write(Operation::CompareAndSet, call))
    }

    fn write_batch<'a>(
        &'a self,
        table: Table,
        rows: &'a [Row],
    ) -> BoxFuture<'a, Vec<Result<(), StoreError>>> {
        match table {
            Table::Exposures => Box::pin(self.write_exposures(rows)),
            Table::Flags => Box::pin(self.write_all(table, rows)),
        }
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let call = self.rows.ping();
        Box::pin(self.read(Operation::Ping, self.settings.deadline, call))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.rows.close()
    }
}

/// The failure of a batch of which no row had an answer.
fn common_failure(results: &[Result<(), StoreError>]) -> Option<&StoreError> {
    let mut failures = results.iter().map(|result| result.as_ref().err());
    let first = failures.next()??;
    let is_transient = |error: Option<&StoreError>| error.is_some_and(StoreError::is_transient);
    (first.is_transient() && failures.all(is_transient)).then_some(first)
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
