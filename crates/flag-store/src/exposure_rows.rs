//! An exposure log that keeps a row for each exposure.

use std::fmt;

use flag_model::{InstanceId, ProjectName};

use crate::exposure_log::{Appended, ExposureLog, ExposureScope};
use crate::exposures::{Exposure, ExposureRecord};
use crate::forget::{InstanceExposures, of_instance};
use crate::options::Spelling;
use crate::pages::project_rows;
use crate::row_key::{exposure_prefix, instance_prefix};
use crate::rows::{BoxFuture, Columns, Insert, Row, RowStore, Scan};
use crate::store_error::StoreError;

/// How many rows are deleted at once.
const DELETED_AT_ONCE: usize = 500;

/// A table of rows that are exposures, and nothing else; that makes it an [`ExposureLog`].
pub trait ExposureRows: fmt::Debug + Send + Sync + 'static {
    /// The rows.
    fn rows(&self) -> &dyn RowStore;

    /// Writes many rows, each for itself, replacing cells that are there; results in the order of `rows`.
    fn write_rows<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Vec<Result<(), StoreError>>>;

    /// Deletes rows by their keys, of which some may be gone already.
    fn delete_rows<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>>;
}

impl<T: ExposureRows> ExposureLog for T {
    fn append<'a>(
        &'a self,
        exposures: &'a [Exposure<'a>],
        booleans: Spelling,
    ) -> BoxFuture<'a, Vec<Appended>> {
        Box::pin(async move {
            let mut rows = Vec::with_capacity(exposures.len());
            let mut results = Vec::with_capacity(exposures.len());
            for exposure in exposures {
                let row = exposure.row(booleans);
                results.push(row.map(|row| rows.push(row)));
            }
            let mut written = self.write_rows(&rows).await.into_iter();
            let results = results.into_iter().map(|encoded| {
                encoded?;
                Ok(written.next().unwrap_or_else(unanswered)?)
            });
            results.collect()
        })
    }

    fn insert_if_absent<'a>(
        &'a self,
        record: &'a ExposureRecord,
    ) -> BoxFuture<'a, Result<Insert, StoreError>> {
        self.rows().insert_if_absent(record.row())
    }

    fn find<'a>(
        &'a self,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<ExposureRecord>, StoreError>> {
        Box::pin(async move {
            let row = self.rows().get(key, Columns::All).await?;
            Ok(row.map(ExposureRecord::from))
        })
    }

    fn page<'a>(
        &'a self,
        of: ExposureScope<'a>,
        after: Option<&'a ExposureRecord>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<ExposureRecord>, StoreError>> {
        let mut scan = match of {
            ExposureScope::Project(project) => project_rows(project),
            ExposureScope::Flag(flag) => Scan::prefix(exposure_prefix(flag)),
            ExposureScope::Instance(flag, instance) => {
                Scan::prefix(instance_prefix(flag, instance))
            }
        };
        if let Some(after) = after {
            scan.go_on_after(after.key());
        }
        Box::pin(async move {
            let rows = self.rows().scan(scan.limit(limit)).await?;
            Ok(rows.into_iter().map(ExposureRecord::from).collect())
        })
    }

    fn of_instance<'a>(
        &'a self,
        project: &'a ProjectName,
        instance: &'a InstanceId<'a>,
    ) -> BoxFuture<'a, Result<Vec<InstanceExposures>, StoreError>> {
        Box::pin(of_instance(self.rows(), project, instance))
    }

    fn delete<'a>(
        &'a self,
        exposures: &'a InstanceExposures,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            for keys in exposures.keys.chunks(DELETED_AT_ONCE) {
                self.delete_rows(keys).await?;
            }
            Ok(())
        })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.rows().ping()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.rows().close()
    }
}

/// The result of a row for which the backend returned none: it is treated as not written.
fn unanswered() -> Result<(), StoreError> {
    Err(StoreError::Broken {
        source: "fewer results than rows".into(),
    })
}
