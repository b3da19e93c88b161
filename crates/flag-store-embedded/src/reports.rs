//! Rows of the exposure log that are neither exposures nor counts: every statement that writes them.
//!
//! They are in the table of rows, which files of older releases have too.

use rusqlite::params;

use crate::database::Database;
use crate::failure::Failure;
use crate::rows::begin;
use crate::schema;
use crate::stored::StoredRow;

const SET: &str = "INSERT INTO rows (key, cells) VALUES (?1, ?2)
    ON CONFLICT (key) DO UPDATE SET cells = excluded.cells, written = unixepoch()";

/// In files from before rows had a time of their own.
const SET_WITHOUT_TIME: &str = "INSERT INTO rows (key, cells) VALUES (?1, ?2)
    ON CONFLICT (key) DO UPDATE SET cells = excluded.cells";

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
