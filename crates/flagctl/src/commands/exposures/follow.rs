//! Shows exposures as they are logged.

use flag_store::{Cursor, ExposureLog, ExposurePage, ExposureScope, StoreError};
use tokio::time::Instant;

use super::ShowError;
use super::printer::ExposurePrinter;
use super::selection::Selection;
use crate::failure::Failure;
use crate::following::{Outage, pause, until_interrupted};
use crate::output::{OutputPipe, notice};

/// Shows what is logged from now on; ends without failure at SIGINT, SIGTERM, or when nobody reads the output.
pub(super) async fn follow(
    log: &dyn ExposureLog,
    selection: &Selection,
    printer: &mut ExposurePrinter<'_>,
) -> Result<(), ShowError> {
    let done = until_interrupted(until_closed(log, selection, printer)).await;
    done.map_err(Failure::from)?.unwrap_or(Ok(()))
}

async fn until_closed(
    log: &dyn ExposureLog,
    selection: &Selection,
    printer: &mut ExposurePrinter<'_>,
) -> Result<(), ShowError> {
    let scopes = selection.scopes();
    let mut cursors = Vec::new();
    for scope in &scopes {
        cursors.push(log.logged_after(*scope, None).await?.next);
    }
    printer.print(&[])?;
    let mut outage = Outage::default();
    loop {
        let began = Instant::now();
        for (scope, cursor) in scopes.iter().zip(&mut cursors) {
            while let Some(page) = next(log, *scope, cursor.as_ref(), &mut outage).await? {
                // Kept also where nothing is found: it says how far the log was read.
                *cursor = page.next.or(cursor.take());
                let mut records = page.records;
                let is_end = records.is_empty();
                records.retain(|record| selection.has(record));
                if printer.print(&records)? == OutputPipe::Closed {
                    return Ok(());
                }
                if is_end {
                    break;
                }
            }
        }
        pause(began).await;
    }
}

/// The next records; `None` if the store does not answer now.
async fn next(
    log: &dyn ExposureLog,
    of: ExposureScope<'_>,
    after: Option<&Cursor>,
    outage: &mut Outage,
) -> Result<Option<ExposurePage>, StoreError> {
    let page = outage.pass("the log", log.logged_after(of, after).await)?;
    if let Some(problem) = outage.news() {
        notice(problem);
    }
    Ok(page)
}
