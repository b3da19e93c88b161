//! How one exposure is found in blocks by its key.
//!
//! Each caller that logs an exposure late asks for it while it holds the lock for writing, so a search reads only blocks that may
//! hold the time in the key, and at most as many index entries of others:
//! `a_late_exposure_is_searched_in_few_blocks_however_long_one_of_them_is`.

use flag_model::Timestamp;
use flag_store::ExposureRecord;
use rusqlite::{Connection, params};

use super::read::{Flag, flag, read};
use super::span_class::SpanClass;
use crate::failure::Failure;
use crate::schema;

/// The blocks that hold an instant and end within the span of the first class after it: all of that class, and some of longer
/// classes.
const SHORT: &str = "SELECT id FROM blocks
    WHERE flag = ?1 AND newest BETWEEN ?2 AND ?3 AND oldest <= ?2
    ORDER BY newest DESC, id DESC";
/// The blocks of a longer class that hold an instant.
const LONG: &str = "SELECT id FROM blocks INDEXED BY long_blocks
    WHERE flag = ?1 AND span_class = ?4 AND span_class > 0 AND newest BETWEEN ?2 AND ?3 AND oldest <= ?2
    ORDER BY newest DESC";

/// The record with a key, if it is in a block.
pub(crate) fn find(connection: &Connection, key: &[u8]) -> Result<Option<ExposureRecord>, Failure> {
    let Some((prefix, created)) = flag_store::prefix_and_time(key) else {
        return Ok(None);
    };
    if !schema::has_block_and_count_tables(connection)? {
        return Ok(None);
    }
    let Some(flag) = flag(connection, prefix)? else {
        return Ok(None);
    };
    let longest = SpanClass::of(flag.span);
    for class in [SpanClass::FIRST].into_iter().chain(longest.longer()) {
        let found = find_in_class(connection, &flag, class, created, key)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn find_in_class(
    connection: &Connection,
    flag: &Flag,
    class: SpanClass,
    created: Timestamp,
    key: &[u8],
) -> Result<Option<ExposureRecord>, Failure> {
    let instant = created.unix_micros();
    let newest_range = class.newest_range(instant);
    let (from, to) = (newest_range.start(), newest_range.end());
    let mut blocks;
    let mut found = if class == SpanClass::FIRST {
        blocks = connection.prepare_cached(SHORT)?;
        blocks.query(params![flag.id, from, to])?
    } else {
        blocks = connection.prepare_cached(LONG)?;
        blocks.query(params![flag.id, from, to, class.number()])?
    };
    while let Some(row) = found.next()? {
        let Some(batch) = read(connection, flag, row.get(0)?, None)? else {
            continue;
        };
        let same_time = batch.entries().filter(|entry| entry.created == created);
        let mut records = same_time.filter_map(|entry| batch.record(entry));
        if let Some(record) = records.find(|record| record.key() == key) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use flag_model::{FlagKey, FlagName, FlagType, FlagValue, InstanceId, ProjectName};
    use flag_store::{BatchId, CellFormat, ExposureBatch, ExposureTemplate};
    use rusqlite::StatementStatus;
    use tempfile::TempDir;

    use super::super::append;
    use super::*;
    use crate::database::Database;
    use crate::schema::Contents;

    const DAY: i64 = 24 * 3_600;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_unix_micros(millisecond * 1_000).unwrap()
    }

    /// A batch with an exposure at each of these times, the request id of which is the time.
    fn batch(id: u128, milliseconds: &[i64]) -> ExposureBatch {
        let mut batch = ExposureBatch::new(BatchId(id), CellFormat::Json);
        let template = batch.add_template(ExposureTemplate {
            flag: FlagKey {
                project: ProjectName::new("p").unwrap(),
                flag_type: FlagType::Feature,
                name: FlagName::new("f").unwrap(),
            },
            revision: None,
            value: FlagValue::Boolean(true),
            rollout_group: "control".to_owned(),
            reason: None,
            from_cache: None,
        });
        let instance = InstanceId::new("A").unwrap();
        for &time in milliseconds {
            batch.push(template, &time.to_string(), &instance, None, at(time));
        }
        batch
    }

    fn keys(batch: &ExposureBatch) -> Vec<Vec<u8>> {
        let records = batch
            .exposures()
            .map(|of| of.to_record(CellFormat::Json).unwrap());
        records.map(|record| record.key().to_vec()).collect()
    }

    fn steps(connection: &Connection) -> i32 {
        [SHORT, LONG]
            .map(|statement| {
                let statement = connection.prepare_cached(statement).unwrap();
                statement.get_status(StatementStatus::VmStep)
            })
            .iter()
            .sum()
    }

    #[test]
    fn a_late_exposure_is_searched_in_few_blocks_however_long_one_of_them_is() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("exposures.db");
        let mut database = Database::writer(&file, Contents::Exposures).unwrap();
        let long = batch(0, &[0, DAY * 1_000]);
        append(&mut database, long.id(), &long.blocks().blocks).unwrap();
        for number in 1..3_000 {
            let start = i64::try_from(number).unwrap() * 20_000;
            let short = batch(number, &[start, start + 100]);
            append(&mut database, short.id(), &short.blocks().blocks).unwrap();
        }
        let connection = database.connection();
        let before = steps(connection);
        let late = batch(0, &[5_000]);
        assert_eq!(find(connection, &keys(&late)[0]).unwrap(), None);
        let steps = steps(connection) - before;
        assert!(steps < 1_000, "{steps} steps for 3,000 blocks");
        for there in [long, batch(0, &[20_000, 20_100])] {
            for key in keys(&there) {
                let found = find(connection, &key).unwrap().unwrap();
                assert_eq!(found.key(), key);
            }
        }
    }
}
