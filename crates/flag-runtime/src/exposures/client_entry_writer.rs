//! Exposures that are written while the caller waits.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use flag_model::{FlagKey, Invalid, Timestamp};
use flag_store::{
    Clock as _, CountKey, Exposure, ExposureLog, ExposureRecord, Insert, StoreError, SystemClock,
    WriteExposureError,
};
use futures_util::{StreamExt as _, stream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::counts::MinuteCounter;
use super::format::ExposureFormat;

/// Deadline of a write.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The most concurrent writes; others wait, within their deadline.
const WRITES: usize = 64;

/// The most concurrent writes of one caller.
const WRITES_PER_CALLER: usize = 32;

/// Writes exposures while the caller waits.
#[derive(Debug)]
pub(crate) struct ClientEntryWriter {
    log: Arc<dyn ExposureLog>,
    format: ExposureFormat,
    counts: Arc<MinuteCounter>,
    /// The runtime of the writes: a cancelled request must not cancel its write.
    runtime: Handle,
    limit: Arc<Semaphore>,
}

impl ClientEntryWriter {
    /// Writes into `log`, in tasks of `runtime`, and counts what is new in it.
    pub(crate) fn new(
        log: Arc<dyn ExposureLog>,
        format: ExposureFormat,
        counts: Arc<MinuteCounter>,
        runtime: Handle,
    ) -> Self {
        Self {
            log,
            format,
            counts,
            runtime,
            limit: Arc::new(Semaphore::new(WRITES)),
        }
    }

    /// Writes exposures; one result each, in order.
    pub(crate) async fn write(
        &self,
        exposures: Vec<Exposure<'_>>,
    ) -> Vec<Result<(), WriteExposureError>> {
        let mut entries = Vec::with_capacity(exposures.len());
        let encoded: Vec<Result<(), Invalid>> = exposures
            .into_iter()
            .map(|exposure| {
                let entry = ClientEntry::new(exposure, &self.format);
                entry.map(|entry| entries.push(entry))
            })
            .collect();
        let mut written = self.write_all(entries).await.into_iter();
        let results = encoded.into_iter().map(|encoded| {
            encoded?;
            written.next().unwrap_or_else(timed_out)
        });
        results.collect()
    }

    /// Writes entries; returns fewer results than entries after the deadline.
    async fn write_all(&self, entries: Vec<ClientEntry>) -> Vec<Result<(), WriteExposureError>> {
        let (log, limit) = (Arc::clone(&self.log), Arc::clone(&self.limit));
        let counts = Arc::clone(&self.counts);
        let writing = self.runtime.spawn(async move {
            let write = async {
                let _permit = limit.acquire().await;
                insert_all(&*log, &counts, &entries).await
            };
            timeout(TIMEOUT, write).await.unwrap_or_default()
        });
        let written = timeout(TIMEOUT, writing).await;
        written.map(Result::unwrap_or_default).unwrap_or_default()
    }
}

/// An entry, and how it is counted.
struct ClientEntry {
    record: ExposureRecord,
    flag: FlagKey,
    count_key: CountKey,
    served: Timestamp,
}

impl ClientEntry {
    fn new(exposure: Exposure<'_>, format: &ExposureFormat) -> Result<Self, Invalid> {
        let flag = FlagKey::clone(&exposure.flag);
        let served = exposure.created;
        let count_key = CountKey::Group {
            revision: exposure.revision,
            rollout_group: exposure.rollout_group.clone().into_owned(),
            reason: exposure.reason,
        };
        Ok(Self {
            record: format.to_record(exposure)?,
            flag,
            count_key,
            served,
        })
    }
}

/// Inserts entries; of several with the same key the first one wins.
async fn insert_all(
    log: &dyn ExposureLog,
    counts: &MinuteCounter,
    entries: &[ClientEntry],
) -> Vec<Result<(), WriteExposureError>> {
    let mut keys = HashSet::with_capacity(entries.len());
    let (first, again): (Vec<_>, Vec<_>) = entries
        .iter()
        .enumerate()
        .partition(|(_, entry)| keys.insert(entry.record.key()));
    let mut inserted = insert(log, counts, first, WRITES_PER_CALLER).await;
    inserted.extend(insert(log, counts, again, 1).await);
    inserted.sort_by_key(|(index, _)| *index);
    inserted.into_iter().map(|(_, result)| result).collect()
}

/// Inserts entries, at most `concurrency` at the same time; returns the index and the result of each.
async fn insert(
    log: &dyn ExposureLog,
    counts: &MinuteCounter,
    entries: Vec<(usize, &ClientEntry)>,
    concurrency: usize,
) -> Vec<(usize, Result<(), WriteExposureError>)> {
    let entries = entries.into_iter();
    let inserting: Vec<_> = entries
        .map(async |(index, entry)| (index, insert_one(log, counts, entry).await))
        .collect();
    let inserting = stream::iter(inserting).buffer_unordered(concurrency);
    inserting.collect().await
}

/// Inserts an entry, and counts it where it is new: one that is sent again counts once.
async fn insert_one(
    log: &dyn ExposureLog,
    counts: &MinuteCounter,
    entry: &ClientEntry,
) -> Result<(), WriteExposureError> {
    if log.insert_or_compare(&entry.record).await? == Insert::Inserted {
        let now = SystemClock.now();
        counts.add_one(&entry.flag, &entry.count_key, entry.served, now);
    }
    Ok(())
}

fn timed_out() -> Result<(), WriteExposureError> {
    Err(StoreError::TimedOut { after: TIMEOUT }.into())
}
