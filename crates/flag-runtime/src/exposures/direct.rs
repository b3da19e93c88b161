//! Exposures that are written while the caller waits.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use flag_model::Invalid;
use flag_store::{Exposure, ExposureLog, ExposureRecord, StoreError, WriteExposureError};
use futures_util::{StreamExt as _, stream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::format::ExposureFormat;

/// Deadline of a write.
const WITHIN: Duration = Duration::from_secs(2);

/// The most concurrent writes; others wait, within their deadline.
const WRITES: usize = 64;

/// The most concurrent writes of one caller.
const AT_ONCE: usize = 32;

/// Writes exposures while the caller waits.
#[derive(Debug)]
pub(crate) struct Direct {
    log: Arc<dyn ExposureLog>,
    format: ExposureFormat,
    /// Where writes run: a cancelled request must not cancel its write.
    writes: Handle,
    limit: Arc<Semaphore>,
}

impl Direct {
    /// Writes into `log`, in tasks of `writes`.
    pub(crate) fn new(log: Arc<dyn ExposureLog>, format: ExposureFormat, writes: Handle) -> Self {
        Self {
            log,
            format,
            writes,
            limit: Arc::new(Semaphore::new(WRITES)),
        }
    }

    /// Writes exposures; one result each, in order.
    pub(crate) async fn write(
        &self,
        exposures: Vec<Exposure<'_>>,
    ) -> Vec<Result<(), WriteExposureError>> {
        let mut records = Vec::with_capacity(exposures.len());
        let encoded: Vec<Result<(), Invalid>> = exposures
            .into_iter()
            .map(|exposure| {
                self.format
                    .record(exposure)
                    .map(|record| records.push(record))
            })
            .collect();
        let mut written = self.write_records(records).await.into_iter();
        let results = encoded.into_iter().map(|encoded| {
            encoded?;
            written.next().unwrap_or_else(late)
        });
        results.collect()
    }

    /// Writes records; returns fewer results than records after the deadline.
    async fn write_records(
        &self,
        records: Vec<ExposureRecord>,
    ) -> Vec<Result<(), WriteExposureError>> {
        let (log, limit) = (Arc::clone(&self.log), Arc::clone(&self.limit));
        let writing = self.writes.spawn(async move {
            let write = async {
                let _place = limit.acquire().await;
                insert_all(&*log, &records).await
            };
            timeout(WITHIN, write).await.unwrap_or_default()
        });
        let written = timeout(WITHIN, writing).await;
        written.map(Result::unwrap_or_default).unwrap_or_default()
    }
}

/// Inserts records; of several with the same key the first one wins.
async fn insert_all(
    log: &dyn ExposureLog,
    records: &[ExposureRecord],
) -> Vec<Result<(), WriteExposureError>> {
    let mut keys = HashSet::with_capacity(records.len());
    let (first, again): (Vec<_>, Vec<_>) = records
        .iter()
        .enumerate()
        .partition(|(_, record)| keys.insert(record.key()));
    let mut inserted = insert(log, first, AT_ONCE).await;
    inserted.extend(insert(log, again, 1).await);
    inserted.sort_by_key(|(place, _)| *place);
    inserted.into_iter().map(|(_, result)| result).collect()
}

/// Inserts `at_once` records concurrently; returns a result for each, with its place.
async fn insert(
    log: &dyn ExposureLog,
    records: Vec<(usize, &ExposureRecord)>,
    at_once: usize,
) -> Vec<(usize, Result<(), WriteExposureError>)> {
    let records = records.into_iter();
    let inserting: Vec<_> = records
        .map(|(place, record)| insert_one(log, place, record))
        .collect();
    let inserting = stream::iter(inserting).buffer_unordered(at_once);
    inserting.collect().await
}

async fn insert_one(
    log: &dyn ExposureLog,
    place: usize,
    record: &ExposureRecord,
) -> (usize, Result<(), WriteExposureError>) {
    (place, log.insert(record).await)
}

fn late() -> Result<(), WriteExposureError> {
    Err(StoreError::TimedOut { after: WITHIN }.into())
}
