//! A store in memory: the ports in their plainest form, for tests of what is built upon them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::exposure_rows::ExposureRows;
use crate::rows::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Order, Row, RowStore, Scan,
};
use crate::store_error::StoreError;

type Rows = BTreeMap<Vec<u8>, Cells>;

/// Rows in memory; gone when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Rows>);

/// An exposure log in memory; gone when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryLog(MemoryStore);

impl MemoryStore {
    /// Writes rows over what is there, as other tooling does; other cells stay.
    pub fn put(&self, rows: impl IntoIterator<Item = Row>) {
        let mut kept = self.rows();
        for row in rows {
            merge(kept.entry(row.key).or_default(), &row.cells);
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row(key: &[u8], cells: &Cells) -> Row {
    Row {
        key: key.to_vec(),
        cells: cells.clone(),
    }
}

fn merge(into: &mut Cells, from: &Cells) {
    from.iter()
        .for_each(|(column, value)| into.set(column, value));
}

impl RowStore for MemoryStore {
    fn get<'a>(
        &'a self,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        let wanted = move |column: &[u8]| match columns {
            Columns::All => true,
            Columns::Only(names) => names.iter().any(|name| name.as_bytes() == column),
        };
        Box::pin(async move {
            let rows = self.rows();
            let Some(cells) = rows.get(key) else {
                return Ok(None);
            };
            let cells: Cells = cells.iter().filter(|(column, _)| wanted(column)).collect();
            Ok((!cells.is_empty()).then(|| row(key, &cells)))
        })
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            if scan.end.as_ref().is_some_and(|end| *end <= scan.start) {
                return Ok(Vec::new());
            }
            let end = scan.end.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let rows = self.rows();
            let range = rows
                .range::<Vec<u8>, _>((Bound::Included(&scan.start), end))
                .map(|(key, cells)| row(key, cells));
            let limit = scan.limit.unwrap_or(usize::MAX);
            Ok(match scan.order {
                Order::Ascending => range.take(limit).collect(),
                Order::Descending => range.rev().take(limit).collect(),
            })
        })
    }

    fn insert_if_absent<'a>(&'a self, row: &'a Row) -> BoxFuture<'a, Result<Insert, StoreError>> {
        Box::pin(async move {
            let mut rows = self.rows();
            if rows.contains_key(&row.key) {
                return Ok(Insert::AlreadyThere);
            }
            rows.insert(row.key.clone(), row.cells.clone());
            Ok(Insert::Inserted)
        })
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        Box::pin(async move {
            let mut rows = self.rows();
            if rows.get(key).and_then(|cells| cells.get(expected.column)) != expected.value {
                return Ok(CompareAndSet::Differs);
            }
            merge(rows.entry(key.to_vec()).or_default(), cells);
            Ok(CompareAndSet::Set)
        })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

impl ExposureRows for MemoryLog {
    fn rows(&self) -> &dyn RowStore {
        &self.0
    }

    fn write_rows<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Vec<Result<(), StoreError>>> {
        self.0.put(rows.iter().cloned());
        Box::pin(std::future::ready(rows.iter().map(|_| Ok(())).collect()))
    }

    fn delete_rows<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>> {
        let mut rows = self.0.rows();
        for key in keys {
            rows.remove(key);
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
