//! Rows in the table of one file: every statement that reads or writes them.

use flag_store::{Cells, Columns, CompareAndSet, Insert, Order, Row, Scan};
use rusqlite::{OptionalExtension, Statement, Transaction, TransactionBehavior, params};

use crate::cells;
use crate::database::Database;
use crate::failure::Failure;
use crate::stored::{Batch, StoredRow};

const GET: &str = "SELECT cells FROM rows WHERE key = ?1";
const PING: &str = "SELECT 1 FROM rows LIMIT 1";
const INSERT: &str = "INSERT INTO rows (key, cells) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const REPLACE: &str = "INSERT INTO rows (key, cells) VALUES (?1, ?2)
    ON CONFLICT DO UPDATE SET cells = excluded.cells";

/// What a cell must hold for [`compare_and_set`] to write.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) column: String,
    pub(crate) value: Option<Vec<u8>>,
}

/// The stored cells of a row.
pub(crate) fn get(database: &Database, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = database.connection().prepare_cached(GET)?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// The rows of a range; stops early when nobody waits for them any more.
pub(crate) fn scan(
    database: &Database,
    scan: &Scan,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Vec<Row>, Failure> {
    walk(database, scan, is_wanted, |key, found| {
        let stored = found.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let cells = cells::decode(stored, Columns::All)
            .map_err(|garbled| Failure::garbled(&key, garbled))?;
        Ok(Row { key, cells })
    })
}

/// The keys of a range; stops early likewise. `SQLite` reads no cells that nobody looks at.
pub(crate) fn keys(
    database: &Database,
    scan: &Scan,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Vec<Vec<u8>>, Failure> {
    walk(database, scan, is_wanted, |key, _| Ok(key))
}

fn walk<T>(
    database: &Database,
    scan: &Scan,
    is_wanted: &dyn Fn() -> bool,
    mut understand: impl FnMut(Vec<u8>, &rusqlite::Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let limit = scan
        .limit
        .map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut statement = database.connection().prepare_cached(select(scan))?;
    let mut found = statement.query(params![scan.start, scan.end, limit])?;
    let mut rows = Vec::new();
    while is_wanted()
        && let Some(row) = found.next()?
    {
        rows.push(understand(row.get(0)?, row)?);
    }
    Ok(rows)
}

/// Reads a little.
pub(crate) fn ping(database: &Database) -> Result<(), Failure> {
    database.connection().prepare_cached(PING)?.exists([])?;
    Ok(())
}

/// Writes a row unless there is one, durably.
pub(crate) fn insert_if_absent(
    database: &mut Database,
    row: &StoredRow,
) -> Result<Insert, Failure> {
    let transaction = begin(database)?;
    let inserted = transaction
        .prepare_cached(INSERT)?
        .execute([&row.key, &row.cells])?;
    if inserted == 0 {
        return Ok(Insert::AlreadyThere);
    }
    transaction.commit()?;
    Ok(Insert::Inserted)
}

/// Adds cells to a row if one of its cells is as expected, durably.
pub(crate) fn compare_and_set(
    database: &mut Database,
    expected: &Comparison,
    row: &StoredRow,
) -> Result<CompareAndSet, Failure> {
    let transaction = begin(database)?;
    let current = current_cells(&transaction, &row.key)?;
    if current.get(&expected.column) != expected.value.as_deref() {
        return Ok(CompareAndSet::Differs);
    }
    replace(&transaction, &row.key, &row.cells, current)?;
    transaction.commit()?;
    Ok(CompareAndSet::Set)
}

/// Adds cells to many rows in one transaction; a row that is refused or damaged fails alone.
pub(crate) fn write_batch(
    database: &mut Database,
    mut batch: Batch,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let transaction = begin(database)?;
    let mut insert = transaction.prepare_cached(INSERT)?;
    let mut failed = Vec::new();
    for (place, key, cells) in batch.in_order_of_keys() {
        match write(&transaction, &mut insert, key, cells) {
            Ok(()) => {}
            Err(failure @ (Failure::Refused(_) | Failure::Garbled { .. })) => {
                failed.push((place, failure));
            }
            Err(failure) => return Err(failure),
        }
    }
    drop(insert);
    transaction.commit()?;
    Ok(batch.results(failed))
}

/// Starts a transaction that holds the write lock from the start, so that nothing that it reads can change.
fn begin(database: &mut Database) -> Result<Transaction<'_>, Failure> {
    let connection = database.connection_mut();
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// Adds cells to a row, or makes it.
fn write(
    transaction: &Transaction<'_>,
    insert: &mut Statement<'_>,
    key: &[u8],
    cells: &[u8],
) -> Result<(), Failure> {
    // Rows of a batch are new as a rule, so that reading first would be in vain.
    if insert.execute([key, cells])? == 1 {
        return Ok(());
    }
    let current = current_cells(transaction, key)?;
    replace(transaction, key, cells, current)
}

/// Writes a row's current cells, overlaid with its new ones.
fn replace(
    transaction: &Transaction<'_>,
    key: &[u8],
    new: &[u8],
    mut current: Cells,
) -> Result<(), Failure> {
    let new = cells::decode(new, Columns::All).map_err(|garbled| Failure::garbled(key, garbled))?;
    for (column, value) in new.iter() {
        current.set(column, value);
    }
    let merged = StoredRow::new(key, &current)?;
    let mut statement = transaction.prepare_cached(REPLACE)?;
    statement.execute([&merged.key, &merged.cells])?;
    Ok(())
}

/// The cells of a row; none if there is no such row.
fn current_cells(transaction: &Transaction<'_>, key: &[u8]) -> Result<Cells, Failure> {
    let mut statement = transaction.prepare_cached(GET)?;
    let stored: Option<Vec<u8>> = statement.query_row([key], |row| row.get(0)).optional()?;
    cells::decode(&stored.unwrap_or_default(), Columns::All)
        .map_err(|garbled| Failure::garbled(key, garbled))
}

/// The statement for a scan, of parameters start, end and limit.
fn select(scan: &Scan) -> &'static str {
    match (scan.order, &scan.end) {
        (Order::Ascending, None) => {
            "SELECT key, cells FROM rows WHERE key >= ?1 ORDER BY key LIMIT ?3"
        }
        (Order::Ascending, Some(_)) => {
            "SELECT key, cells FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"
        }
        (Order::Descending, None) => {
            "SELECT key, cells FROM rows WHERE key >= ?1 ORDER BY key DESC LIMIT ?3"
        }
        (Order::Descending, Some(_)) => {
            "SELECT key, cells FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3"
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::schema::Contents;

    fn row(key: &[u8], value: &str) -> Row {
        Row {
            key: key.to_vec(),
            cells: Cells::default().with("Value", value),
        }
    }

    fn fresh() -> (TempDir, Database) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("flags.db");
        let database = Database::writer(&path, Contents::Flags).unwrap();
        (directory, database)
    }

    #[test]
    fn a_full_disk_is_unavailable_and_writes_nothing() {
        let (directory, mut database) = fresh();
        let connection = database.connection();
        connection.pragma_update(None, "max_page_count", 8).unwrap();
        let large = "x".repeat(100_000);
        let batch = Batch::new(&[row(b"small", "x"), row(b"large", &large)]);
        let failure = write_batch(&mut database, batch).unwrap_err();
        assert_eq!(failure.to_string(), "disk full");
        assert!(failure.in_file(directory.path()).is_transient());
        assert_eq!(get(&database, b"small").unwrap(), None);
    }

    #[test]
    fn a_scan_stops_when_nobody_waits_for_it() {
        let (_directory, mut database) = fresh();
        let batch: Vec<Row> = (0..100).map(|n| row(&[n], "x")).collect();
        write_batch(&mut database, Batch::new(&batch)).unwrap();
        let asked = std::cell::Cell::new(0);
        let is_wanted = || {
            asked.set(asked.get() + 1);
            asked.get() <= 10
        };
        let rows = scan(&database, &Scan::prefix(""), &is_wanted).unwrap();
        assert_eq!(rows.len(), 10);
    }
}
