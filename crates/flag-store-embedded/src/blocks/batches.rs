//! How many exposures are read at once: whole blocks, as batches.

use std::ops::ControlFlow;

use flag_store::{BatchPage, ExposureBatch, TimeRange, UnreadableBatch, flag_of_exposure_prefix};
use rusqlite::Connection;

use super::read::{BlockRef, Flag, PageQuery, Position, next_flag, page_of_rows, read, time, walk};
use crate::database::Database;
use crate::failure::Failure;
use crate::schema;

const EXPOSURES: &str = "SELECT exposures FROM blocks WHERE id = ?1";

/// The next exposures of a scope and time: the rows; then by flag, from its newest block to its oldest.
pub(crate) fn batches(
    database: &Database,
    query: &PageQuery,
    caller_waits: &dyn Fn() -> bool,
) -> Result<BatchPage, Failure> {
    let mut page = BatchPage::default();
    let position = match &query.after {
        Some(cursor) => Position::of_cursor(cursor).ok_or(Failure::Cursor)?,
        None => Position::Row(None),
    };
    let position = match position {
        Position::Block(flag, block, _) => (flag, block),
        Position::Row(key) => {
            let rows = page_of_rows(database, query, key.as_deref(), caller_waits)?;
            page.records = rows.records;
            page.next = rows.next;
            if page.next.is_some() {
                return Ok(page);
            }
            (query.scope.flag_prefix_range.start.clone(), None)
        }
    };
    let next = add_blocks(database, query, position, caller_waits, &mut page)?;
    page.next = next.map(|position| position.cursor());
    Ok(page)
}

/// Adds blocks to a page; where the next page begins if there may be more of them.
fn add_blocks(
    database: &Database,
    query: &PageQuery,
    (mut start, mut block): (Vec<u8>, Option<(i64, i64)>),
    caller_waits: &dyn Fn() -> bool,
    page: &mut BatchPage,
) -> Result<Option<Position>, Failure> {
    let connection = database.connection();
    if !schema::has_block_and_count_tables(connection)? {
        return Ok(None);
    }
    let PageQuery { scope, within, .. } = query;
    let mut exposures = page.exposure_count();
    while let Some(flag) = next_flag(connection, &start, scope.flag_prefix_range.end.as_deref())? {
        let from = block
            .take()
            .unwrap_or((flag.newest_bound(*within), i64::MAX));
        let mut next = None;
        walk(connection, &flag, from, |found| {
            if within.is_after(time(found.newest)) {
                return Ok(ControlFlow::Break(()));
            }
            if exposures >= query.limit || !caller_waits() {
                next = Some((found.newest, found.id));
                return Ok(ControlFlow::Break(()));
            }
            if within.is_before(time(found.oldest)) {
                return Ok(ControlFlow::Continue(()));
            }
            match read(connection, &flag, found.id, scope.instance.as_ref()) {
                Ok(Some(batch)) => {
                    let batch = wanted(batch, query);
                    exposures += batch.len();
                    page.batches.push(batch);
                }
                Ok(None) => {}
                Err(failure) => {
                    let unreadable = unreadable(connection, &flag, &found, failure)?;
                    page.unreadable.push(unreadable);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if next.is_some() {
            return Ok(Some(Position::Block(flag.prefix.into_bytes(), next, 0)));
        }
        start = [flag.prefix.as_bytes(), b"\0"].concat();
    }
    Ok(None)
}

/// What is known of a block that cannot be read; every other failure is one of the page.
fn unreadable(
    connection: &Connection,
    flag: &Flag,
    found: &BlockRef,
    failure: Failure,
) -> Result<UnreadableBatch, Failure> {
    let Failure::Block { source, .. } = &failure else {
        return Err(failure);
    };
    let Ok(key) = flag_of_exposure_prefix(&flag.prefix) else {
        return Err(failure);
    };
    let mut exposures = connection.prepare_cached(EXPOSURES)?;
    let exposures: i64 = exposures.query_row([found.id], |row| row.get(0))?;
    Ok(UnreadableBatch {
        flag: key,
        exposure_count: u64::try_from(exposures).unwrap_or_default(),
        oldest: time(found.oldest),
        newest: time(found.newest),
        problem: format!("{failure}: {source}"),
    })
}

/// The exposures of a batch that a query asks for.
fn wanted(batch: ExposureBatch, query: &PageQuery) -> ExposureBatch {
    let instance = query.scope.instance.as_ref();
    if query.within == TimeRange::ALL && instance.is_none() {
        return batch;
    }
    let entries = batch.entries().enumerate().filter(|(_, entry)| {
        query.within.contains(Some(entry.created))
            && instance.is_none_or(|id| id.as_str() == entry.instance)
    });
    let indices: Vec<usize> = entries.map(|(index, _)| index).collect();
    batch.select(batch.id(), &indices)
}
