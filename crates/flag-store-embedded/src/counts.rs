//! Counts of exposures in the file: every statement that reads or writes them.

use std::ops::Range;

use flag_model::FlagKey;
use flag_store::{CountsSum, CountsWriterId, ExposureScope, Minute, MinuteCounts};
use rusqlite::{OptionalExtension as _, params};

use crate::blocks::flag_id;
use crate::database::Database;
use crate::failure::Failure;
use crate::rows::begin;
use crate::schema;

const SET: &str = "INSERT INTO counts (flag, minute, replica, cell) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (flag, minute, replica) DO UPDATE SET cell = excluded.cell, written = unixepoch()";
const READ: &str = "SELECT minute, cell FROM flags CROSS JOIN counts ON flag = flags.id
    WHERE prefix = ?1 AND minute >= ?2 AND minute < ?3";
const LAST: &str = "SELECT minute FROM flags CROSS JOIN counts ON flag = flags.id
    WHERE prefix = ?1 AND minute >= ?2 AND minute < ?3 ORDER BY minute DESC LIMIT 1";

/// Sets the counts of a writer in these minutes, in one transaction.
pub(crate) fn write(
    database: &mut Database,
    writer: CountsWriterId,
    counts: &[MinuteCounts],
) -> Result<(), Failure> {
    let transaction = begin(database)?;
    schema::ensure_block_and_count_tables(&transaction)?;
    for of_minute in counts {
        let prefix = prefix(&of_minute.flag);
        let flag = flag_id(&transaction, &String::from_utf8_lossy(&prefix))?;
        transaction.prepare_cached(SET)?.execute(params![
            flag,
            of_minute.minute.number(),
            writer.0.to_be_bytes(),
            of_minute.cell().into_bytes(),
        ])?;
    }
    Ok(transaction.commit()?)
}

/// The counts of a flag in these minutes, added up over all writers.
pub(crate) fn read(
    database: &Database,
    flag: &FlagKey,
    within: &Range<Minute>,
    caller_waits: &dyn Fn() -> bool,
) -> Result<Vec<MinuteCounts>, Failure> {
    let connection = database.connection();
    let mut sum = CountsSum::default();
    if !schema::has_block_and_count_tables(connection)? {
        return Ok(sum.into_counts());
    }
    let mut statement = connection.prepare_cached(READ)?;
    let (start, end) = (within.start.number(), within.end.number());
    let mut found = statement.query(params![prefix(flag), start, end])?;
    while caller_waits()
        && let Some(row) = found.next()?
    {
        let (minute, cell): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let counts = MinuteCounts::of_cell(flag.clone(), Minute::from_number(minute), &cell);
        sum.add(counts.map_err(Failure::Counts)?);
    }
    Ok(sum.into_counts())
}

/// The latest of these minutes in which each flag was counted.
pub(crate) fn last(
    database: &Database,
    flags: &[FlagKey],
    within: &Range<Minute>,
    caller_waits: &dyn Fn() -> bool,
) -> Result<Vec<Option<Minute>>, Failure> {
    let connection = database.connection();
    if !schema::has_block_and_count_tables(connection)? {
        return Ok(vec![None; flags.len()]);
    }
    let mut statement = connection.prepare_cached(LAST)?;
    let (start, end) = (within.start.number(), within.end.number());
    let flags = flags.iter().take_while(|_| caller_waits());
    let minutes = flags.map(|flag| {
        let range = params![prefix(flag), start, end];
        let minute = statement.query_row(range, |row| row.get(0)).optional()?;
        Ok(minute.map(Minute::from_number))
    });
    minutes.collect()
}

/// What the flag is called in the table of flags.
fn prefix(flag: &FlagKey) -> Vec<u8> {
    ExposureScope::Flag(flag).flag_prefix_range().start
}
