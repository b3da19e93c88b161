//! An exposure log that keeps a row for each exposure.

use std::fmt;
use std::ops::Range;

use flag_model::{FlagKey, InstanceId, ProjectName, Timestamp};

use crate::clock::{Clock as _, SystemClock};
use crate::counts_rows::{counts_in_rows, last_counted_in_rows, rows_of_counts};
use crate::exposure_batch::ExposureBatch;
use crate::exposure_counts::{CountsWriterId, Minute, MinuteCounts};
use crate::exposure_log::{
    AppendResult, Cursor, ExposureLog, ExposurePage, ExposureScope, PAGE, TimeRange,
};
use crate::exposure_recent::Recent;
use crate::exposures::ExposureRecord;
use crate::forget::{InstanceExposures, instance_in_rows};
use crate::rows::{BoxFuture, Columns, Insert, Row, RowStore, Scan, TimestampedRow};
use crate::store_error::StoreError;

/// How many rows are deleted at once.
const DELETED_AT_ONCE: usize = 500;

/// A table of rows that are exposures, counts of them, or reports; that makes it an [`ExposureLog`].
pub trait ExposureRows: fmt::Debug + Send + Sync + 'static {
    /// The rows.
    fn rows(&self) -> &dyn RowStore;

    /// Writes many rows, each for itself, replacing cells that are there; results in the order of `rows`.
    fn write_rows<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Vec<Result<(), StoreError>>>;

    /// Writes a batch as rows, each for itself; results in its order.
    fn write_batch<'a>(&'a self, batch: &'a ExposureBatch) -> BoxFuture<'a, Vec<AppendResult>> {
        Box::pin(async move {
            let mut rows = Vec::with_capacity(batch.len());
            let encoded = batch.exposures();
            let encoded = encoded.map(|exposure| exposure.row(batch.boolean_format()));
            let encoded: Vec<_> = encoded.map(|row| row.map(|row| rows.push(row))).collect();
            let mut written = self.write_rows(&rows).await.into_iter();
            let results = encoded.into_iter().map(|encoded| {
                encoded?;
                Ok(written.next().unwrap_or_else(unanswered)?)
            });
            results.collect()
        })
    }

    /// The rows of a scan that were written at a time or later; others too where the backend cannot tell.
    fn written_since(
        &self,
        scan: Scan,
        since: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        let _ = since;
        self.rows().scan(scan)
    }

    /// The rows of a scan, and when each was written where the backend can tell.
    fn scan_written(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<TimestampedRow>, StoreError>> {
        Box::pin(async move {
            let rows = self.rows().scan(scan).await?.into_iter();
            Ok(rows
                .map(|row| TimestampedRow { row, written: None })
                .collect())
        })
    }

    /// Deletes rows by their keys, of which some may be gone already.
    fn delete_rows<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>>;
}

impl<T: ExposureRows> ExposureLog for T {
    fn append<'a>(&'a self, batch: &'a ExposureBatch) -> BoxFuture<'a, Vec<AppendResult>> {
        self.write_batch(batch)
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
        scope: ExposureScope<'a>,
        within: TimeRange,
        after: Option<&'a Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<ExposurePage, StoreError>> {
        Box::pin(page_of_rows(self.rows(), scope, within, after, limit))
    }

    fn logged_after<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        after: Option<&'a Cursor>,
    ) -> BoxFuture<'a, Result<ExposurePage, StoreError>> {
        Box::pin(async move {
            let mut recent = Recent::new(after, SystemClock.now());
            let mut scan = scope.row_range().limit(PAGE);
            loop {
                let rows = self.written_since(scan.clone(), recent.since()).await?;
                let last = rows.last().filter(|_| rows.len() == PAGE);
                let last = last.map(|row| row.key.clone());
                recent.extend(rows.into_iter().map(ExposureRecord::from));
                match last {
                    Some(last) => scan.go_on_after(&last),
                    None => return Ok(recent.into_page()),
                }
            }
        })
    }

    fn of_instance<'a>(
        &'a self,
        project: &'a ProjectName,
        instance: &'a InstanceId<'a>,
    ) -> BoxFuture<'a, Result<Vec<InstanceExposures>, StoreError>> {
        Box::pin(instance_in_rows(self.rows(), project, instance))
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

    fn write_counts<'a>(
        &'a self,
        writer: CountsWriterId,
        counts: &'a [MinuteCounts],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let rows = rows_of_counts(writer, counts);
            self.write_rows(&rows).await.into_iter().collect()
        })
    }

    fn counts<'a>(
        &'a self,
        flag: &'a FlagKey,
        within: Range<Minute>,
    ) -> BoxFuture<'a, Result<Vec<MinuteCounts>, StoreError>> {
        Box::pin(counts_in_rows(self.rows(), flag, within))
    }

    fn last_counted<'a>(
        &'a self,
        flags: &'a [FlagKey],
        within: Range<Minute>,
    ) -> BoxFuture<'a, Result<Vec<Option<Minute>>, StoreError>> {
        Box::pin(last_counted_in_rows(self.rows(), flags, within))
    }

    fn write_reports<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.write_rows(rows).await.into_iter().collect() })
    }

    fn reports(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<TimestampedRow>, StoreError>> {
        self.scan_written(scan)
    }

    fn remove_reports<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.delete_rows(keys)
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.rows().ping()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.rows().close()
    }
}

/// The next rows of a scope by key, without those of another time; the cursor is the key of the last one.
async fn page_of_rows(
    rows: &dyn RowStore,
    scope: ExposureScope<'_>,
    within: TimeRange,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<ExposurePage, StoreError> {
    let mut scan = scope.row_range();
    if let Some(Cursor(key)) = after {
        scan.go_on_after(key);
    }
    let rows = rows.scan(scan.limit(limit)).await?;
    let last = rows.last().filter(|_| rows.len() == limit);
    let next = last.map(|row| Cursor(row.key.clone()));
    let mut records: Vec<_> = rows.into_iter().map(ExposureRecord::from).collect();
    records.retain(|record| within.contains(record.created()));
    Ok(ExposurePage { records, next })
}

/// The result of a row for which the backend returned none: it is treated as not written.
fn unanswered() -> Result<(), StoreError> {
    Err(StoreError::Broken {
        source: "fewer results than rows".into(),
    })
}
