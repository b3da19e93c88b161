//! Blocks of exposures in the file: every statement that writes them. Reading is in [`read`].
//!
//! A row for each block and its filter in one table, which is what a search reads, and the exposures in another. A block is
//! written once; only forgetting an instance changes it.

mod batches;
mod copy;
mod find;
mod follow;
mod read;
mod span_class;

use flag_model::InstanceId;
use flag_store::{BatchId, ExposureBlock, without_instance};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::database::Database;
use crate::failure::Failure;
use crate::rows::begin;
use crate::schema;

pub(crate) use self::batches::batches;
pub(crate) use self::copy::{AtOnce, copy_rows, read_rows};
pub(crate) use self::find::find;
pub(crate) use self::follow::logged_after;
pub(crate) use self::read::{PageQuery, ScopeOwned, holding, newest_in_blocks, of_instance, page};
use self::span_class::SpanClass;

const ADD_FLAG: &str = "INSERT INTO flags (prefix) VALUES (?1) ON CONFLICT DO NOTHING";
const FLAG: &str = "SELECT id FROM flags WHERE prefix = ?1";
const ADD: &str =
    "INSERT INTO blocks (flag, batch, oldest, newest, exposures, filter, written, span_class)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?7, unixepoch()), ?8) ON CONFLICT DO NOTHING";
const ADD_DATA: &str = "INSERT INTO block_data (block, data) VALUES (?1, ?2)";
const RAISE_LONGEST_SPAN: &str = "UPDATE flags SET span = ?2 WHERE id = ?1 AND span < ?2";
const CHANGE: &str = "UPDATE blocks SET oldest = ?2, newest = ?3, exposures = ?4, filter = ?5, span_class = ?6 WHERE id = ?1";
const CHANGE_DATA: &str = "UPDATE block_data SET data = ?2 WHERE block = ?1";
const DATA: &str = "SELECT prefix, data FROM blocks
    JOIN block_data ON block = blocks.id JOIN flags ON flags.id = flag WHERE blocks.id = ?1";
const REMOVE: &str = "DELETE FROM blocks WHERE id = ?1";
const REMOVE_DATA: &str = "DELETE FROM block_data WHERE block = ?1";

/// Adds the blocks of a batch, in one transaction; those that are there stay as they are.
pub(crate) fn append(
    database: &mut Database,
    batch: BatchId,
    blocks: &[ExposureBlock],
) -> Result<(), Failure> {
    let transaction = begin(database)?;
    schema::ensure_block_and_count_tables(&transaction)?;
    for block in blocks {
        add_written(&transaction, batch, block, None)?;
    }
    Ok(transaction.commit()?)
}

/// Adds a block that was written at a time, in seconds since 1970, or now; whether it is new.
fn add_written(
    transaction: &Transaction<'_>,
    batch: BatchId,
    block: &ExposureBlock,
    written: Option<i64>,
) -> Result<bool, Failure> {
    let flag = flag_id(transaction, &block.key_prefix)?;
    let exposures = i64::try_from(block.exposure_count).unwrap_or(i64::MAX);
    let span = block.newest.unix_micros() - block.oldest.unix_micros();
    let added = transaction.prepare_cached(ADD)?.execute(params![
        flag,
        batch.0.to_be_bytes(),
        block.oldest.unix_micros(),
        block.newest.unix_micros(),
        exposures,
        block.filter,
        written,
        SpanClass::of(span).number(),
    ])?;
    if added == 1 {
        let id = transaction.last_insert_rowid();
        let mut add_data = transaction.prepare_cached(ADD_DATA)?;
        add_data.execute(params![id, block.bytes])?;
        transaction
            .prepare_cached(RAISE_LONGEST_SPAN)?
            .execute([flag, span])?;
    }
    Ok(added == 1)
}

/// The number of a flag in the file, which it gets here if it has none.
pub(crate) fn flag_id(transaction: &Transaction<'_>, prefix: &str) -> Result<i64, Failure> {
    if let Some(id) = known_flag_id(transaction, prefix)? {
        return Ok(id);
    }
    transaction
        .prepare_cached(ADD_FLAG)?
        .execute([prefix.as_bytes()])?;
    Ok(transaction.last_insert_rowid())
}

fn known_flag_id(connection: &Connection, prefix: &str) -> Result<Option<i64>, Failure> {
    let mut flag = connection.prepare_cached(FLAG)?;
    let id = flag.query_row([prefix.as_bytes()], |row| row.get(0));
    Ok(id.optional()?)
}

/// Takes an instance out of these blocks, in one transaction.
pub(crate) fn forget(
    database: &mut Database,
    blocks: &[i64],
    instance: &InstanceId<'_>,
) -> Result<(), Failure> {
    let transaction = begin(database)?;
    for &block in blocks {
        forget_in(&transaction, block, instance)?;
    }
    Ok(transaction.commit()?)
}

fn forget_in(
    transaction: &Transaction<'_>,
    block: i64,
    instance: &InstanceId<'_>,
) -> Result<(), Failure> {
    let stored: Option<(Vec<u8>, Vec<u8>)> = transaction
        .prepare_cached(DATA)?
        .query_row([block], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // It may have expired meanwhile.
    let Some((prefix, data)) = stored else {
        return Ok(());
    };
    let prefix = String::from_utf8_lossy(&prefix);
    let others = without_instance(&prefix, &data, instance);
    let (others, _) = others.map_err(|source| Failure::Block { block, source })?;
    let Some(others) = others else {
        return remove(transaction, block);
    };
    let exposures = i64::try_from(others.exposure_count).unwrap_or(i64::MAX);
    let span = others.newest.unix_micros() - others.oldest.unix_micros();
    transaction.prepare_cached(CHANGE)?.execute(params![
        block,
        others.oldest.unix_micros(),
        others.newest.unix_micros(),
        exposures,
        others.filter,
        SpanClass::of(span).number(),
    ])?;
    let mut change_data = transaction.prepare_cached(CHANGE_DATA)?;
    change_data.execute(params![block, others.bytes])?;
    Ok(())
}

/// Removes a block.
pub(crate) fn remove(transaction: &Transaction<'_>, block: i64) -> Result<(), Failure> {
    transaction.prepare_cached(REMOVE_DATA)?.execute([block])?;
    transaction.prepare_cached(REMOVE)?.execute([block])?;
    Ok(())
}
