//! Shows exposures as they are logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flag_store::{Cursor, ExposureLog, ExposurePage, ExposureScope, StoreError};
use futures_util::future::{Either, select};
use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::time::sleep;

use super::ShowError;
use super::selection::Selection;
use super::shown::Shown;
use crate::failure::{CannotStart, Failure, with_causes};
use crate::output::{Written, notice};

/// The pause between two looks at the log; a log that takes longer to read is read less often.
const EVERY: Duration = Duration::from_secs(1);

/// How soon a signal is noticed.
const NOTICED: Duration = Duration::from_millis(50);

/// Shows what is logged from now on; ends without failure at SIGINT, SIGTERM, or when nobody reads the output.
pub(super) async fn follow(
    log: &dyn ExposureLog,
    selection: &Selection,
    shown: &mut Shown<'_>,
) -> Result<(), ShowError> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register(signal, Arc::clone(&ended));
        registered.map_err(|error| Failure::from(CannotStart::from(error)))?;
    }
    let following = Box::pin(until_closed(log, selection, shown));
    let ending = Box::pin(async {
        while !ended.load(Ordering::Relaxed) {
            sleep(NOTICED).await;
        }
    });
    match select(following, ending).await {
        Either::Left((done, _)) => done,
        Either::Right(((), _)) => Ok(()),
    }
}

async fn until_closed(
    log: &dyn ExposureLog,
    selection: &Selection,
    shown: &mut Shown<'_>,
) -> Result<(), ShowError> {
    let scopes = selection.scopes();
    let mut cursors = Vec::new();
    for scope in &scopes {
        cursors.push(log.logged_after(*scope, None).await?.next);
    }
    shown.show(&[])?;
    let mut has_failed = false;
    loop {
        let began = Instant::now();
        for (scope, cursor) in scopes.iter().zip(&mut cursors) {
            while let Some(page) = next(log, *scope, cursor.as_ref(), &mut has_failed).await? {
                // Kept also where nothing is found: it says how far the log was read.
                *cursor = page.next.or(cursor.take());
                let mut records = page.records;
                let is_end = records.is_empty();
                records.retain(|record| selection.has(record));
                if shown.show(&records)? == Written::Closed {
                    return Ok(());
                }
                if is_end {
                    break;
                }
            }
        }
        sleep(EVERY.max(began.elapsed())).await;
    }
}

/// The next records; `None` if the store does not answer now.
async fn next(
    log: &dyn ExposureLog,
    of: ExposureScope<'_>,
    after: Option<&Cursor>,
    has_failed: &mut bool,
) -> Result<Option<ExposurePage>, StoreError> {
    match log.logged_after(of, after).await {
        Ok(page) => {
            *has_failed = false;
            Ok(Some(page))
        }
        Err(error) if error.is_transient() => {
            if !std::mem::replace(has_failed, true) {
                let causes = with_causes(&error);
                notice(&format!(
                    "the log does not answer; it is tried again: {causes}"
                ));
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
