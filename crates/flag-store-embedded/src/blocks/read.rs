//! How blocks are read: the newest first.

use std::ops::ControlFlow;

use flag_model::{InstanceId, Timestamp};
use flag_store::{
    BatchEntry, Cursor, ExposureBatch, ExposurePage, ExposureRecord, ExposureScope,
    NewestExposures, Scan, TimeRange, decode_block, may_hold,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::database::Database;
use crate::failure::Failure;
use crate::{rows, schema};

/// The flag of a range of names that comes first.
const NEXT_FLAG: &str = "SELECT id, prefix, span FROM flags
    WHERE prefix >= ?1 AND (?2 IS NULL OR prefix < ?2) ORDER BY prefix LIMIT 1";
/// The blocks of a flag from one on, the newest first.
const BLOCKS: &str = "SELECT id, newest, oldest FROM blocks
    WHERE flag = ?1 AND (newest, id) <= (?2, ?3) ORDER BY newest DESC, id DESC";
const FILTER: &str = "SELECT filter FROM blocks WHERE id = ?1";
const DATA: &str = "SELECT data FROM block_data WHERE block = ?1";

/// An [`ExposureScope`] for a job that may outlive its caller.
#[derive(Clone, Debug)]
pub(crate) struct ScopeOwned {
    /// What the keys of the flags begin with.
    pub(super) flag_prefix_range: Scan,
    pub(super) instance: Option<InstanceId<'static>>,
    /// The keys of the rows.
    pub(super) row_range: Scan,
}

impl ScopeOwned {
    /// Whether a flag of this name is of it.
    pub(super) fn has_flag(&self, prefix: &[u8]) -> bool {
        let Scan { start, end, .. } = &self.flag_prefix_range;
        prefix >= start.as_slice() && end.as_deref().is_none_or(|end| prefix < end)
    }
}

impl From<ExposureScope<'_>> for ScopeOwned {
    fn from(scope: ExposureScope<'_>) -> Self {
        Self {
            flag_prefix_range: scope.flag_prefix_range(),
            instance: match scope {
                ExposureScope::Instance(_, instance) => Some(instance.clone().into_owned()),
                ExposureScope::Project(_) | ExposureScope::Flag(_) => None,
            },
            row_range: scope.row_range(),
        }
    }
}

/// A flag that has blocks.
pub(super) struct Flag {
    pub(super) id: i64,
    pub(super) prefix: String,
    /// The longest time that one of its blocks spans, in microseconds.
    pub(super) span: i64,
}

impl Flag {
    /// An upper limit, in microseconds, for the newest exposure of every block of the flag that has an exposure in this range:
    /// no block is longer than `span`.
    pub(super) fn newest_bound(&self, within: TimeRange) -> i64 {
        let until = within.until.map_or(i64::MAX, Timestamp::unix_micros);
        until.saturating_add(self.span)
    }
}

/// Which block, and when its exposures were served, in microseconds.
#[derive(Clone, Copy)]
pub(super) struct BlockRef {
    pub(super) id: i64,
    pub(super) newest: i64,
    pub(super) oldest: i64,
}

/// Where a page begins: after a row, or in a block of a flag. Rows come before blocks, as rows may be copied into blocks meanwhile:
/// such an exposure is read twice rather than never.
pub(super) enum Position {
    /// The flag, the block, and how many of its exposures the pages before had.
    Block(Vec<u8>, Option<(i64, i64)>, usize),
    Row(Option<Vec<u8>>),
}

/// What a page is of.
pub(crate) struct PageQuery {
    pub(crate) scope: ScopeOwned,
    pub(crate) within: TimeRange,
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: usize,
}

