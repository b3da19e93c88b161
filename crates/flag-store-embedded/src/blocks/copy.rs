//! Copies rows into blocks, where they take a tenth of the space.
//!
//! Many rows are read at once and sorted by time, so that each block is of a short time; then each block takes the place of its
//! rows in a transaction of its own. A row that has changed or gone meanwhile leaves its block to the next time.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use flag_store::{
    BatchId, Columns, Exposure, ExposureBatch, ExposureBlock, ExposureRecord, Row, Spelling,
    decode_block,
};
use rusqlite::{Transaction, params};

use super::add_written;
use crate::database::Database;
use crate::failure::Failure;
use crate::rows::{self, begin};
use crate::schema;

/// How many exposures a block has at most, as many as a service writes at once.
const PER_BLOCK: usize = 500;

const ROWS: &str = "SELECT key, cells, written FROM rows WHERE key > ?1 ORDER BY key LIMIT ?2";
/// In files from before rows had a time of their own.
const ROWS_WITHOUT_TIME: &str =
    "SELECT key, cells, NULL FROM rows WHERE key > ?1 ORDER BY key LIMIT ?2";
const TAKE: &str = "DELETE FROM rows WHERE key = ?1 AND cells = ?2";

/// A row that can be in a block.
pub(crate) struct Copied {
    key: Vec<u8>,
    cells: Vec<u8>,
    written: i64,
    exposure: Exposure<'static>,
    booleans: Spelling,
}

/// Rows that were read.
pub(crate) struct ReadRows {
    /// The last key; `None` if there was no row.
    pub(crate) last: Option<Vec<u8>>,
    /// By flag, the rows that can be in blocks.
    pub(crate) by_flag: BTreeMap<(String, bool), Vec<Copied>>,
    /// How many cannot.
    pub(crate) others: usize,
}

/// Reads the next rows after a key.
pub(crate) fn read_rows(
    database: &Database,
    after: &[u8],
    limit: usize,
) -> Result<ReadRows, Failure> {
    let connection = database.connection();
    let has_times = schema::has_times(connection)?;
    let rows = if has_times { ROWS } else { ROWS_WITHOUT_TIME };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(rows)?;
    let mut found = statement.query(params![after, limit])?;
    let mut read = ReadRows {
        last: None,
        by_flag: BTreeMap::new(),
        others: 0,
    };
    while let Some(row) = found.next()? {
        let key: Vec<u8> = row.get(0)?;
        read.last = Some(key.clone());
        match copied(key, row.get(1)?, row.get(2)?) {
            Some(copied) => {
                let flag = copied.exposure.flag.to_string();
                let of = (flag, copied.booleans == Spelling::Json);
                read.by_flag.entry(of).or_default().push(copied);
            }
            None => read.others += 1,
        }
    }
    for copied in read.by_flag.values_mut() {
        copied.sort_by_key(|copied| copied.exposure.created);
    }
    Ok(read)
}

/// The row as it is copied; `None` if a block would give another row.
fn copied(key: Vec<u8>, cells: Vec<u8>, written: Option<i64>) -> Option<Copied> {
    let decoded = rows::decoded(&key, &cells, Columns::All).ok()?;
    let record = ExposureRecord::from(Row {
        key,
        cells: decoded,
    });
    let (exposure, booleans) = record.exposure()?;
    let created = exposure.created.unix_micros().div_euclid(1_000_000);
    Some(Copied {
        key: record.key().to_vec(),
        cells,
        written: written.unwrap_or(created),
        exposure,
        booleans,
    })
}

/// Puts a block in the place of its rows; how many they are, none if one of them has changed or gone.
pub(crate) fn copy_rows(database: &mut Database, rows: &[Copied]) -> Result<usize, Failure> {
    let Some((block, written)) = block_of(rows) else {
        return Ok(0);
    };
    let transaction = begin(database)?;
    schema::add_blocks(&transaction)?;
    let is_done = add_written(&transaction, batch_id(rows), &block, Some(written))?
        && take(&transaction, rows)?;
    if !is_done {
        return Ok(0);
    }
    transaction.commit()?;
    Ok(rows.len())
}

fn take(transaction: &Transaction<'_>, rows: &[Copied]) -> Result<bool, Failure> {
    let mut take = transaction.prepare_cached(TAKE)?;
    for row in rows {
        if take.execute(params![row.key, row.cells])? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The block of these rows, and when the last of them was written; `None` if it would not give the same rows.
fn block_of(rows: &[Copied]) -> Option<(ExposureBlock, i64)> {
    let booleans = rows.first()?.booleans;
    let exposures = rows.iter().map(|row| &row.exposure);
    let batch = ExposureBatch::of(batch_id(rows), booleans, exposures);
    let mut blocks = batch.blocks().blocks;
    let block = blocks.pop().filter(|_| blocks.is_empty())?;
    let decoded = decode_block(&block.flag, &block.bytes).ok()?;
    let is_same = decoded.booleans() == booleans
        && decoded
            .exposures()
            .eq(rows.iter().map(|row| row.exposure.clone()));
    let written = rows.iter().map(|row| row.written).max()?;
    is_same.then_some((block, written))
}

fn batch_id(rows: &[Copied]) -> BatchId {
    let hash = |reversed: bool| {
        let mut hasher = DefaultHasher::new();
        reversed.hash(&mut hasher);
        for row in rows {
            row.key.hash(&mut hasher);
        }
        u128::from(hasher.finish())
    };
    BatchId((hash(false) << 64) | hash(true))
}

/// The rows of a block each.
pub(crate) fn per_block(mut rows: Vec<Copied>) -> Vec<Vec<Copied>> {
    let mut blocks = Vec::new();
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(PER_BLOCK));
        blocks.push(std::mem::replace(&mut rows, rest));
    }
    blocks
}
