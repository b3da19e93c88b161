//! Counts as rows: one for each flag, hour and writer, with a cell for each minute.

use std::collections::BTreeMap;

use flag_model::{FlagKey, Invalid};

use crate::exposure_counts::{CountsQuery, CountsScope, CountsSum, CountsWriterId, MinuteCounts};
use crate::pages::Pages;
use crate::row_key::{
    counts_key, counts_prefix, flag_and_hour, flag_counts_prefix, hour_prefix, minute_column,
    minute_of_column,
};
use crate::rows::{Cells, Row, RowStore, Scan};
use crate::store_error::StoreError;

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

/// The counts that a query asks for. Reads the hours of its flags, and a key for each flag of a project.
pub(crate) async fn counts_in_rows(
    rows: &dyn RowStore,
    query: CountsQuery<'_>,
) -> Result<Vec<MinuteCounts>, StoreError> {
    let mut sum = CountsSum::default();
    match query.scope {
        CountsScope::Flag(flag) => counts_of_flag(rows, flag, query, &mut sum).await?,
        CountsScope::Project(project) => {
            let mut scan = Scan::prefix(counts_prefix(project)).limit(1);
            while let Some(key) = rows.keys(scan.clone()).await?.pop() {
                let (flag, _) = flag_and_hour(&key).map_err(|invalid| broken(&key, &invalid))?;
                counts_of_flag(rows, &flag, query, &mut sum).await?;
                let Some(next) = Scan::prefix(flag_counts_prefix(&flag)).end else {
                    break;
                };
                scan.start = next;
            }
        }
    }
    Ok(sum.into_counts())
}

async fn counts_of_flag(
    rows: &dyn RowStore,
    flag: &FlagKey,
    query: CountsQuery<'_>,
    sum: &mut CountsSum,
) -> Result<(), StoreError> {
    let mut scan = Scan::prefix(hour_prefix(flag, query.until));
    scan.start = hour_prefix(flag, query.since).into_bytes();
    let mut pages = Pages::new(rows, scan);
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            return Ok(());
        }
        for row in page {
            add_row(&row, query, sum).map_err(|invalid| broken(&row.key, &invalid))?;
        }
    }
}

fn add_row(row: &Row, query: CountsQuery<'_>, sum: &mut CountsSum) -> Result<(), Invalid> {
    let (flag, hour) = flag_and_hour(&row.key)?;
    for (column, cell) in row.cells.iter() {
        let minute = minute_of_column(hour, column);
        if let Some(minute) = minute.filter(|minute| query.wants(*minute)) {
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