/// The next records of a scope and time, at most `limit`: the rows; then by flag, from its newest block to its oldest.
pub(crate) fn page(
    database: &Database,
    query: &PageQuery,
    caller_waits: &dyn Fn() -> bool,
) -> Result<ExposurePage, Failure> {
    let mut page = ExposurePage::default();
    let position = match &query.after {
        Some(cursor) => Position::of_cursor(cursor).ok_or(Failure::Cursor)?,
        None => Position::Row(None),
    };
    let position = match position {
        Position::Block(flag, block, skipped) => (flag, block, skipped),
        Position::Row(key) => {
            page = page_of_rows(database, query, key.as_deref(), caller_waits)?;
            if page.next.is_some() {
                return Ok(page);
            }
            (query.scope.flag_prefix_range.start.clone(), None, 0)
        }
    };
    let next = page_of_blocks(database, query, position, caller_waits, &mut page)?;
    page.next = next.map(|position| position.cursor());
    Ok(page)
}

/// The next records that are rows, after a key; the page has a next one if there may be more of them.
pub(super) fn page_of_rows(
    database: &Database,
    query: &PageQuery,
    after: Option<&[u8]>,
    caller_waits: &dyn Fn() -> bool,
) -> Result<ExposurePage, Failure> {
    let mut scan = query.scope.row_range.clone().limit(query.limit);
    if let Some(key) = after {
        scan.go_on_after(key);
    }
    let found = rows::scan(database, &scan, caller_waits)?;
    let last = found.last().filter(|_| found.len() == query.limit);
    let next = last.map(|row| Position::Row(Some(row.key.clone())).cursor());
    let records = found.into_iter().map(ExposureRecord::from);
    let records = records.filter(|record| query.within.contains(record.created()));
    Ok(ExposurePage {
        records: records.collect(),
        next,
    })
}

