//! Doubles of the ports, for tests of what is built upon them: a store in memory that records its calls, and to which a
//! script does what it likes before each of them.

use std::error::Error as _;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flag_model::{FlagKey, InstanceId, ProjectName};

use crate::exposure_batch::ExposureBatch;
use crate::exposure_counts::{CountsWriterId, Minute, MinuteCounts};
use crate::exposure_log::{
    AppendResult, Cursor, ExposureLog, ExposurePage, ExposureScope, TimeRange,
};
use crate::exposures::ExposureRecord;
use crate::forget::InstanceExposures;
use crate::memory::{MemoryLog, MemoryStore};
use crate::rows::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan, TimestampedRow,
};
use crate::store_error::StoreError;

/// What becomes of a call. A script that never comes to its end makes a store that hangs.
#[derive(Debug)]
pub enum Step {
    /// The store carries it out.
    Pass,
    /// It fails, and the store never hears of it.
    Fail(StoreError),
    /// The store carries it out, and the reply is lost.
    LoseReply(StoreError),
    /// Of a batch: these exposures fail, by their places, and the store carries out the others.
    FailOf(Vec<Option<StoreError>>),
}

/// A call to [`ScriptedRows`].
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as in the port")]
pub enum RowCall {
    Get(Vec<u8>),
    Scan(Scan),
    Keys(Scan),
    InsertIfAbsent(Row),
    CompareAndSet(Vec<u8>, ExpectedCell, Cells),
    Ping,
}

/// An [`Expected`] that owns what it holds.
#[derive(Clone, Debug)]
pub struct ExpectedCell {
    column: String,
    value: Option<Vec<u8>>,
}

/// A call to [`ScriptedLog`].
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as in the port")]
pub enum LogCall {
    Append(Vec<ExposureRecord>),
    InsertIfAbsent(ExposureRecord),
    Find(Vec<u8>),
    Page,
    LoggedAfter,
    OfInstance,
    Delete,
    WriteCounts(CountsWriterId, Vec<MinuteCounts>),
    Counts,
    LastCounted(Vec<FlagKey>),
    WriteReports(Vec<Row>),
    Reports,
    RemoveReports(Vec<Vec<u8>>),
    Ping,
}

/// How many bytes of keys and cells have gone through a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it")]
pub struct Traffic {
    pub read: usize,
    pub written: usize,
}

type Script<C> = dyn Fn(C) -> BoxFuture<'static, Step> + Send + Sync;

/// A double of a port.
pub struct Scripted<S, C> {
    store: Mutex<Arc<S>>,
    script: Mutex<Arc<Script<C>>>,
    calls: Mutex<Vec<C>>,
    traffic: Mutex<Traffic>,
}

/// A double of [`RowStore`].
pub type ScriptedRows = Scripted<MemoryStore, RowCall>;

/// A double of [`ExposureLog`].
pub type ScriptedLog = Scripted<MemoryLog, LogCall>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Default, C: Clone + 'static> Default for Scripted<S, C> {
    fn default() -> Self {
        Self::over(Arc::default())
    }
}

impl<S, C> fmt::Debug for Scripted<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl<S, C: Clone + 'static> Scripted<S, C> {
    /// Carries every call out on this store.
    pub fn over(store: Arc<S>) -> Self {
        Self {
            store: Mutex::new(store),
            script: Mutex::new(Arc::new(|_| Box::pin(async { Step::Pass }))),
            calls: Mutex::default(),
            traffic: Mutex::default(),
        }
    }

    /// From now on each call comes to this first.
    pub fn script<F>(&self, script: impl Fn(C) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Step> + Send + 'static,
    {
        *locked(&self.script) = Arc::new(move |call| Box::pin(script(call)));
    }

    /// The store behind it.
    pub fn store(&self) -> Arc<S> {
        Arc::clone(&locked(&self.store))
    }

    /// From now on another store is behind it.
    pub fn replace(&self, store: Arc<S>) {
        *locked(&self.store) = store;
    }

    /// The calls since the last time.
    pub fn take_calls(&self) -> Vec<C> {
        std::mem::take(&mut *locked(&self.calls))
    }

    /// The bytes since the last time.
    pub fn take_traffic(&self) -> Traffic {
        std::mem::take(&mut *locked(&self.traffic))
    }

    async fn begin(&self, call: C) -> Step {
        locked(&self.calls).push(call.clone());
        let script = Arc::clone(&locked(&self.script));
        script(call).await
    }

    async fn call<T>(
        &self,
        call: C,
        carry_out: impl AsyncFnOnce(&S) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let step = self.begin(call).await;
        if let Step::Fail(error) = step {
            return Err(error);
        }
        let done = carry_out(&self.store()).await?;
        match step {
            Step::LoseReply(error) => Err(error),
            _ => Ok(done),
        }
    }

    fn count(&self, read: usize, written: usize) {
        let mut traffic = locked(&self.traffic);
        traffic.read += read;
        traffic.written += written;
    }
}

