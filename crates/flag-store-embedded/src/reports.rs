//! Rows of the exposure log that are neither exposures nor counts: the statements that insert and replace them.
//!
//! They are in the table of rows, which files of older releases have too.

use flag_model::Timestamp;
use flag_store::{Scan, TimestampedRow};
use rusqlite::{OptionalExtension as _, params};

use crate::database::Database;
use crate::failure::Failure;
use crate::rows::{self, begin};
use crate::schema;
use crate::stored::StoredRow;

const SET: &str = "INSERT INTO rows (key, cells) VALUES (?1, ?2)
    ON CONFLICT (key) DO UPDATE SET cells = excluded.cells, written = unixepoch()";

/// In files from before rows had a time of their own.
const SET_WITHOUT_TIME: &str = "INSERT INTO rows (key, cells) VALUES (?1, ?2)
    ON CONFLICT (key) DO UPDATE SET cells = excluded.cells";

const WRITTEN: &str = "SELECT written FROM rows WHERE key = ?1";

/// The rows of a range, and when each was written, to the second.
pub(crate) fn read(
    database: &Database,
    scan: &Scan,
    caller_waits: &dyn Fn() -> bool,
) -> Result<Vec<TimestampedRow>, Failure> {
    let connection = database.connection();
    let has_times = schema::has_times(connection)?;
    let rows = rows::scan(database, scan, caller_waits)?;
    let mut reports = Vec::with_capacity(rows.len());
    for row in rows {
        let mut seconds = None;
        if has_times {
            let mut statement = connection.prepare_cached(WRITTEN)?;
            let written = statement.query_row([&row.key], |row| row.get::<_, i64>(0));
            seconds = written.optional()?;
        }
        let micros = seconds.and_then(|seconds| seconds.checked_mul(1_000_000));
        let written = micros.and_then(Timestamp::from_unix_micros);
        reports.push(TimestampedRow { row, written });
    }
    Ok(reports)
}

/// Writes rows in one transaction, each replacing that with its key.
pub(crate) fn write(database: &mut Database, rows: &[StoredRow]) -> Result<(), Failure> {
    let transaction = begin(database)?;
    let set = if schema::has_times(&transaction)? {
        SET
    } else {
        SET_WITHOUT_TIME
    };
    for row in rows {
        transaction
            .prepare_cached(set)?
            .execute(params![row.key, row.cells])?;
    }
    Ok(transaction.commit()?)
}
