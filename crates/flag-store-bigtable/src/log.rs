//! The exposure log: a row for each exposure, in a table of its own.

use flag_model::Timestamp;
use flag_store::{
    AppendResult, BoxFuture, Columns, ExposureBatch, ExposureRows, Row, RowStore, Scan, StoreError,
    TimestampedRow,
};

use crate::connect_error::ConnectError;
use crate::settings::{BigtableSettings, Table};
use crate::store::BigtableStore;
use crate::{batch, exposure_entries, filter, forget};

/// Exposures in Bigtable, over connections of their own.
///
/// Behaves like [`BigtableStore`].
#[derive(Debug)]
pub struct BigtableLog(BigtableStore);

impl BigtableLog {
    /// Prepares the log, as [`BigtableStore::connect`] does.
    pub async fn connect(settings: BigtableSettings) -> Result<Self, ConnectError> {
        let rows = BigtableStore::connect_to(Table::Exposures, settings).await?;
        Ok(Self(rows))
    }
}

impl ExposureRows for BigtableLog {
    fn rows(&self) -> &dyn RowStore {
        &self.0
    }

    fn write_rows<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Vec<Result<(), StoreError>>> {
        Box::pin(batch::write(&self.0, batch::encode(self.0.name(), rows)))
    }

    /// Without a [`Row`] for each exposure, which would cost more than sending it.
    fn write_batch<'a>(&'a self, batch: &'a ExposureBatch) -> BoxFuture<'a, Vec<AppendResult>> {
        Box::pin(batch::write(&self.0, exposure_entries::encode(batch)))
    }

    /// The store reads all rows of the scan, and sends those that were written since.
    fn written_since(
        &self,
        scan: Scan,
        since: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(self.0.read_sparse(scan, filter::written_since(since)))
    }

    fn scan_written(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<TimestampedRow>, StoreError>> {
        Box::pin(self.0.read_written(scan, filter::cells(Columns::All)))
    }

    fn delete_rows<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(forget::delete_rows(&self.0, keys))
    }
}