impl ExpectedCell {
    /// As the port takes it.
    pub fn as_expected(&self) -> Expected<'_> {
        Expected {
            column: &self.column,
            value: self.value.as_deref(),
        }
    }
}

impl From<Expected<'_>> for ExpectedCell {
    fn from(expected: Expected<'_>) -> Self {
        Self {
            column: expected.column.to_owned(),
            value: expected.value.map(<[u8]>::to_vec),
        }
    }
}

fn weight<'a>(rows: impl IntoIterator<Item = &'a Row>) -> usize {
    let rows = rows.into_iter();
    rows.map(|row| row.key.len() + row.cells.byte_len()).sum()
}

impl RowCall {
    /// Whether it only reads.
    pub fn is_read(&self) -> bool {
        !self.is_write()
    }

    /// Whether it writes.
    pub fn is_write(&self) -> bool {
        matches!(self, Self::InsertIfAbsent(_) | Self::CompareAndSet(..))
    }
}

impl RowStore for ScriptedRows {
    fn get<'a>(
        &'a self,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        Box::pin(async move {
            let get = async |store: &MemoryStore| store.get(key, columns).await;
            let row = self.call(RowCall::Get(key.to_vec()), get).await?;
            self.count(weight(&row), 0);
            Ok(row)
        })
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            let call = RowCall::Scan(scan.clone());
            let rows = self
                .call(call, async |store| store.scan(scan).await)
                .await?;
            self.count(weight(&rows), 0);
            Ok(rows)
        })
    }

    fn keys(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Vec<u8>>, StoreError>> {
        Box::pin(async move {
            let call = RowCall::Keys(scan.clone());
            let keys = self
                .call(call, async |store| store.keys(scan).await)
                .await?;
            self.count(keys.iter().map(Vec::len).sum(), 0);
            Ok(keys)
        })
    }

    fn insert_if_absent<'a>(&'a self, row: &'a Row) -> BoxFuture<'a, Result<Insert, StoreError>> {
        self.count(0, weight([row]));
        let insert = async |store: &MemoryStore| store.insert_if_absent(row).await;
        Box::pin(self.call(RowCall::InsertIfAbsent(row.clone()), insert))
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        self.count(0, key.len() + cells.byte_len());
        let call = RowCall::CompareAndSet(key.to_vec(), expected.into(), cells.clone());
        let set =
            async move |store: &MemoryStore| store.compare_and_set(key, expected, cells).await;
        Box::pin(self.call(call, set))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.call(RowCall::Ping, async |store| store.ping().await))
    }
}

/// Another error of this kind, which says the same.
fn like(error: &StoreError) -> StoreError {
    let source = || {
        error
            .source()
            .map(ToString::to_string)
            .unwrap_or_default()
            .into()
    };
    match error {
        StoreError::TimedOut { after } => StoreError::TimedOut { after: *after },
        StoreError::Unavailable { .. } => StoreError::Unavailable { source: source() },
        StoreError::Misconfigured { .. } => StoreError::Misconfigured { source: source() },
        StoreError::Refused { .. } => StoreError::Refused { source: source() },
        StoreError::Broken { .. } => StoreError::Broken { source: source() },
    }
}

