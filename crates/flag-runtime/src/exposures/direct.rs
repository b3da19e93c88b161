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
const TIMEOUT: Duration = Duration::from_secs(2);

/// The most concurrent writes; others wait, within their deadline.
const WRITES: usize = 64;

/// The most concurrent writes of one caller.
const WRITES_PER_CALLER: usize = 32;

/// Writes exposures while the caller waits.
#[derive(Debug)]
pub(crate) struct Direct {
    log: Arc<dyn ExposureLog>,
    format: ExposureFormat,
    /// The runtime of the writes: a cancelled request must not cancel its write.
    runtime: Handle,
    limit: Arc<Semaphore>,
}

impl Direct {
    /// Writes into `log`, in tasks of `runtime`.
    pub(crate) fn new(log: Arc<dyn ExposureLog>, format: ExposureFormat, runtime: Handle) -> Self {
        Self {
            log,
            format,
            runtime,
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
            written.next().unwrap_or_else(timed_out)
        });
        results.collect()
    }

    /// Writes records; returns fewer results than records after the deadline.
    async fn write_records(
        &self,
        records: Vec<ExposureRecord>,
    ) -> Vec<Result<(), WriteExposureError>> {
        let (log, limit) = (Arc::clone(&self.log), Arc::clone(&self.limit));
        let writing = self.runtime.spawn(async move {
            let write = async {
                let _permit = limit.acquire().await;
                insert_all(&*log, &records).await
            };
            timeout(TIMEOUT, write).await.unwrap_or_default()
        });
        let written = timeout(TIMEOUT, writing).await;
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
    let mut inserted = insert(log, first, WRITES_PER_CALLER).await;
    inserted.extend(insert(log, again, 1).await);
    inserted.sort_by_key(|(index, _)| *index);
    inserted.into_iter().map(|(_, result)| result).collect()
}

/// Inserts records, at most `concurrency` at the same time; returns the index and the result of each.
async fn insert(
    log: &dyn ExposureLog,
    records: Vec<(usize, &ExposureRecord)>,
    concurrency: usize,
) -> Vec<(usize, Result<(), WriteExposureError>)> {
    let records = records.into_iter();
    let inserting: Vec<_> = records
        .map(|(index, record)| insert_one(log, index, record))
        .collect();
    let inserting = stream::iter(inserting).buffer_unordered(concurrency);
    inserting.collect().await
}

async fn insert_one(
    log: &dyn ExposureLog,
    index: usize,
    record: &ExposureRecord,
) -> (usize, Result<(), WriteExposureError>) {
    (index, log.insert(record).await)
}

fn timed_out() -> Result<(), WriteExposureError> {
    Err(StoreError::TimedOut { after: TIMEOUT }.into())
}
