//! Copies rows into blocks, where they take a tenth of the space.
//!
//! Many rows are read at once and sorted by time, so that each block is of a short time; then each block takes the place of its
//! rows in a transaction of its own. A row that has changed or gone meanwhile leaves its block to the next time.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use flag_store::{
    BatchId, CellFormat, Columns, Exposure, ExposureBatch, ExposureBlock, ExposureRecord, Row,
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

/// How many bytes of rows a block has at most, unless it has a single one.
const BYTES_PER_BLOCK: usize = 1 << 20;

/// How long a block spans at most in seconds, both by when its exposures were served and by when their rows were written: that
/// much later than its oldest exposure it expires.
const LONGEST: i64 = 24 * 3_600;

/// Rows that were written within this time, in seconds, share a block only if they were written within [`SAME_TIME`]: followers of
/// the log tell by that time whether they have seen them.
const RECENT: i64 = 600;

/// How many seconds before the time of writing of a block its recent rows may have been written.
pub(super) const SAME_TIME: i64 = 10;

const NOW: &str = "SELECT unixepoch()";
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
    boolean_format: CellFormat,
}

/// What rows of the same block have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    flag: String,
    is_json: bool,
    is_recent: bool,
    /// The part of the time in which they were written.
    written: i64,
}

/// Rows that were read.
pub(crate) struct ReadRows {
    /// The last key; `None` if there was no row.
    pub(crate) last: Option<Vec<u8>>,
    /// By block, the rows that can be in one.
    pub(crate) blocks: Vec<Vec<Copied>>,
    /// How many rows cannot be in blocks.
    pub(crate) others: usize,
}

/// How many rows are read at once.
#[derive(Clone, Copy)]
pub(crate) struct AtOnce {
    /// The most rows.
    pub(crate) rows: usize,
    /// The bytes of keys and cells after which no further row is read.
    pub(crate) bytes: usize,
}

/// Reads the next rows after a key.
pub(crate) fn read_rows(
    database: &Database,
    after: &[u8],
    at_once: AtOnce,
) -> Result<ReadRows, Failure> {
    let connection = database.connection();
    let mut now = connection.prepare_cached(NOW)?;
    let now: i64 = now.query_row([], |row| row.get(0))?;
    let has_times = schema::has_times(connection)?;
    let rows = if has_times { ROWS } else { ROWS_WITHOUT_TIME };
    let limit = i64::try_from(at_once.rows).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(rows)?;
    let mut found = statement.query(params![after, limit])?;
    let (mut last, mut others, mut bytes) = (None, 0, 0);
    let mut by_kind: BTreeMap<Kind, Vec<Copied>> = BTreeMap::new();
    while bytes < at_once.bytes
        && let Some(row) = found.next()?
    {
        let (key, cells): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        bytes += key.len() + cells.len();
        last = Some(key.clone());
        match copied(key, cells, row.get(2)?) {
            Some(copied) => by_kind.entry(copied.kind(now)).or_default().push(copied),
            None => others += 1,
        }
    }
    Ok(ReadRows {
        last,
        blocks: by_kind.into_values().flat_map(per_block).collect(),
        others,
    })
}

/// The row as it is copied; `None` if a block would give another row.
fn copied(key: Vec<u8>, cells: Vec<u8>, written: Option<i64>) -> Option<Copied> {
    let decoded = rows::decoded(&key, &cells, Columns::All).ok()?;
    let record = ExposureRecord::from(Row {
        key,
        cells: decoded,
    });
    let (exposure, boolean_format) = record.exposure()?;
    let created = exposure.created.unix_micros().div_euclid(1_000_000);
    Some(Copied {
        key: record.key().to_vec(),
        cells,
        written: written.unwrap_or(created),
        exposure,
        boolean_format,
    })
}

