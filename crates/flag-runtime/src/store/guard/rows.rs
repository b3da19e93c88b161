//! Guards the flags.

use flag_store::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan, StoreError,
};

use super::super::metrics::Operation;
use super::StoreGuard;

impl RowStore for StoreGuard<dyn RowStore> {
    fn get<'a>(
        &'a self,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        let call = async move { self.store.opened()?.get(key, columns).await };
        let timeout = self.calls.settings.read_timeout;
        Box::pin(self.calls.read(Operation::Get, timeout, call))
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        let timeout = self.calls.scan_timeout(scan.limit);
        let call = async { self.store.opened()?.scan(scan).await };
        Box::pin(self.calls.read(Operation::Scan, timeout, call))
    }

    fn keys(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Vec<u8>>, StoreError>> {
        let timeout = self.calls.scan_timeout(scan.limit);
        let call = async { self.store.opened()?.keys(scan).await };
        Box::pin(self.calls.read(Operation::Keys, timeout, call))
    }

    fn insert_if_absent<'a>(&'a self, row: &'a Row) -> BoxFuture<'a, Result<Insert, StoreError>> {
        let call = async { self.store.opened()?.insert_if_absent(row).await };
        Box::pin(self.calls.write(Operation::InsertIfAbsent, call))
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        let call = async move {
            let rows = self.store.opened()?;
            rows.compare_and_set(key, expected, cells).await
        };
        Box::pin(self.calls.write(Operation::CompareAndSet, call))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let call = async { self.store.opened()?.ping().await };
        let timeout = self.calls.settings.read_timeout;
        Box::pin(self.calls.read(Operation::Ping, timeout, call))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Ok(rows) = self.store.opened() {
                rows.close().await;
            }
        })
    }
}
