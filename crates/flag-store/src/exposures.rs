//! The exposure log: which decisions were served.

use std::sync::Arc;

use flag_model::{Bucket, FlagKey, FlagValue, InstanceId, Invalid, Timestamp};
use flag_rollout::Reason;

use crate::port::{Row, RowStore, Scan, StoreError, Table};
use crate::row_key::{exposure_prefix, instance_prefix};
use crate::stored::{decode_exposure, encode_exposure};

/// A decision that was served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The request that it answered.
    pub request_id: String,
    /// The flag.
    pub flag: FlagKey,
    /// Whom it was for.
    pub instance: InstanceId<'static>,
    /// What was served.
    pub value: FlagValue,
    /// The rollout group that was served.
    pub rollout_group: String,
    /// Which rule decided.
    pub reason: Reason,
    /// Where the instance stands on the rollout line; absent for an override.
    pub bucket: Option<Bucket>,
    /// The revision that decided.
    pub revision: Timestamp,
    /// Whether the flag came from the cache.
    pub from_cache: bool,
    /// When it was served.
    pub created: Timestamp,
}

/// An exposure as it stands in the log, in text; the reference's lack revision, reason and bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Exposure`")]
pub struct StoredExposure {
    pub key: String,
    pub request_id: String,
    pub created: String,
    pub instance: String,
    pub value: String,
    pub rollout_group: String,
    pub from_cache: Option<String>,
    pub revision: Option<String>,
    pub reason: Option<String>,
    pub bucket: Option<String>,
}

/// Why an exposure was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteExposureError {
    /// It cannot be a row. Retrying cannot help.
    #[error(transparent)]
    Refused(#[from] Invalid),
    /// The store didn't take it. Writing it again is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The exposure log of a backend.
#[derive(Clone, Debug)]
pub struct ExposureStore {
    rows: Arc<dyn RowStore>,
}

impl ExposureStore {
    /// The exposure log kept in `rows`.
    pub fn new(rows: Arc<dyn RowStore>) -> Self {
        Self { rows }
    }

    /// Writes exposures, each for itself, with results in their order; writing one again changes nothing.
    pub async fn write(&self, exposures: &[Exposure]) -> Vec<Result<(), WriteExposureError>> {
        let encoded: Vec<Result<Row, Invalid>> = exposures.iter().map(encode_exposure).collect();
        let rows: Vec<Row> = encoded
            .iter()
            .filter_map(|row| row.as_ref().ok().cloned())
            .collect();
        let mut written = self
            .rows
            .write_batch(Table::Exposures, &rows)
            .await
            .into_iter();
        let results = encoded.into_iter().map(|row| {
            row?;
            // A backend answers for every row; were one missing, the exposure counts as not written.
            let missing = || {
                Err(StoreError::Broken {
                    source: "fewer results than rows".into(),
                })
            };
            Ok(written.next().unwrap_or_else(missing)?)
        });
        results.collect()
    }

    /// At most `limit` exposures of a flag, ordered by instance id as its key encodes it.
    pub async fn of_flag(
        &self,
        flag: &FlagKey,
        limit: usize,
    ) -> Result<Vec<StoredExposure>, StoreError> {
        self.read(exposure_prefix(flag), limit).await
    }

    /// At most `limit` exposures of one instance to a flag, ordered by request id.
    pub async fn of_instance(
        &self,
        flag: &FlagKey,
        instance: &InstanceId<'_>,
        limit: usize,
    ) -> Result<Vec<StoredExposure>, StoreError> {
        self.read(instance_prefix(flag, instance), limit).await
    }

    async fn read(&self, prefix: String, limit: usize) -> Result<Vec<StoredExposure>, StoreError> {
        let rows = self
            .rows
            .scan(Table::Exposures, Scan::prefix(prefix).limit(limit))
            .await?;
        Ok(rows.iter().map(decode_exposure).collect())
    }
}
