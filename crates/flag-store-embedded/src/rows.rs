//! Rows in the table of one file: the statements that the row store reads and writes them with. Exposures, reports and expiry have
//! their own.

use flag_store::{Cells, Columns, Order, Row, Scan};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::cells;
use crate::database::Database;
use crate::failure::Failure;
use crate::separate_cells;
use crate::stored::StoredRow;

const GET: &str = "SELECT cells FROM rows WHERE key = ?1";
const PING: &str = "SELECT 1 FROM rows LIMIT 1";
const INSERT: &str = "INSERT INTO rows (key, cells) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

/// A write of one row.
#[derive(Debug)]
pub(crate) enum Write {
    /// Writes the row unless there is one.
    Insert(StoredRow),
    /// Adds the cells to a row if one of its cells is as expected.
    CompareAndSet(Comparison, StoredRow),
}

/// The condition of a write.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) column: String,
    pub(crate) value: Option<Vec<u8>>,
}

/// The wanted cells, owned, as a job may outlive its caller.
#[derive(Debug)]
pub(crate) enum Wanted {
    All,
    Only(Vec<String>),
}

impl From<Columns<'_>> for Wanted {
    fn from(columns: Columns<'_>) -> Self {
        match columns {
            Columns::All => Self::All,
            Columns::Only(names) => Self::Only(names.iter().map(ToString::to_string).collect()),
        }
    }
}

/// The cells of a row, as far as they are wanted; none if there is no such row.
pub(crate) fn get(database: &Database, key: &[u8], wanted: &Wanted) -> Result<Cells, Failure> {
    let connection = database.connection();
    let Some(stored) = stored(connection, key)? else {
        return Ok(Cells::default());
    };
    match wanted {
        Wanted::All => read_cells(connection, key, &stored, Columns::All),
        Wanted::Only(names) => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            read_cells(connection, key, &stored, Columns::Only(&names))
        }
    }
}

/// The rows of a range; stops early when no caller waits for them any more.
pub(crate) fn scan(
    database: &Database,
    scan: &Scan,
    caller_waits: &dyn Fn() -> bool,
) -> Result<Vec<Row>, Failure> {
    walk(database, scan, caller_waits, |key, found| {
        let stored = found.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let cells = read_cells(database.connection(), &key, stored, Columns::All)?;
        Ok(Row { key, cells })
    })
}

/// The keys of a range; stops early too. `SQLite` reads no unused cells.
pub(crate) fn keys(
    database: &Database,
    scan: &Scan,
    caller_waits: &dyn Fn() -> bool,
) -> Result<Vec<Vec<u8>>, Failure> {
    walk(database, scan, caller_waits, |key, _| Ok(key))
}

fn walk<T>(
    database: &Database,
    scan: &Scan,
    caller_waits: &dyn Fn() -> bool,
    mut map_row: impl FnMut(Vec<u8>, &rusqlite::Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let limit = scan
        .limit
        .map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut statement = database.connection().prepare_cached(select(scan))?;
    let mut found = statement.query(params![scan.start, scan.end, limit])?;
    let mut rows = Vec::new();
    while caller_waits()
        && let Some(row) = found.next()?
    {
        rows.push(map_row(row.get(0)?, row)?);
    }
    Ok(rows)
}

/// Reads a little.
pub(crate) fn ping(database: &Database) -> Result<(), Failure> {
    database.connection().prepare_cached(PING)?.exists([])?;
    Ok(())
}

impl Write {
    /// Makes the write if its condition holds; returns whether it did.
    pub(crate) fn make(&self, transaction: &Transaction<'_>) -> Result<bool, Failure> {
        match self {
            Self::Insert(row) => {
                let inserted = transaction
                    .prepare_cached(INSERT)?
                    .execute([&row.key, &row.cells])?;
                Ok(inserted == 1)
            }
            Self::CompareAndSet(expected, row) => compare_and_set(transaction, expected, row),
        }
    }
}

/// From then on the cells of the row are stored separately: a cell that is compared once is usually compared again, and the row may be large.
fn compare_and_set(
    transaction: &Transaction<'_>,
    expected: &Comparison,
    row: &StoredRow,
) -> Result<bool, Failure> {
    let key = &row.key;
    let found = stored(transaction, key)?;
    if found.as_deref().is_some_and(separate_cells::is_marker) {
        if separate_cells::read_one(transaction, key, &expected.column)? != expected.value {
            return Ok(false);
        }
    } else {
        let current = decoded(key, &found.unwrap_or_default(), Columns::All)?;
        if current.get(&expected.column) != expected.value.as_deref() {
            return Ok(false);
        }
        separate_cells::separate(transaction, key, &current)?;
    }
    separate_cells::set(transaction, key, &decoded(key, &row.cells, Columns::All)?)?;
    Ok(true)
}

/// Starts a transaction that holds the write lock from the start, so that nothing that it reads can change.
pub(crate) fn begin(database: &mut Database) -> Result<Transaction<'_>, Failure> {
    let connection = database.connection_mut();
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// The stored bytes of a row.
fn stored(connection: &Connection, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = connection.prepare_cached(GET)?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// The cells of a row, as far as they are wanted: from its stored bytes, or from the table of separate cells.
fn read_cells(
    connection: &Connection,
    key: &[u8],
    stored: &[u8],
    columns: Columns<'_>,
) -> Result<Cells, Failure> {
    if separate_cells::is_marker(stored) {
        separate_cells::read(connection, key, columns)
    } else {
        decoded(key, stored, columns)
    }
}

/// The cells of a row whose cells are stored together.
pub(crate) fn decoded(key: &[u8], stored: &[u8], columns: Columns<'_>) -> Result<Cells, Failure> {
    cells::decode(stored, columns).map_err(|garbled| Failure::garbled(key, garbled))
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

    fn write(database: &mut Database, rows: &[Row]) -> Result<(), Failure> {
        let transaction = begin(database)?;
        for row in rows {
            Write::Insert(StoredRow::new(&row.key, &row.cells)?).make(&transaction)?;
        }
        Ok(transaction.commit()?)
    }

    #[test]
    fn a_full_disk_is_unavailable_and_writes_nothing() {
        let (directory, mut database) = fresh();
        let connection = database.connection();
        connection.pragma_update(None, "max_page_count", 8).unwrap();
        let large = "x".repeat(100_000);
        let large = row(b"large", &large);
        let failure = write(&mut database, &[row(b"small", "x"), large]).unwrap_err();
        assert_eq!(failure.to_string(), "disk full");
        assert!(failure.in_file(directory.path()).is_transient());
        let small = get(&database, b"small", &Wanted::All).unwrap();
        assert!(small.is_empty());
    }

    #[test]
    fn a_scan_stops_when_nobody_waits_for_it() {
        let (_directory, mut database) = fresh();
        let batch: Vec<Row> = (0..100).map(|n| row(&[n], "x")).collect();
        write(&mut database, &batch).unwrap();
        let asked = std::cell::Cell::new(0);
        let caller_waits = || {
            asked.set(asked.get() + 1);
            asked.get() <= 10
        };
        let rows = scan(&database, &Scan::prefix(""), &caller_waits).unwrap();
        assert_eq!(rows.len(), 10);
    }
}
