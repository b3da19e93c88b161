//! A store that is still to be opened.

use std::sync::{Arc, OnceLock};

use flag_store::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan, StoreError,
    Table,
};
use tokio::runtime::{self, Handle};

/// Unavailable until it is opened; from then on what was opened.
#[derive(Debug, Default)]
pub(crate) struct Lazy {
    rows: OnceLock<Arc<dyn RowStore>>,
    background: OnceLock<Background>,
}

/// The same store over connections of the runtime that exposures are written on, so that these hold up nothing else.
#[derive(Debug)]
struct Background {
    runtime: runtime::Id,
    rows: Arc<dyn RowStore>,
}

impl Lazy {
    /// From now on this store answers.
    pub(super) fn open(&self, rows: Arc<dyn RowStore>) {
        // It is opened once.
        let _ = self.rows.set(rows);
    }

    /// From now on this one takes exposures that come from its runtime.
    pub(super) fn open_background(&self, runtime: runtime::Id, rows: Arc<dyn RowStore>) {
        let _ = self.background.set(Background { runtime, rows });
    }

    fn opened(&self) -> Result<&dyn RowStore, StoreError> {
        self.rows.get().map(|rows| &**rows).ok_or_else(not_yet)
    }

    /// What exposures are written to, from here.
    fn for_exposures(&self) -> Result<&dyn RowStore, StoreError> {
        let rows = self.opened()?;
        let here = Handle::try_current().ok().map(|runtime| runtime.id());
        let background = self.background.get();
        let background = background.filter(|background| here == Some(background.runtime));
        Ok(background.map_or(rows, |background| &*background.rows))
    }
}

impl RowStore for Lazy {
    fn get<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        match self.opened() {
            Ok(rows) => rows.get(table, key, columns),
            Err(error) => failed(error),
        }
    }

    fn scan(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        match self.opened() {
            Ok(rows) => rows.scan(table, scan),
            Err(error) => failed(error),
        }
    }

    fn keys(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Vec<u8>>, StoreError>> {
        match self.opened() {
            Ok(rows) => rows.keys(table, scan),
            Err(error) => failed(error),
        }
    }

    fn insert_if_absent<'a>(
        &'a self,
        table: Table,
        row: &'a Row,
    ) -> BoxFuture<'a, Result<Insert, StoreError>> {
        match self.opened() {
            Ok(rows) => rows.insert_if_absent(table, row),
            Err(error) => failed(error),
        }
    }

    fn compare_and_set<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        match self.opened() {
            Ok(store) => store.compare_and_set(table, key, expected, cells),
            Err(error) => failed(error),
        }
    }

    fn write_batch<'a>(
        &'a self,
        table: Table,
        rows: &'a [Row],
    ) -> BoxFuture<'a, Vec<Result<(), StoreError>>> {
        let store = match table {
            Table::Exposures => self.for_exposures(),
            Table::Flags => self.opened(),
        };
        if let Ok(store) = store {
            return store.write_batch(table, rows);
        }
        let failures = rows.iter().map(|_| Err(not_yet())).collect();
        Box::pin(std::future::ready(failures))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        match self.opened() {
            Ok(rows) => rows.ping(),
            Err(error) => failed(error),
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        match self.rows.get() {
            Some(rows) => rows.close(),
            None => Box::pin(std::future::ready(())),
        }
    }
}

fn failed<'a, T: Send + 'a>(error: StoreError) -> BoxFuture<'a, Result<T, StoreError>> {
    Box::pin(std::future::ready(Err(error)))
}

fn not_yet() -> StoreError {
    StoreError::Unavailable {
        source: "it could not be opened yet".into(),
    }
}
