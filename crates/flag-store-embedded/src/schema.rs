//! The tables of a file, and the check that it is one of ours.
//!
//! `PRAGMA application_id` identifies our files, `PRAGMA user_version` is the schema version.
//! BLOB keys are ordered as Bigtable orders row keys: by their bytes.

use std::cmp::Ordering;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::directory::{EXPOSURES, FLAGS};
use crate::open_error::Obstacle;

const CREATE_ROWS: &str =
    "CREATE TABLE rows (key BLOB PRIMARY KEY, cells BLOB NOT NULL) WITHOUT ROWID";

/// The schema version of `flags.db` with cells in a table of their own.
const SEPARATE_CELLS: i32 = 2;

/// The table of those cells.
const CREATE_CELLS: &str = "CREATE TABLE cells (key BLOB, name BLOB, value BLOB NOT NULL,
    PRIMARY KEY (key, name)) WITHOUT ROWID";

/// The table of rows with their time of writing, in seconds since 1970, by which they expire.
const CREATE_EXPIRING: &str = "CREATE TABLE rows (key BLOB PRIMARY KEY, cells BLOB NOT NULL,
    written INTEGER NOT NULL DEFAULT (unixepoch())) WITHOUT ROWID";

/// The version of files of exposures that have blocks and counts.
const BLOCKS: i32 = 2;

/// Blocks of exposures, each of one flag. A block is found by the batch that it came with, by its newest exposure, and by
/// when it was written, in seconds since 1970. Those of a longer time than most are found by their span class as well.
/// Besides, the counts of a flag in a minute by one writer of counts.
const CREATE_BLOCKS: &str = "
    CREATE TABLE flags (id INTEGER PRIMARY KEY, prefix BLOB NOT NULL UNIQUE,
        span INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE blocks (id INTEGER PRIMARY KEY AUTOINCREMENT, flag INTEGER NOT NULL, batch BLOB NOT NULL,
        oldest INTEGER NOT NULL, newest INTEGER NOT NULL, span_class INTEGER NOT NULL, exposures INTEGER NOT NULL,
        written INTEGER NOT NULL DEFAULT (unixepoch()), filter BLOB NOT NULL);
    CREATE UNIQUE INDEX blocks_by_batch ON blocks (batch, flag);
    CREATE INDEX blocks_by_time ON blocks (flag, newest, id, oldest);
    CREATE INDEX long_blocks ON blocks (flag, span_class, newest, oldest) WHERE span_class > 0;
    CREATE INDEX blocks_by_age ON blocks (written);
    CREATE TABLE block_data (block INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE counts (id INTEGER PRIMARY KEY, flag INTEGER NOT NULL, minute INTEGER NOT NULL,
        replica BLOB NOT NULL, cell BLOB NOT NULL, written INTEGER NOT NULL DEFAULT (unixepoch()),
        UNIQUE (flag, minute, replica));
    CREATE INDEX counts_by_age ON counts (written)";

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    Flags,
    Exposures,
}

impl Contents {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flags => "flags",
            Self::Exposures => "exposures",
        }
    }

    /// The name of the file.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Flags => FLAGS,
            Self::Exposures => EXPOSURES,
        }
    }

    /// The `PRAGMA synchronous`: flags survive a power loss, exposures the end of the process.
    pub(crate) fn synchronous(self) -> &'static str {
        match self {
            Self::Flags => "FULL",
            Self::Exposures => "NORMAL",
        }
    }

    /// The schema version of the files that this release makes, and the latest that it reads.
    pub(crate) fn schema_version(self) -> i32 {
        match self {
            Self::Flags => SEPARATE_CELLS,
            Self::Exposures => BLOCKS,
        }
    }

    fn create_table(self) -> &'static str {
        match self {
            Self::Flags => CREATE_ROWS,
            Self::Exposures => CREATE_EXPIRING,
        }
    }

    fn application_id(self) -> i32 {
        match self {
            Self::Flags => i32::from_be_bytes(*b"FLAG"),
            Self::Exposures => i32::from_be_bytes(*b"EXPO"),
        }
    }
}

/// The state of the schema of a file that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SchemaState {
    /// There is none: the file is empty.
    Empty,
    /// As an older release made it; it stays so until what only newer releases have is written into it.
    Older,
    /// That of this release.
    Current,
}

/// The state of the schema of a file, read at one moment.
pub(crate) fn schema_state(
    connection: &mut Connection,
    contents: Contents,
) -> Result<SchemaState, Obstacle> {
    let transaction = connection.transaction()?;
    read_schema_state(&transaction, contents)
}

/// Creates the tables of a new file, unless another process has done so in the meantime.
pub(crate) fn set_up(connection: &mut Connection, contents: Contents) -> Result<(), Obstacle> {
    // So that the file gives back what expired; can only be said before there is a table.
    if contents == Contents::Exposures {
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if read_schema_state(&transaction, contents)? == SchemaState::Empty {
        transaction.execute_batch(contents.create_table())?;
        transaction.pragma_update(None, "application_id", contents.application_id())?;
        transaction.pragma_update(None, "user_version", contents.schema_version())?;
        transaction.execute_batch(match contents {
            Contents::Flags => CREATE_CELLS,
            Contents::Exposures => CREATE_BLOCKS,
        })?;
    }
    Ok(transaction.commit()?)
}

/// Whether a file of exposures has the tables of blocks and counts. A file of an older release lacks them until a block or
/// counts are written to it.
pub(crate) fn has_block_and_count_tables(connection: &Connection) -> rusqlite::Result<bool> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version >= BLOCKS)
}

/// Whether the rows of a file of exposures say when they were written; those of old files do not.
pub(crate) fn has_times(connection: &Connection) -> rusqlite::Result<bool> {
    let times = "SELECT 1 FROM pragma_table_info('rows') WHERE name = 'written'";
    connection.prepare_cached(times)?.exists([])
}

/// Creates the tables of blocks and counts in a file of exposures of an older release, which refuses the file from then on.
pub(crate) fn ensure_block_and_count_tables(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    if !has_block_and_count_tables(transaction)? {
        transaction.execute_batch(CREATE_BLOCKS)?;
        transaction.pragma_update(None, "user_version", BLOCKS)?;
    }
    Ok(())
}

/// Creates the table of separate cells in a file of an older release, which refuses the file from then on.
pub(crate) fn ensure_cells_table(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    if let Ok(SchemaState::Older) = read_schema_state(transaction, Contents::Flags) {
        transaction.execute_batch(CREATE_CELLS)?;
        transaction.pragma_update(None, "user_version", SEPARATE_CELLS)?;
    }
    Ok(())
}

/// The state of the schema of a file; needs a transaction, so that no other process sets the file up in between.
fn read_schema_state(connection: &Connection, contents: Contents) -> Result<SchemaState, Obstacle> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let supported = contents.schema_version();
    if id == contents.application_id() && version > 0 {
        return match version.cmp(&supported) {
            Ordering::Less => Ok(SchemaState::Older),
            Ordering::Equal => Ok(SchemaState::Current),
            Ordering::Greater => Err(Obstacle::Newer { version, supported }),
        };
    }
    let mut tables = connection.prepare("SELECT 1 FROM sqlite_schema")?;
    if (id, version) == (0, 0) && !tables.exists([])? {
        return Ok(SchemaState::Empty);
    }
    Err(Obstacle::NotOurs { id, version })
}
