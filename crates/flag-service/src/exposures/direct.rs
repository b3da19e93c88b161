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

use super::form::Form;

/// How long a caller waits for the store.
const WITHIN: Duration = Duration::from_secs(2);

/// How many writes may be under way at once; others wait, as part of the time that they have.
const WRITES: usize = 64;

/// How many records of one caller are written at once.
const AT_ONCE: usize = 32;

/// Writes exposures while the caller waits.
#[derive(Debug)]
pub(crate) struct Direct {
    log: Arc<dyn ExposureLog>,
    form: Form,
    /// Where writes run: a caller that goes away doesn't break off its write.
    writes: Handle,
    gate: Arc<Semaphore>,
}

impl Direct {
    /// Writes into `log`, on `writes`.
    pub(crate) fn new(log: Arc<dyn ExposureLog>, form: Form, writes: Handle) -> Self {
        Self {
            log,
            form,
            writes,
            gate: Arc::new(Semaphore::new(WRITES)),
        }
    }

    /// Writes exposures, each for itself; results in their order.
    pub(crate) async fn write(
        &self,
        exposures: Vec<Exposure<'_>>,
    ) -> Vec<Result<(), WriteExposureError>> {
        let mut records = Vec::with_capacity(exposures.len());
        let encoded: Vec<Result<(), Invalid>> = exposures
            .into_iter()
            .map(|exposure| {
                self.form
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

    /// Fewer results than records if the time was too short.
    async fn write_records(
        &self,
        records: Vec<ExposureRecord>,
    ) -> Vec<Result<(), WriteExposureError>> {
        let (log, gate) = (Arc::clone(&self.log), Arc::clone(&self.gate));
        let writing = self.writes.spawn(async move {
            let write = async {
                let _turn = gate.acquire().await;
                insert_all(&*log, &records).await
            };
            timeout(WITHIN, write).await.unwrap_or_default()
        });
        let written = timeout(WITHIN, writing).await;
        written.map(Result::unwrap_or_default).unwrap_or_default()
    }
}

/// Inserts records; of those with the same key the first one counts.
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

/// Inserts so many records at once; a result for each, with its place.
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
