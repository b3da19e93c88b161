//! Port 2: what a backend must offer to log which decisions were served.
//!
//! How it keeps them is its own business. One that keeps a row for each implements [`ExposureRows`](crate::ExposureRows),
//! and is an [`ExposureLog`] by that. A backend runs the suite in `conformance` against the real thing.

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

    /// Keeps a record unless one with its key is there, which stays as it is.
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

    /// Lets go of whatever is open, where that matters; calls after it fail, those of clones too.
    fn close(&self) -> BoxFuture<'_, ()>;

    /// Keeps a record unless it is logged already; a record that is logged never changes.
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

/// How many records a page has for those who read all of them.
pub const PAGE: usize = 500;

/// Whose exposures.
#[derive(Clone, Copy, Debug)]
pub enum ExposureScope<'a> {
    /// Those to the flags of a project.
    Project(&'a ProjectName),
    /// Those to a flag.
    Flag(&'a FlagKey),
    /// Those of an instance to a flag.
    Instance(&'a FlagKey, &'a InstanceId<'a>),
}

/// Which exposures.
#[derive(Clone, Copy, Debug)]
pub struct ExposureQuery<'a> {
    /// Whose.
    pub of: ExposureScope<'a>,
    /// Served at this time or later.
    pub since: Option<Timestamp>,
    /// Served before this time.
    pub until: Option<Timestamp>,
    /// The most exposures to return.
    pub limit: usize,
}

impl ExposureQuery<'_> {
    /// A record that tells no time is asked for where any time is.
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
