//! A store that is still to be opened.

use std::sync::{Arc, OnceLock};

use flag_store::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan, StoreError,
    Table,
};

/// Unavailable until it is opened; from then on what was opened.
#[derive(Debug, Default)]
pub(crate) struct Lazy(OnceLock<Opened>);

/// A store, twice: exposures that are on their way must not hold up reads.
#[derive(Debug)]
pub(super) struct Opened {
    /// What everything else uses.
    pub(super) rows: Arc<dyn RowStore>,
    /// What exposures are written to; the same, or other connections to the same.
    pub(super) exposures: Arc<dyn RowStore>,
}

impl Lazy {
    /// From now on this store answers.
    pub(super) fn open(&self, opened: Opened) {
        // It is opened once.
        let _ = self.0.set(opened);
    }

    fn opened(&self) -> Result<&dyn RowStore, StoreError> {
        self.0.get().map(|opened| &*opened.rows).ok_or_else(not_yet)
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
        match (self.0.get(), table) {
            (Some(opened), Table::Exposures) => opened.exposures.write_batch(table, rows),
            (Some(opened), Table::Flags) => opened.rows.write_batch(table, rows),
            (None, _) => {
                let failures = rows.iter().map(|_| Err(not_yet())).collect();
                Box::pin(std::future::ready(failures))
            }
        }
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        match self.opened() {
            Ok(rows) => rows.ping(),
            Err(error) => failed(error),
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
