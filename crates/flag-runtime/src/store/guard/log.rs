//! Guards the exposure log.

use std::ops::Range;

use flag_model::{FlagKey, InstanceId, ProjectName};
use flag_store::{
    AppendResult, BatchPage, BoxFuture, CountsWriterId, Cursor, ExposureBatch, ExposureLog,
    ExposurePage, ExposureQuery, ExposureRecord, ExposureScope, Insert, InstanceExposures, Minute,
    MinuteCounts, Row, Scan, StoreError, TimeRange, TimestampedRow,
};

use super::super::deferred::NOT_YET;
use super::super::metrics::Operation;
use super::{StoreGuard, all_unavailable};

impl ExposureLog for StoreGuard<dyn ExposureLog> {
    fn append<'a>(&'a self, batch: &'a ExposureBatch) -> BoxFuture<'a, Vec<AppendResult>> {
        let call = async move {
            match self.store.opened() {
                Ok(log) => log.append(batch).await,
                Err(_) => all_unavailable(batch.len(), NOT_YET),
            }
        };
        Box::pin(self.calls.append(batch.len(), call))
    }

    fn insert_if_absent<'a>(
        &'a self,
        record: &'a ExposureRecord,
    ) -> BoxFuture<'a, Result<Insert, StoreError>> {
        let call = async { self.store.opened()?.insert_if_absent(record).await };
        let insert = Operation::InsertIfAbsent;
        Box::pin(self.calls.call_on_write_circuit(insert, call))
    }

    fn find<'a>(
        &'a self,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<ExposureRecord>, StoreError>> {
        let call = async { self.store.opened()?.find(key).await };
        Box::pin(self.calls.call_on_write_circuit(Operation::Get, call))
    }

    fn page<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        within: TimeRange,
        after: Option<&'a Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<ExposurePage, StoreError>> {
        let call = async move { self.store.opened()?.page(scope, within, after, limit).await };
        let timeout = self.calls.scan_timeout(Some(limit));
        Box::pin(self.calls.read(Operation::Scan, timeout, call))
    }

    fn batches<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        within: TimeRange,
        after: Option<&'a Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<BatchPage, StoreError>> {
        let call = async move {
            let log = self.store.opened()?;
            log.batches(scope, within, after, limit).await
        };
        let timeout = self.calls.scan_timeout(Some(limit));
        Box::pin(self.calls.read(Operation::Scan, timeout, call))
    }

    fn logged_after<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        after: Option<&'a Cursor>,
    ) -> BoxFuture<'a, Result<ExposurePage, StoreError>> {
        let call = async move { self.store.opened()?.logged_after(scope, after).await };
        let timeout = self.calls.scan_timeout(None);
        Box::pin(self.calls.read(Operation::Scan, timeout, call))
    }

    fn newest<'a>(
        &'a self,
        query: ExposureQuery<'a>,
    ) -> BoxFuture<'a, Result<Vec<ExposureRecord>, StoreError>> {
        let call = async move { self.store.opened()?.newest(query).await };
        let timeout = self.calls.scan_timeout(None);
        Box::pin(self.calls.read(Operation::Scan, timeout, call))
    }

    fn of_instance<'a>(
        &'a self,
        project: &'a ProjectName,
        instance: &'a InstanceId<'a>,
    ) -> BoxFuture<'a, Result<Vec<InstanceExposures>, StoreError>> {
        let call = async { self.store.opened()?.of_instance(project, instance).await };
        let timeout = self.calls.scan_timeout(None);
        Box::pin(self.calls.read(Operation::Keys, timeout, call))
    }

    /// Always fails: no exposure is deleted through the guard.
    fn delete<'a>(&'a self, _: &'a InstanceExposures) -> BoxFuture<'a, Result<(), StoreError>> {
        let source = "the guard of the store allows no deletion".into();
        Box::pin(std::future::ready(Err(StoreError::Refused { source })))
    }

    fn write_counts<'a>(
        &'a self,
        writer: CountsWriterId,
        counts: &'a [MinuteCounts],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let call = async move { self.store.opened()?.write_counts(writer, counts).await };
        Box::pin(self.calls.call_on_write_circuit(Operation::WriteMany, call))
    }

    fn counts<'a>(
        &'a self,
        flag: &'a FlagKey,
        within: Range<Minute>,
    ) -> BoxFuture<'a, Result<Vec<MinuteCounts>, StoreError>> {
        let call = async move { self.store.opened()?.counts(flag, within).await };
        let timeout = self.calls.scan_timeout(None);
        Box::pin(self.calls.read(Operation::Scan, timeout, call))
    }

    fn last_counted<'a>(
        &'a self,
        flags: &'a [FlagKey],
        within: Range<Minute>,
    ) -> BoxFuture<'a, Result<Vec<Option<Minute>>, StoreError>> {
        let call = async move { self.store.opened()?.last_counted(flags, within).await };
        let timeout = self.calls.scan_timeout(None);
        Box::pin(self.calls.read(Operation::Scan, timeout, call))
    }

    fn write_reports<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), StoreError>> {
        let call = async move { self.store.opened()?.write_reports(rows).await };
        Box::pin(self.calls.call_on_write_circuit(Operation::WriteMany, call))
    }

    fn reports(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<TimestampedRow>, StoreError>> {
        let timeout = self.calls.scan_timeout(scan.limit);
        let call = async move { self.store.opened()?.reports(scan).await };
        Box::pin(self.calls.read(Operation::Scan, timeout, call))
    }

    fn remove_reports<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>> {
        let call = async move { self.store.opened()?.remove_reports(keys).await };
        Box::pin(self.calls.call_on_write_circuit(Operation::WriteMany, call))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let call = async { self.store.opened()?.ping().await };
        let timeout = self.calls.settings.read_timeout;
        Box::pin(self.calls.read(Operation::Ping, timeout, call))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Ok(log) = self.store.opened() {
                log.close().await;
            }
        })
    }
}