/// Adds exposures of blocks to a page; where the next page begins if there may be more of them.
fn page_of_blocks(
    database: &Database,
    query: &PageQuery,
    (mut start, mut block, mut skipped): (Vec<u8>, Option<(i64, i64)>, usize),
    caller_waits: &dyn Fn() -> bool,
    page: &mut ExposurePage,
) -> Result<Option<Position>, Failure> {
    let connection = database.connection();
    if !schema::has_block_and_count_tables(connection)? {
        return Ok(None);
    }
    let PageQuery { scope, within, .. } = query;
    while let Some(flag) = next_flag(connection, &start, scope.flag_prefix_range.end.as_deref())? {
        let from = block
            .take()
            .unwrap_or((flag.newest_bound(*within), i64::MAX));
        let mut next = None;
        walk(connection, &flag, from, |found| {
            if within.is_after(time(found.newest)) {
                return Ok(ControlFlow::Break(()));
            }
            if within.is_before(time(found.oldest)) && caller_waits() {
                return Ok(ControlFlow::Continue(()));
            }
            if page.records.len() >= query.limit || !caller_waits() {
                next = Some((found, 0));
                return Ok(ControlFlow::Break(()));
            }
            // The block of the cursor may have expired meanwhile.
            let already = std::mem::take(&mut skipped);
            let already = if (found.newest, found.id) == from {
                already
            } else {
                0
            };
            let Some(batch) = read(connection, &flag, found.id, scope.instance.as_ref())? else {
                return Ok(ControlFlow::Continue(()));
            };
            let entries = entries_of(&batch, scope.instance.as_ref());
            let entries = entries.filter(|entry| within.contains(Some(entry.created)));
            let records = entries.filter_map(|entry| batch.record(entry));
            let records = records.skip(already);
            let wanted = query.limit - page.records.len();
            let before = page.records.len();
            page.records.extend(records.take(wanted));
            if page.records.len() - before == wanted {
                next = Some((found, already + wanted));
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if let Some((found, skipped)) = next {
            let prefix = flag.prefix.into_bytes();
            return Ok(Some(Position::Block(
                prefix,
                Some((found.newest, found.id)),
                skipped,
            )));
        }
        start = [flag.prefix.as_bytes(), b"\0"].concat();
    }
    Ok(None)
}

/// Adds the exposures of blocks to the newest.
pub(crate) fn newest_in_blocks(
    database: &Database,
    scope: &ScopeOwned,
    newest: &mut NewestExposures,
    caller_waits: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let connection = database.connection();
    if !schema::has_block_and_count_tables(connection)? {
        return Ok(());
    }
    let mut start = scope.flag_prefix_range.start.clone();
    while let Some(flag) = next_flag(connection, &start, scope.flag_prefix_range.end.as_deref())? {
        let from = flag.newest_bound(newest.within());
        walk(connection, &flag, (from, i64::MAX), |found| {
            if !caller_waits() || newest.is_beyond(time(found.newest)) {
                return Ok(ControlFlow::Break(()));
            }
            if newest.within().is_before(time(found.oldest)) {
                return Ok(ControlFlow::Continue(()));
            }
            if let Some(batch) = read(connection, &flag, found.id, scope.instance.as_ref())? {
                let entries = entries_of(&batch, scope.instance.as_ref());
                let entries = entries.filter(|entry| {
                    newest.wants(Some(entry.created))
                        && batch.template(entry.template).is_some_and(|template| {
                            newest.wants_group(template.rollout_group.as_bytes())
                        })
                });
                let wanted: Vec<_> = entries.collect();
                newest.extend(wanted.into_iter().filter_map(|entry| batch.record(entry)));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        start = [flag.prefix.as_bytes(), b"\0"].concat();
    }
    Ok(())
}

/// How many exposures of an instance are in blocks, by what the keys of their flags begin with.
pub(crate) fn of_instance(
    database: &Database,
    flag_prefix_range: &Scan,
    instance: &InstanceId<'static>,
    caller_waits: &dyn Fn() -> bool,
) -> Result<Vec<(String, usize)>, Failure> {
    let mut found = Vec::new();
    let mut start = flag_prefix_range.start.clone();
    let connection = database.connection();
    if !schema::has_block_and_count_tables(connection)? {
        return Ok(found);
    }
    while let Some(flag) = next_flag(connection, &start, flag_prefix_range.end.as_deref())? {
        let mut exposures = 0;
        each_holding(connection, &flag, instance, caller_waits, |_, count| {
            exposures += count;
        })?;
        start = [flag.prefix.as_bytes(), b"\0"].concat();
        if exposures > 0 {
            found.push((flag.prefix, exposures));
        }
    }
    Ok(found)
}

/// The blocks of a flag that hold exposures of an instance.
pub(crate) fn holding(
    database: &Database,
    prefix: &str,
    instance: &InstanceId<'static>,
    caller_waits: &dyn Fn() -> bool,
) -> Result<Vec<i64>, Failure> {
    let connection = database.connection();
    let mut blocks = Vec::new();
    if schema::has_block_and_count_tables(connection)?
        && let Some(flag) = flag(connection, prefix)?
    {
        each_holding(connection, &flag, instance, caller_waits, |block, _| {
            blocks.push(block);
        })?;
    }
    Ok(blocks)
}

fn each_holding(
    connection: &Connection,
    flag: &Flag,
    instance: &InstanceId<'static>,
    caller_waits: &dyn Fn() -> bool,
    mut found: impl FnMut(i64, usize),
) -> Result<(), Failure> {
    walk(connection, flag, (i64::MAX, i64::MAX), |block| {
        if !caller_waits() {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(batch) = read(connection, flag, block.id, Some(instance))? {
            let entries = batch.entries();
            match entries
                .filter(|entry| entry.instance == instance.as_str())
                .count()
            {
                0 => {}
                count => found(block.id, count),
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The flag whose keys begin like this.
pub(super) fn flag(connection: &Connection, prefix: &str) -> Result<Option<Flag>, Failure> {
    let found = next_flag(connection, prefix.as_bytes(), None)?;
    Ok(found.filter(|flag| flag.prefix == prefix))
}

pub(super) fn next_flag(
    connection: &Connection,
    start: &[u8],
    end: Option<&[u8]>,
) -> Result<Option<Flag>, Failure> {
    let mut next = connection.prepare_cached(NEXT_FLAG)?;
    let found = next.query_row(params![start, end], |row| {
        let prefix: Vec<u8> = row.get(1)?;
        Ok(Flag {
            id: row.get(0)?,
            prefix: String::from_utf8_lossy(&prefix).into_owned(),
            span: row.get(2)?,
        })
    });
    Ok(found.optional()?)
}

/// Visits the blocks of a flag from one on, the newest first, until told to stop.
pub(super) fn walk(
    connection: &Connection,
    flag: &Flag,
    (newest, id): (i64, i64),
    mut visit: impl FnMut(BlockRef) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Failure> {
    let mut blocks = connection.prepare_cached(BLOCKS)?;
    let mut found = blocks.query(params![flag.id, newest, id])?;
    while let Some(row) = found.next()? {
        let block = BlockRef {
            id: row.get(0)?,
            newest: row.get(1)?,
            oldest: row.get(2)?,
        };
        if visit(block)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The exposures of a block; `None` if it holds none of an instance, or has expired meanwhile.
pub(super) fn read(
    connection: &Connection,
    flag: &Flag,
    block: i64,
    instance: Option<&InstanceId<'static>>,
) -> Result<Option<ExposureBatch>, Failure> {
    if let Some(instance) = instance {
        let mut filter = connection.prepare_cached(FILTER)?;
        let may_hold = filter.query_row([block], |row| {
            Ok(may_hold(row.get_ref(0)?.as_blob()?, instance.as_str()))
        });
        if may_hold.optional()? != Some(true) {
            return Ok(None);
        }
    }
    let mut data = connection.prepare_cached(DATA)?;
    let decoded = data.query_row([block], |row| {
        Ok(decode_block(&flag.prefix, row.get_ref(0)?.as_blob()?))
    });
    let decoded = decoded.optional()?.transpose();
    decoded.map_err(|source| Failure::Block { block, source })
}

/// The records of a block, the last one first.
pub(super) fn records<'a>(
    batch: &'a ExposureBatch,
    instance: Option<&'a InstanceId<'static>>,
) -> impl Iterator<Item = ExposureRecord> + 'a {
    entries_of(batch, instance).filter_map(|entry| batch.record(entry))
}

fn entries_of<'a>(
    batch: &'a ExposureBatch,
    instance: Option<&'a InstanceId<'static>>,
) -> impl Iterator<Item = BatchEntry<'a>> {
    let entries = batch.entries().rev();
    entries.filter(move |entry| instance.is_none_or(|id| id.as_str() == entry.instance))
}

pub(super) fn time(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Position {
    const BLOCK: u8 = 0;
    const ROW: u8 = 1;

    pub(super) fn cursor(&self) -> Cursor {
        let mut bytes = Vec::new();
        match self {
            Self::Block(flag, block, skipped) => {
                let (newest, id) = block.unwrap_or((i64::MAX, i64::MAX));
                bytes.push(Self::BLOCK);
                bytes.extend(newest.to_be_bytes());
                bytes.extend(id.to_be_bytes());
                bytes.extend((*skipped as u64).to_be_bytes());
                bytes.extend(flag);
            }
            Self::Row(key) => {
                bytes.push(Self::ROW);
                bytes.extend(key.iter().flatten());
            }
        }
        Cursor(bytes)
    }

    pub(super) fn of_cursor(Cursor(bytes): &Cursor) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        if *kind == Self::ROW {
            return Some(Self::Row((!rest.is_empty()).then(|| rest.to_vec())));
        }
        let (newest, rest) = rest.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (skipped, flag) = rest.split_first_chunk()?;
        let block = (i64::from_be_bytes(*newest), i64::from_be_bytes(*id));
        let skipped = usize::try_from(u64::from_be_bytes(*skipped)).ok()?;
        Some(Self::Block(flag.to_vec(), Some(block), skipped))
    }
}