/// Puts a block in the place of its rows; how many they are, none if one of them has changed or gone.
pub(crate) fn copy_rows(database: &mut Database, rows: &[Copied]) -> Result<usize, Failure> {
    let Some((block, written)) = block_of(rows) else {
        return Ok(0);
    };
    let transaction = begin(database)?;
    schema::ensure_block_and_count_tables(&transaction)?;
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
    let boolean_format = rows.first()?.boolean_format;
    let exposures = rows.iter().map(|row| &row.exposure);
    let batch = ExposureBatch::of(batch_id(rows), boolean_format, exposures);
    let mut blocks = batch.blocks().blocks;
    let block = blocks.pop().filter(|_| blocks.is_empty())?;
    let decoded = decode_block(&block.key_prefix, &block.bytes).ok()?;
    let is_same = decoded.boolean_format() == boolean_format
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

/// The rows of a block each, of rows of a kind.
fn per_block(mut rows: Vec<Copied>) -> Vec<Vec<Copied>> {
    rows.sort_by_key(|row| row.exposure.created);
    let mut blocks: Vec<Vec<Copied>> = Vec::new();
    let mut bytes = 0;
    for row in rows {
        bytes += row.bytes();
        match blocks.last_mut() {
            Some(block) if bytes <= BYTES_PER_BLOCK && row.may_join(block) => block.push(row),
            _ => {
                bytes = row.bytes();
                blocks.push(vec![row]);
            }
        }
    }
    blocks
}

impl Copied {
    fn kind(&self, now: i64) -> Kind {
        let is_recent = now - self.written < RECENT;
        let part = if is_recent { SAME_TIME } else { LONGEST };
        Kind {
            flag: self.exposure.flag.to_string(),
            is_json: self.boolean_format == CellFormat::Json,
            is_recent,
            written: self.written.div_euclid(part),
        }
    }

    fn bytes(&self) -> usize {
        self.key.len() + self.cells.len()
    }

    fn may_join(&self, block: &[Self]) -> bool {
        let created = |row: &Self| row.exposure.created.unix_micros();
        let first = block.first().map_or_else(|| created(self), created);
        block.len() < PER_BLOCK && created(self) - first < LONGEST * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use flag_model::{FlagKey, FlagName, FlagType, FlagValue, InstanceId, ProjectName, Timestamp};
    use tempfile::TempDir;

    use super::*;
    use crate::rows::Write;
    use crate::schema::Contents;
    use crate::stored::StoredRow;

    const HOUR: i64 = 3_600;

    /// A file with a row for each of these: when it was served, how long ago it was written, and the bytes of its value.
    fn rows(directory: &TempDir, rows: &[(i64, i64, usize)]) -> Database {
        let file = directory.path().join("exposures.db");
        let mut database = Database::writer(&file, Contents::Exposures).unwrap();
        let transaction = begin(&mut database).unwrap();
        for (number, (served, ago, bytes)) in rows.iter().enumerate() {
            let exposure = Exposure {
                request_id: format!("r-{number:05}").into(),
                flag: Cow::Owned(FlagKey {
                    project: ProjectName::new("p").unwrap(),
                    flag_type: FlagType::Data,
                    name: FlagName::new("f").unwrap(),
                }),
                instance: InstanceId::new("A").unwrap(),
                value: Cow::Owned(FlagValue::text(&"x".repeat(*bytes)).unwrap()),
                rollout_group: "control".into(),
                reason: None,
                bucket: None,
                revision: None,
                from_cache: None,
                created: Timestamp::from_unix_micros(served * 1_000_000).unwrap(),
            };
            let record = exposure.to_record(CellFormat::Json).unwrap();
            let row = record.row();
            let stored = StoredRow::new(&row.key, &row.cells).unwrap();
            Write::Insert(stored).make(&transaction).unwrap();
            let aged = "UPDATE rows SET written = unixepoch() - ?2 WHERE key = ?1";
            transaction.execute(aged, params![row.key, ago]).unwrap();
        }
        transaction.commit().unwrap();
        database
    }

    const MANY: AtOnce = AtOnce {
        rows: 50_000,
        bytes: 16 << 20,
    };

    /// How many rows each block has.
    fn sizes(database: &Database, at_once: AtOnce) -> Vec<usize> {
        let read = read_rows(database, b"", at_once).unwrap();
        assert_eq!(read.others, 0);
        read.blocks.iter().map(Vec::len).collect()
    }

    #[test]
    fn a_block_spans_a_day_at_most() {
        let directory = TempDir::new().unwrap();
        let sparse: Vec<_> = (0..60)
            .map(|hour| (hour * HOUR, 90 * 24 * HOUR, 1))
            .collect();
        assert_eq!(sizes(&rows(&directory, &sparse), MANY), [24, 24, 12]);
    }

    #[test]
    fn rows_of_one_time_that_were_written_weeks_apart_share_no_block() {
        let directory = TempDir::new().unwrap();
        let late = [(0, 0), (1, 40), (2, 0), (3, 40)];
        let late = late.map(|(served, days)| (served, (days + 2) * 24 * HOUR, 1));
        assert_eq!(sizes(&rows(&directory, &late), MANY), [2, 2]);
    }

    #[test]
    fn recent_rows_share_blocks_of_one_time_of_writing() {
        let directory = TempDir::new().unwrap();
        let recent = [(0, 2 * HOUR, 1), (1, 100, 1), (2, 0, 1), (3, 2 * HOUR, 1)];
        let mut sizes = sizes(&rows(&directory, &recent), MANY);
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 1, 2]);
    }

    #[test]
    fn large_rows_are_read_and_copied_few_at_a_time() {
        let directory = TempDir::new().unwrap();
        let large: Vec<_> = (0..60).map(|second| (second, HOUR, 60_000)).collect();
        let database = rows(&directory, &large);
        let few = AtOnce {
            rows: 50_000,
            bytes: 3_000_000,
        };
        let read = read_rows(&database, b"", few).unwrap();
        let sizes: Vec<_> = read.blocks.iter().map(Vec::len).collect();
        assert_eq!(sizes, [17, 17, 16]);
        let after = read.last.unwrap();
        let next = read_rows(&database, &after, MANY).unwrap();
        assert_eq!(next.blocks.iter().map(Vec::len).sum::<usize>(), 10);
    }
}
