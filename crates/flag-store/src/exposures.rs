//! The exposure log: which decisions were served.

use std::borrow::Cow;
use std::sync::Arc;

use flag_model::{Bucket, FlagKey, FlagValue, InstanceId, Invalid, Timestamp};
use flag_rollout::Reason;

use crate::options::Spelling;
use crate::port::{Columns, Insert, Row, RowStore, Scan, StoreError, Table};
use crate::row_key::{exposure_prefix, instance_prefix};
use crate::stored::{decode_exposure, encode_exposure};

/// A decision that was served; what is `None` has no column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure<'a> {
    /// The request that it answered.
    pub request_id: Cow<'a, str>,
    /// The flag.
    pub flag: Cow<'a, FlagKey>,
    /// Whom it was for.
    pub instance: InstanceId<'a>,
    /// What was served.
    pub value: Cow<'a, FlagValue>,
    /// The rollout group that was served.
    pub rollout_group: Cow<'a, str>,
    /// Which rule decided.
    pub reason: Option<Reason>,
    /// Where the instance stands on the rollout line; absent for an override.
    pub bucket: Option<Bucket>,
    /// The revision that decided.
    pub revision: Option<Timestamp>,
    /// Whether the flag came from the cache.
    pub from_cache: Option<bool>,
    /// When it was served.
    pub created: Timestamp,
}

impl Exposure<'_> {
    /// The row that it is in the log, with its booleans spelled like this; refused if its key would be too long.
    pub fn row(&self, booleans: Spelling) -> Result<Row, Invalid> {
        encode_exposure(self, booleans)
    }
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
    /// Another one with its key is logged. Retrying cannot help.
    #[error(
        "an exposure with this request id and time is already logged, with another {column}; nothing was changed"
    )]
    Differs {
        /// The first column that differs.
        column: String,
    },
    /// The store didn't take it. Writing it again is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The exposure log of a backend.
#[derive(Clone, Debug)]
pub struct ExposureStore {
    pub(crate) rows: Arc<dyn RowStore>,
}

impl ExposureStore {
    /// The exposure log kept in `rows`.
    pub fn new(rows: Arc<dyn RowStore>) -> Self {
        Self { rows }
    }

    /// Writes exposures, each for itself, with results in their order; writing one again changes nothing.
    pub async fn write(&self, exposures: &[Exposure<'_>]) -> Vec<Result<(), WriteExposureError>> {
        let mut rows = Vec::with_capacity(exposures.len());
        let mut results = Vec::with_capacity(exposures.len());
        for exposure in exposures {
            results.push(exposure.row(Spelling::Json).map(|row| rows.push(row)));
        }
        let mut written = self.write_rows(&rows).await.into_iter();
        let results = results.into_iter().map(|encoded| {
            encoded?;
            Ok(written.next().unwrap_or_else(unanswered)?)
        });
        results.collect()
    }

    /// Writes rows that are exposures, each for itself, with a result for each in their order.
    pub async fn write_rows(&self, rows: &[Row]) -> Vec<Result<(), StoreError>> {
        let mut results = self.rows.write_batch(Table::Exposures, rows).await;
        results.resize_with(rows.len(), unanswered);
        results
    }

    /// Writes a row that is an exposure unless it is logged already; an exposure that is logged never changes.
    pub async fn insert(&self, row: &Row) -> Result<(), WriteExposureError> {
        let inserted = self.rows.insert_if_absent(Table::Exposures, row).await?;
        if inserted == Insert::Inserted {
            return Ok(());
        }
        let found = self.rows.get(Table::Exposures, &row.key, Columns::All);
        let found = found.await?.ok_or_else(|| StoreError::Unavailable {
            source: "the row expired while it was written".into(),
        })?;
        match first_difference(&found, row) {
            None => Ok(()),
            Some(column) => Err(WriteExposureError::Differs { column }),
        }
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

/// The first column whose cell differs between two rows.
fn first_difference(one: &Row, other: &Row) -> Option<String> {
    let columns = one.cells.iter().chain(other.cells.iter());
    let mut columns = columns.map(|(column, _)| String::from_utf8_lossy(column).into_owned());
    columns.find(|column| one.cells.get(column) != other.cells.get(column))
}

/// A backend answers for every row; were an answer missing, the row counts as not written.
fn unanswered() -> Result<(), StoreError> {
    Err(StoreError::Broken {
        source: "fewer results than rows".into(),
    })
}