impl ExposureLog for ScriptedLog {
    fn append<'a>(&'a self, batch: &'a ExposureBatch) -> BoxFuture<'a, Vec<AppendResult>> {
        let records = batch
            .exposures()
            .flat_map(|scope| scope.to_record(batch.boolean_format()))
            .collect();
        Box::pin(async move {
            let store = self.store();
            let all = |error: &StoreError| (0..batch.len()).map(|_| Some(like(error))).collect();
            let mut failures: Vec<Option<StoreError>> =
                match self.begin(LogCall::Append(records)).await {
                    Step::Pass => Vec::new(),
                    Step::FailOf(failures) => failures,
                    Step::Fail(error) => all(&error),
                    Step::LoseReply(error) => {
                        store.append(batch).await;
                        all(&error)
                    }
                };
            failures.resize_with(batch.len(), || None);
            let mut results = Vec::with_capacity(batch.len());
            for (index, failure) in failures.into_iter().enumerate() {
                results.push(match failure {
                    Some(error) => Err(error.into()),
                    None => store
                        .append(&batch.select(batch.id(), &[index]))
                        .await
                        .remove(0),
                });
            }
            results
        })
    }

    fn insert_if_absent<'a>(
        &'a self,
        record: &'a ExposureRecord,
    ) -> BoxFuture<'a, Result<Insert, StoreError>> {
        let insert = async |store: &MemoryLog| store.insert_if_absent(record).await;
        Box::pin(self.call(LogCall::InsertIfAbsent(record.clone()), insert))
    }

    fn find<'a>(
        &'a self,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<ExposureRecord>, StoreError>> {
        let find = async |store: &MemoryLog| store.find(key).await;
        Box::pin(self.call(LogCall::Find(key.to_vec()), find))
    }

    fn page<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        within: TimeRange,
        after: Option<&'a Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<ExposurePage, StoreError>> {
        let page = async move |store: &MemoryLog| store.page(scope, within, after, limit).await;
        Box::pin(self.call(LogCall::Page, page))
    }

    fn logged_after<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        after: Option<&'a Cursor>,
    ) -> BoxFuture<'a, Result<ExposurePage, StoreError>> {
        let page = async move |store: &MemoryLog| store.logged_after(scope, after).await;
        Box::pin(self.call(LogCall::LoggedAfter, page))
    }

    fn of_instance<'a>(
        &'a self,
        project: &'a ProjectName,
        instance: &'a InstanceId<'a>,
    ) -> BoxFuture<'a, Result<Vec<InstanceExposures>, StoreError>> {
        let of_instance = async |store: &MemoryLog| store.of_instance(project, instance).await;
        Box::pin(self.call(LogCall::OfInstance, of_instance))
    }

    fn delete<'a>(
        &'a self,
        exposures: &'a InstanceExposures,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let delete = async |store: &MemoryLog| store.delete(exposures).await;
        Box::pin(self.call(LogCall::Delete, delete))
    }

    fn write_counts<'a>(
        &'a self,
        writer: CountsWriterId,
        counts: &'a [MinuteCounts],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let write = async move |store: &MemoryLog| store.write_counts(writer, counts).await;
        Box::pin(self.call(LogCall::WriteCounts(writer, counts.to_vec()), write))
    }

    fn counts<'a>(
        &'a self,
        flag: &'a FlagKey,
        within: Range<Minute>,
    ) -> BoxFuture<'a, Result<Vec<MinuteCounts>, StoreError>> {
        let counts = async move |store: &MemoryLog| store.counts(flag, within.clone()).await;
        Box::pin(self.call(LogCall::Counts, counts))
    }

    fn last_counted<'a>(
        &'a self,
        flags: &'a [FlagKey],
        within: Range<Minute>,
    ) -> BoxFuture<'a, Result<Vec<Option<Minute>>, StoreError>> {
        let last = async move |store: &MemoryLog| store.last_counted(flags, within.clone()).await;
        Box::pin(self.call(LogCall::LastCounted(flags.to_vec()), last))
    }

    fn write_reports<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), StoreError>> {
        let write = async move |store: &MemoryLog| store.write_reports(rows).await;
        Box::pin(self.call(LogCall::WriteReports(rows.to_vec()), write))
    }

    fn reports(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<TimestampedRow>, StoreError>> {
        let read = async move |store: &MemoryLog| store.reports(scan.clone()).await;
        Box::pin(self.call(LogCall::Reports, read))
    }

    fn remove_reports<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>> {
        let remove = async move |store: &MemoryLog| store.remove_reports(keys).await;
        Box::pin(self.call(LogCall::RemoveReports(keys.to_vec()), remove))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.call(LogCall::Ping, async |store| store.ping().await))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
