//! Counts of exposures in the file: every statement that reads or writes them.

use flag_store::{
    CountsQuery, CountsScope, CountsSum, CountsWriterId, ExposureScope, Minute, MinuteCounts, Scan,
    flag_of_exposure_prefix,
};
use rusqlite::params;

use crate::blocks::flag_id;
use crate::database::Database;
use crate::failure::Failure;
use crate::rows::begin;
use crate::schema;

const SET: &str = "INSERT INTO counts (flag, minute, replica, cell) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (flag, minute, replica) DO UPDATE SET cell = excluded.cell, written = unixepoch()";
const READ: &str = "SELECT prefix, minute, cell FROM flags CROSS JOIN counts ON flag = flags.id
    WHERE prefix >= ?1 AND (?2 IS NULL OR prefix < ?2) AND minute >= ?3 AND minute < ?4";

/// A [`CountsQuery`] for a job that may outlive its caller.
#[derive(Debug)]
pub(crate) struct QueryOwned {
    flags: Scan,
    since: Minute,
    until: Minute,
}

impl From<CountsQuery<'_>> for QueryOwned {
    fn from(query: CountsQuery<'_>) -> Self {
        let flags = match query.scope {
            CountsScope::Project(project) => ExposureScope::Project(project),
            CountsScope::Flag(flag) => ExposureScope::Flag(flag),
        };
        Self {
            flags: flags.flags(),
            since: query.since,
            until: query.until,
        }
    }
}

/// Sets the counts of a writer in these minutes, in one transaction.
pub(crate) fn write(
    database: &mut Database,
    writer: CountsWriterId,
    counts: &[MinuteCounts],
) -> Result<(), Failure> {
    let transaction = begin(database)?;
    schema::add_blocks(&transaction)?;
    for of_minute in counts {
        let prefix = ExposureScope::Flag(&of_minute.flag).flags().start;
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

/// The counts that a query asks for, added up over all writers.
pub(crate) fn read(
    database: &Database,
    query: &QueryOwned,
    is_awaited: &dyn Fn() -> bool,
) -> Result<Vec<MinuteCounts>, Failure> {
    let connection = database.connection();
    let mut sum = CountsSum::default();
    if !schema::has_blocks(connection)? {
        return Ok(sum.into_counts());
    }
    let QueryOwned {
        flags,
        since,
        until,
    } = query;
    let mut statement = connection.prepare_cached(READ)?;
    let range = params![flags.start, flags.end, since.number(), until.number()];
    let mut found = statement.query(range)?;
    while is_awaited()
        && let Some(row) = found.next()?
    {
        let (prefix, minute, cell): (Vec<u8>, i64, Vec<u8>) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let prefix = String::from_utf8_lossy(&prefix);
        let flag = flag_of_exposure_prefix(&prefix);
        let counts =
            flag.and_then(|flag| MinuteCounts::of_cell(flag, Minute::from_number(minute), &cell));
        sum.add(counts.map_err(Failure::Counts)?);
    }
    Ok(sum.into_counts())
}
