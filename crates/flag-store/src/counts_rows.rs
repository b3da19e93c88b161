//! Counts as rows: one for each flag, hour and writer, with a cell for each minute.

use std::collections::BTreeMap;
use std::ops::Range;

use flag_model::{FlagKey, Invalid};

use crate::exposure_counts::{CountsSum, CountsWriterId, Minute, MinuteCounts};
use crate::pages::Pages;
use crate::row_key::{counts_key, flag_and_hour, hour_prefix, minute_column, minute_of_column};
use crate::rows::{Cells, Row, RowStore, Scan};
use crate::store_error::StoreError;

const DAY: i64 = 24 * Minute::PER_HOUR;

/// The rows with the cells of these counts.
pub(crate) fn rows_of_counts(writer: CountsWriterId, counts: &[MinuteCounts]) -> Vec<Row> {
    let mut rows: BTreeMap<String, Cells> = BTreeMap::new();
    for of_minute in counts {
        let key = counts_key(&of_minute.flag, of_minute.minute, writer);
        let cells = rows.entry(key).or_default();
        cells.set(minute_column(of_minute.minute), of_minute.cell());
    }
    let rows = rows.into_iter();
    rows.map(|(key, cells)| Row {
        key: key.into_bytes(),
        cells,
    })
    .collect()
}

/// The counts of a flag in these minutes. Reads their hours.
pub(crate) async fn counts_in_rows(
    rows: &dyn RowStore,
    flag: &FlagKey,
    within: Range<Minute>,
) -> Result<Vec<MinuteCounts>, StoreError> {
    let mut sum = CountsSum::default();
    let mut pages = hours(rows, flag, &within);
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            return Ok(sum.into_counts());
        }
        for row in page {
            add_row(&row, &within, &mut sum).map_err(|invalid| broken(&row.key, &invalid))?;
        }
    }
}

/// The latest of these minutes in which each flag was counted, one flag after the other. Reads their last hour first, then a day,
/// and then twice as many each time.
pub(crate) async fn last_counted_in_rows(
    rows: &dyn RowStore,
    flags: &[FlagKey],
    within: Range<Minute>,
) -> Result<Vec<Option<Minute>>, StoreError> {
    let mut found = Vec::with_capacity(flags.len());
    for flag in flags {
        found.push(last_counted(rows, flag, &within).await?);
    }
    Ok(found)
}

async fn last_counted(
    rows: &dyn RowStore,
    flag: &FlagKey,
    within: &Range<Minute>,
) -> Result<Option<Minute>, StoreError> {
    let (mut until, mut minutes) = (within.end, Minute::PER_HOUR);
    loop {
        let since = until.plus(-minutes).max(within.start);
        let last = last_minute(rows, flag, &(since..until)).await?;
        if last.is_some() || since == within.start {
            return Ok(last);
        }
        minutes = minutes.saturating_mul(2).max(DAY);
        until = since;
    }
}

/// The latest of these minutes that has a cell. What it says is not read.
async fn last_minute(
    rows: &dyn RowStore,
    flag: &FlagKey,
    within: &Range<Minute>,
) -> Result<Option<Minute>, StoreError> {
    let (mut last, mut pages) = (None, hours(rows, flag, within));
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            return Ok(last);
        }
        for row in page {
            let of_key = flag_and_hour(&row.key);
            let (_, hour) = of_key.map_err(|invalid| broken(&row.key, &invalid))?;
            let columns = row.cells.iter().map(|(column, _)| column);
            let minutes = columns.filter_map(|column| minute_of_column(hour, column));
            last = last.max(minutes.filter(|minute| within.contains(minute)).max());
        }
    }
}

/// The rows of the hours that these minutes are in.
fn hours<'a>(rows: &'a dyn RowStore, flag: &FlagKey, within: &Range<Minute>) -> Pages<'a> {
    let mut scan = Scan::prefix(hour_prefix(flag, within.end));
    scan.start = hour_prefix(flag, within.start).into_bytes();
    Pages::new(rows, scan)
}

fn add_row(row: &Row, within: &Range<Minute>, sum: &mut CountsSum) -> Result<(), Invalid> {
    let (flag, hour) = flag_and_hour(&row.key)?;
    for (column, cell) in row.cells.iter() {
        let minute = minute_of_column(hour, column);
        if let Some(minute) = minute.filter(|minute| within.contains(minute)) {
            sum.add(MinuteCounts::of_cell(flag.clone(), minute, cell)?);
        }
    }
    Ok(())
}

fn broken(key: &[u8], invalid: &Invalid) -> StoreError {
    StoreError::Broken {
        source: format!("row {}: {invalid}", String::from_utf8_lossy(key)).into(),
    }
}
