//! Port 2: what a backend must offer to log which decisions were served.
//!
//! How it stores them is up to the backend. One that stores a row for each implements
//! [`ExposureRows`](crate::ExposureRows), which makes it an [`ExposureLog`]. A backend runs the suite in `conformance` against the real thing.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use flag_model::{FlagKey, InstanceId, ProjectName, Timestamp};

use crate::exposures::{Exposure, ExposureRecord, WriteExposureError};
use crate::forget::InstanceExposures;
use crate::options::Spelling;
use crate::rows::{BoxFuture, Insert};
use crate::store_error::StoreError;

/// The result of one exposure of a batch.
pub type Appended = Result<(), WriteExposureError>;

/// A log of exposures, each identified by flag, instance, request and time.
///
/// Each call ends within the backend's own deadline. Dropping a future abandons the wait: a write that was under way may
/// still happen.
pub trait ExposureLog: fmt::Debug + Send + Sync + 'static {
    /// Appends exposures, each for itself; results in their order.
    ///
    /// Appending the same ones again changes nothing, so those that failed can be sent again.
    fn append<'a>(
        &'a self,
        exposures: &'a [Exposure<'a>],
        booleans: Spelling,
    ) -> BoxFuture<'a, Vec<Appended>>;

    /// Inserts a record unless there is one with its key, which stays as it is.
    fn insert_if_absent<'a>(
        &'a self,
        record: &'a ExposureRecord,
    ) -> BoxFuture<'a, Result<Insert, StoreError>>;

    /// The record with this key.
    fn find<'a>(
        &'a self,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<ExposureRecord>, StoreError>>;

    /// At most `limit` records after another one, by flag, instance and request; from the first one on if there is none.
    fn page<'a>(
        &'a self,
        of: ExposureScope<'a>,
        after: Option<&'a ExposureRecord>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<ExposureRecord>, StoreError>>;

    /// The exposures of an instance to the flags of a project, by flag; also to flags that are in the log alone.
    fn of_instance<'a>(
        &'a self,
        project: &'a ProjectName,
        instance: &'a InstanceId<'a>,
    ) -> BoxFuture<'a, Result<Vec<InstanceExposures>, StoreError>>;

    /// Deletes exposures, a few at a time; after a failure some are gone, and the others can be deleted again.
    fn delete<'a>(
        &'a self,
        exposures: &'a InstanceExposures,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Makes sure that the log can be read.
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Closes files and connections; later calls fail, also those of clones.
    fn close(&self) -> BoxFuture<'_, ()>;

    /// Inserts a record unless it is logged already; a logged record never changes.
    fn insert<'a>(
        &'a self,
        record: &'a ExposureRecord,
    ) -> BoxFuture<'a, Result<(), WriteExposureError>> {
        Box::pin(async move {
            if self.insert_if_absent(record).await? == Insert::Inserted {
                return Ok(());
            }
            let found = self.find(record.key()).await?;
            let found = found.ok_or_else(|| StoreError::Unavailable {
                source: "the row expired while it was written".into(),
            })?;
            match found.first_difference(record) {
                None => Ok(()),
                Some(column) => Err(WriteExposureError::Differs { column }),
            }
        })
    }

    /// The newest records that a query asks for, the newest first. Reads all records of its scope, unless the backend can
    /// do better.
    fn newest<'a>(
        &'a self,
        query: ExposureQuery<'a>,
    ) -> BoxFuture<'a, Result<Vec<ExposureRecord>, StoreError>> {
        Box::pin(async move {
            let mut newest = BTreeMap::new();
            let mut after = None;
            loop {
                let page = self.page(query.of, after.as_ref(), PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.clone());
                for record in page.into_iter().filter(|record| query.asks_for(record)) {
                    newest.insert((Reverse(record.created()), record.key().to_vec()), record);
                    if newest.len() > query.limit {
                        newest.pop_last();
                    }
                }
            }
            Ok(newest.into_values().collect())
        })
    }
}

/// The page size for reading all records.
pub const PAGE: usize = 500;

/// The flags and the instance whose exposures are read.
#[derive(Clone, Copy, Debug)]
pub enum ExposureScope<'a> {
    /// Those to the flags of a project.
    Project(&'a ProjectName),
    /// Those to a flag.
    Flag(&'a FlagKey),
    /// Those of an instance to a flag.
    Instance(&'a FlagKey, &'a InstanceId<'a>),
}

/// A query for exposures.
#[derive(Clone, Copy, Debug)]
pub struct ExposureQuery<'a> {
    /// The flags and the instance.
    pub of: ExposureScope<'a>,
    /// Served at this time or later.
    pub since: Option<Timestamp>,
    /// Served before this time.
    pub until: Option<Timestamp>,
    /// The most exposures to return.
    pub limit: usize,
}

impl ExposureQuery<'_> {
    /// A record without a time matches only a query without bounds.
    fn asks_for(&self, record: &ExposureRecord) -> bool {
        match record.created() {
            Some(created) => {
                self.since.is_none_or(|since| since <= created)
                    && self.until.is_none_or(|until| created < until)
            }
            None => self.since.is_none() && self.until.is_none(),
        }
    }
}
