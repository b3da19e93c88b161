//! How exposures are followed as they are logged: blocks by their numbers, rows by when they were written.
//!
//! An upgrade copies rows into blocks meanwhile. One that was written long before the last look is not new; of a later one those
//! are new that were no rows at the last look.

use std::collections::BTreeSet;

use flag_store::{Columns, Cursor, ExposurePage, ExposureRecord, Row, key_hash};
use rusqlite::{Connection, params};

use super::copy::SAME_TIME;
use super::read::{Flag, ScopeOwned, read, records};
use crate::database::Database;
use crate::failure::Failure;
use crate::{rows, schema};

/// For how many seconds a row is compared with those that were seen: as long as a transaction may take, and more.
const OVERLAP: i64 = 60;

const LAST: &str = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'blocks'";
const NOW: &str = "SELECT unixepoch()";
const NEXT_BLOCK: &str = "SELECT blocks.id, flags.id, prefix, written FROM blocks
    JOIN flags ON flags.id = flag WHERE blocks.id > ?1 ORDER BY blocks.id LIMIT 1";
const ROWS: &str = "SELECT key, cells FROM rows
    WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) AND written >= ?3";

/// What has been read.
struct Followed {
    /// The last block.
    block: i64,
    /// When the rows were read last, in seconds since 1970.
    rows: i64,
    /// The hashes of the keys of the rows written shortly before.
    seen: BTreeSet<u64>,
}

/// What was logged after a cursor: the exposures of the next block that has any, else the new rows.
pub(crate) fn logged_after(
    database: &Database,
    of: &ScopeOwned,
    after: Option<&Cursor>,
    caller_waits: &dyn Fn() -> bool,
) -> Result<ExposurePage, Failure> {
    // Of one moment: a row that is copied meanwhile is either still a row, or in a block.
    let moment = database.connection().unchecked_transaction()?;
    let connection = &*moment;
    let Some(cursor) = after else {
        let mut followed = Followed::from_now(connection)?;
        new_rows(connection, of, &mut followed)?;
        return Ok(followed.page(Vec::new()));
    };
    let mut followed = Followed::of_cursor(cursor).ok_or(Failure::Cursor)?;
    let mut found = Vec::new();
    while found.is_empty() && caller_waits() {
        let Some(records) = next_block(connection, of, &mut followed)? else {
            found = new_rows(connection, of, &mut followed)?;
            break;
        };
        found = records;
    }
    Ok(followed.page(found))
}

/// The exposures of the next block, the oldest first; `None` if there is no block.
fn next_block(
    connection: &Connection,
    of: &ScopeOwned,
    followed: &mut Followed,
) -> Result<Option<Vec<ExposureRecord>>, Failure> {
    if !schema::has_block_and_count_tables(connection)? {
        return Ok(None);
    }
    let last: i64 = connection
        .prepare_cached(LAST)?
        .query_row([], |row| row.get(0))?;
    // Another file is in the place of the one that was followed.
    if last < followed.block {
        followed.block = 0;
    }
    let mut statement = connection.prepare_cached(NEXT_BLOCK)?;
    let mut found = statement.query([followed.block])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    followed.block = row.get(0)?;
    let prefix: Vec<u8> = row.get(2)?;
    let written: i64 = row.get(3)?;
    if !of.has_flag(&prefix) || written < followed.since(connection)? {
        return Ok(Some(Vec::new()));
    }
    let flag = Flag {
        id: row.get(1)?,
        prefix: String::from_utf8_lossy(&prefix).into_owned(),
        span: 0,
    };
    let batch = read(connection, &flag, followed.block, of.instance.as_ref())?;
    let batch = batch.iter();
    let mut found: Vec<_> = batch
        .flat_map(|batch| records(batch, of.instance.as_ref()))
        .filter(|record| !followed.seen.contains(&key_hash(record.key())))
        .collect();
    found.reverse();
    Ok(Some(found))
}

/// The rows that were not there before.
fn new_rows(
    connection: &Connection,
    of: &ScopeOwned,
    followed: &mut Followed,
) -> Result<Vec<ExposureRecord>, Failure> {
    if !schema::has_times(connection)? {
        return Ok(Vec::new());
    }
    let now = now(connection)?;
    let since = followed.since(connection)? - SAME_TIME;
    let mut statement = connection.prepare_cached(ROWS)?;
    let mut found = statement.query(params![of.row_range.start, of.row_range.end, since])?;
    let mut seen = BTreeSet::new();
    let mut new = Vec::new();
    while let Some(row) = found.next()? {
        let key: Vec<u8> = row.get(0)?;
        let hash = key_hash(&key);
        seen.insert(hash);
        if !followed.seen.contains(&hash) {
            let stored = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let cells = rows::decoded(&key, stored, Columns::All)?;
            new.push(Row { key, cells }.into());
        }
    }
    followed.rows = now;
    followed.seen = seen;
    new.sort_by_cached_key(ExposureRecord::created);
    Ok(new)
}

fn now(connection: &Connection) -> Result<i64, Failure> {
    let mut now = connection.prepare_cached(NOW)?;
    Ok(now.query_row([], |row| row.get(0))?)
}

impl Followed {
    fn from_now(connection: &Connection) -> Result<Self, Failure> {
        let now = now(connection)?;
        let block = if schema::has_block_and_count_tables(connection)? {
            let mut last = connection.prepare_cached(LAST)?;
            last.query_row([], |row| row.get(0))?
        } else {
            0
        };
        Ok(Self {
            block,
            rows: now,
            seen: BTreeSet::new(),
        })
    }

    /// Since when something may have been written that was not there at the last look.
    fn since(&self, connection: &Connection) -> Result<i64, Failure> {
        Ok(self.rows.min(now(connection)?) - OVERLAP)
    }

    fn page(&self, records: Vec<ExposureRecord>) -> ExposurePage {
        let mut cursor = Vec::new();
        for number in [self.block, self.rows] {
            cursor.extend(number.to_be_bytes());
        }
        cursor.extend(self.seen.iter().flat_map(|hash| hash.to_be_bytes()));
        ExposurePage {
            records,
            next: Some(Cursor(cursor)),
        }
    }

    fn of_cursor(Cursor(bytes): &Cursor) -> Option<Self> {
        let (numbers, _) = bytes.as_chunks::<8>();
        let ([block, rows], seen) = numbers.split_first_chunk()?;
        Some(Self {
            block: i64::from_be_bytes(*block),
            rows: i64::from_be_bytes(*rows),
            seen: seen.iter().copied().map(u64::from_be_bytes).collect(),
        })
    }
}
