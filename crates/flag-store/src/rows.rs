//! Port 1: what a backend must offer to keep flags, an ordered map of rows with compare-and-set.
//!
//! A backend runs the suite in `conformance` against the real thing; users go through `FlagStore`.

mod cells;

use std::fmt;
use std::pin::Pin;

use flag_model::Timestamp;

pub use self::cells::Cells;
use crate::store_error::StoreError;

/// A future that a port returns; boxed, so that the backend can be chosen at run time.
///
/// One allocation per store call, which always does I/O.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An ordered map of rows, of one column family and one version per cell.
///
/// Rows are ordered by the bytes of their keys. Every operation on one row is atomic; nothing is atomic across
/// rows, and nothing deletes one. Each call ends within the backend's own deadline. Dropping a future abandons the wait:
/// a write that was under way may still happen.
pub trait RowStore: fmt::Debug + Send + Sync + 'static {
    /// Reads one row; `None` if it has none of the cells asked for.
    fn get<'a>(
        &'a self,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>>;

    /// Reads the rows of a range, in the order asked for.
    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>>;

    /// Reads the keys of a range, in the order asked for; cheaper than its rows where a backend can leave cells away.
    fn keys(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Vec<u8>>, StoreError>> {
        Box::pin(async move {
            let rows = self.scan(scan).await?;
            Ok(rows.into_iter().map(|row| row.key).collect())
        })
    }

    /// Writes a row unless its key holds any cell already.
    fn insert_if_absent<'a>(&'a self, row: &'a Row) -> BoxFuture<'a, Result<Insert, StoreError>>;

    /// Writes `cells` into a row if one of its cells is as expected; other cells of the row stay as they are.
    ///
    /// After an error the caller doesn't know whether it happened: read again before trying again.
    fn compare_and_set<'a>(
        &'a self,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>>;

    /// Makes sure that rows can be read.
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Closes files and connections; later calls fail, also those of clones.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Which cells of a row are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Columns<'a> {
    /// Every cell.
    All,
    /// The cells of these columns, as far as there are any.
    Only(&'a [&'a str]),
}

/// A row: its key, and one value per column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key; UTF-8 in every row of this project, any bytes in a row of other tooling.
    pub key: Vec<u8>,
    /// The cells; a row without cells doesn't exist.
    pub cells: Cells,
}

/// A row, and when it was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampedRow {
    /// The row.
    pub row: Row,
    /// By the clock of the store, not of the writer; `None` if the store keeps no times.
    pub written: Option<Timestamp>,
}

impl Row {
    /// The key as text, for messages.
    pub fn key_text(&self) -> String {
        String::from_utf8_lossy(&self.key).into_owned()
    }
}

/// What to read: a half-open range of keys, an order, and a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The first key of the range.
    pub start: Vec<u8>,
    /// The first key after the range; `None` for all keys from `start` on.
    pub end: Option<Vec<u8>>,
    /// Ascending or descending keys.
    pub order: Order,
    /// The most rows to return; `None` for all of them, zero for none.
    pub limit: Option<usize>,
}

impl Scan {
    /// All rows whose key begins with `prefix`, ascending, without a limit.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let start = prefix.into();
        let end = successor_of_prefix(&start);
        Self {
            start,
            end,
            order: Order::Ascending,
            limit: None,
        }
    }

    /// The same rows from the last to the first.
    #[must_use]
    pub fn descending(self) -> Self {
        Self {
            order: Order::Descending,
            ..self
        }
    }

    /// Continues after this key, in the order of the scan.
    pub fn go_on_after(&mut self, key: &[u8]) {
        match self.order {
            Order::Ascending => self.start = [key, b"\0"].concat(),
            Order::Descending => self.end = Some(key.to_vec()),
        }
    }

    /// At most `limit` rows.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }
}

/// The least key that is greater than every key with this prefix; `None` if there is no such key.
fn successor_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut successor = prefix.to_vec();
    while let Some(last) = successor.pop() {
        if let Some(next) = last.checked_add(1) {
            successor.push(next);
            return Some(successor);
        }
    }
    None
}

/// The order of a [`Scan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the least key up.
    Ascending,
    /// From the greatest key down.
    Descending,
}

/// What [`RowStore::insert_if_absent`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insert {
    /// The row was written.
    Inserted,
    /// The key held a row already; nothing was written.
    AlreadyThere,
}

/// What [`RowStore::compare_and_set`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareAndSet {
    /// The cell was as expected; the new cells were written.
    Set,
    /// The cell was different; nothing was written.
    Differs,
}

/// What a cell must hold for [`RowStore::compare_and_set`] to write.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The column that is compared.
    pub column: &'a str,
    /// Its value; `None` if the cell must be absent.
    pub value: Option<&'a [u8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prefix: &[u8], end: Option<&[u8]>) {
        assert_eq!(Scan::prefix(prefix).end.as_deref(), end);
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        check(b"a#TIME#", Some(b"a#TIME$"));
    }

    #[test]
    fn a_prefix_that_ends_in_the_greatest_byte_carries() {
        check(b"a\xff\xff", Some(b"b"));
    }

    #[test]
    fn a_prefix_of_greatest_bytes_has_no_end() {
        check(b"\xff", None);
        check(b"", None);
    }
}
