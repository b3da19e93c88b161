//! The rows of a table of Bigtable.

use std::fmt;

use bigtable_rs::google::bigtable::v2::bigtable_client::BigtableClient;
use bigtable_rs::google::bigtable::v2::{CheckAndMutateRowRequest, ReadRowsRequest, RowFilter};
use flag_store::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Order, Row, RowStore, Scan,
    StoreError, TimestampedRow,
};
use tonic::client::Grpc;

use crate::authorized::Authorized;
use crate::call::{Call, CallTimeouts, Retry};
use crate::connect_error::ConnectError;
use crate::merge::Merger;
use crate::pool::ConnectionPool;
use crate::settings::{BigtableSettings, Table};
use crate::status::{Failure, refused};
use crate::{filter, mutation, request};

/// The rows of one table of Bigtable: of flags, or within a [`BigtableLog`](crate::BigtableLog) of exposures.
///
/// Belongs to the runtime that it was connected in. Every call ends within the deadline that the settings give it,
/// fetching a token and connecting included.
pub struct BigtableStore {
    pool: ConnectionPool,
    settings: BigtableSettings,
    table: Table,
}

impl BigtableStore {
    /// Prepares the store; connections are made by the first call, so that Bigtable may be down now.
    ///
    /// Looks for credentials unless an emulator is named; that asks the network on some machines, and ends within
    /// the settings' `connect_timeout`.
    pub async fn connect(settings: BigtableSettings) -> Result<Self, ConnectError> {
        Self::connect_to(Table::Flags, settings).await
    }

    pub(crate) async fn connect_to(
        table: Table,
        settings: BigtableSettings,
    ) -> Result<Self, ConnectError> {
        let pool = ConnectionPool::open(&settings).await?;
        Ok(Self {
            pool,
            settings,
            table,
        })
    }

    pub(crate) fn settings(&self) -> &BigtableSettings {
        &self.settings
    }

    pub(crate) fn client(&self) -> BigtableClient<Authorized> {
        self.pool.connections().client()
    }

    pub(crate) fn raw_client(&self) -> Grpc<Authorized> {
        self.pool.connections().raw_client()
    }

    /// The name of the table, as people know it.
    pub(crate) fn name(&self) -> &str {
        self.settings.table(self.table)
    }

    /// The name of the table, as requests spell it.
    pub(crate) fn full_name(&self) -> String {
        self.settings.full_table_name(self.table)
    }

    /// The app profile, as requests spell it.
    pub(crate) fn app_profile(&self) -> String {
        self.settings.app_profile.clone().unwrap_or_default()
    }

    async fn read(
        &self,
        timeouts: CallTimeouts,
        request: ReadRowsRequest,
    ) -> Result<Vec<TimestampedRow>, StoreError> {
        let request = ReadRowsRequest {
            table_name: self.full_name(),
            app_profile_id: self.app_profile(),
            ..request
        };
        let mut call = Call::new(self.name(), timeouts, Retry::Safe);
        loop {
            match self.read_once(&call, request.clone()).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => call.retry_or_fail(failure).await?,
            }
        }
    }

    /// One attempt. What it had read is lost when it fails: the next one begins at the beginning.
    async fn read_once(
        &self,
        call: &Call<'_>,
        request: ReadRowsRequest,
    ) -> Result<Vec<TimestampedRow>, Failure> {
        let mut merger = Merger::new(if request.reversed {
            Order::Descending
        } else {
            Order::Ascending
        });
        let mut client = self.client();
        let answer = client.read_rows(request::read(request));
        let mut stream = call.wait(answer).await?.into_inner();
        while let Some(message) = call.wait(stream.message()).await? {
            merger.push(message.chunks)?;
        }
        merger.finish()
    }

    async fn read_row(
        &self,
        key: &[u8],
        columns: Columns<'_>,
        timeouts: CallTimeouts,
    ) -> Result<Option<Row>, StoreError> {
        let Some(request) = request::row(key, columns) else {
            return Ok(None);
        };
        let mut rows = self.read(timeouts, request).await?;
        Ok(rows.pop().map(|row| row.row))
    }

    async fn read_range(
        &self,
        scan: Scan,
        filter: Option<RowFilter>,
    ) -> Result<Vec<Row>, StoreError> {
        let rows = self.read_written(scan, filter).await?.into_iter();
        Ok(rows.map(|row| row.row).collect())
    }

    /// Reads the rows of a range, and when each was written.
    pub(crate) async fn read_written(
        &self,
        scan: Scan,
        filter: Option<RowFilter>,
    ) -> Result<Vec<TimestampedRow>, StoreError> {
        let timeouts = self.settings.scan(scan.limit);
        match request::range(scan, filter) {
            Some(request) => self.read(timeouts, request).await,
            None => Ok(Vec::new()),
        }
    }

    /// Reads the few rows of a range that `filter` lets through, in ascending order.
    ///
    /// The deadline is that of a batch, and begins anew as often as the store says how far it is.
    pub(crate) async fn read_sparse(
        &self,
        mut scan: Scan,
        filter: RowFilter,
    ) -> Result<Vec<Row>, StoreError> {
        let (mut found, limit) = (Vec::new(), scan.limit);
        let new_call = || Call::new(self.name(), self.settings.batch(), Retry::Safe);
        let mut call = new_call();
        while let Some(request) = request::range(scan.clone(), Some(filter.clone())) {
            let request = ReadRowsRequest {
                table_name: self.full_name(),
                app_profile_id: self.app_profile(),
                ..request
            };
            let mut part = SparsePart::default();
            let read = self.read_part(&call, request, &mut part).await;
            found.append(&mut part.rows);
            let Err(failure) = read else {
                return Ok(found);
            };
            match part.scanned {
                Some(key) if call.is_retryable(&failure) => {
                    scan.go_on_after(&key);
                    scan.limit = limit.map(|limit| limit.saturating_sub(found.len()));
                    call = new_call();
                }
                _ => call.retry_or_fail(failure).await?,
            }
        }
        Ok(found)
    }

    /// One attempt; what it has read until it failed is in `part`.
    async fn read_part(
        &self,
        call: &Call<'_>,
        request: ReadRowsRequest,
        part: &mut SparsePart,
    ) -> Result<(), Failure> {
        let mut merger = Merger::new(Order::Ascending);
        let mut client = self.client();
        let answer = client.read_rows(request::read(request));
        let mut stream = call.wait(answer).await?.into_inner();
        while let Some(message) = call.wait(stream.message()).await? {
            merger.push(message.chunks)?;
            part.add(merger.take_rows(), message.last_scanned_row_key);
        }
        part.rows.append(&mut merger.take_rows());
        merger.finish()?;
        Ok(())
    }

    /// Whether the predicate matched.
    async fn check_and_mutate(
        &self,
        timeouts: CallTimeouts,
        retry: Retry,
        request: CheckAndMutateRowRequest,
    ) -> Result<bool, StoreError> {
        let request = CheckAndMutateRowRequest {
            table_name: self.full_name(),
            app_profile_id: self.app_profile(),
            ..request
        };
        let mut call = Call::new(self.name(), timeouts, retry);
        loop {
            let mut client = self.client();
            let request = request::routed(request.clone());
            let answer = client.check_and_mutate_row(request);
            match call.wait(answer).await {
                Ok(answer) => return Ok(answer.into_inner().predicate_matched),
                Err(failure) => call.retry_or_fail(failure).await?,
            }
        }
    }

    fn check(&self, key: &[u8], cells: &Cells) -> Result<(), StoreError> {
        match mutation::refusal_reason(key, cells) {
            Some(why) => Err(refused(self.name(), why)),
            None => Ok(()),
        }
    }
}

/// What was read of a range.
#[derive(Default)]
struct SparsePart {
    rows: Vec<Row>,
    /// The last key that the store has looked at.
    scanned: Option<Vec<u8>>,
}

impl SparsePart {
    fn add(&mut self, mut rows: Vec<Row>, scanned: Vec<u8>) {
        if let Some(last) = rows.last() {
            self.scanned = Some(last.key.clone());
        }
        if self.scanned.as_ref().is_none_or(|before| *before < scanned) && !scanned.is_empty() {
            self.scanned = Some(scanned);
        }
        self.rows.append(&mut rows);
    }
}

impl RowStore for BigtableStore {
    fn get<'a>(
        &'a self,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        Box::pin(self.read_row(key, columns, self.settings.read()))
    }

    /// A scan without a limit may take as long as a batch.
    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(self.read_range(scan, filter::cells(Columns::All)))
    }

    fn keys(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Vec<u8>>, StoreError>> {
        Box::pin(async move {
            let rows = self.read_range(scan, Some(filter::keys())).await?;
            Ok(rows.into_iter().map(|row| row.key).collect())
        })
    }

    /// Sent again when the answer is lost; the row that is [`Insert::AlreadyThere`] may then be the caller's own,
    /// which it finds out by comparing the cells.
    fn insert_if_absent<'a>(&'a self, row: &'a Row) -> BoxFuture<'a, Result<Insert, StoreError>> {
        Box::pin(async move {
            self.check(&row.key, &row.cells)?;
            let request = mutation::insert_if_absent(row);
            let matched = self.check_and_mutate(self.settings.write(), Retry::Safe, request);
            Ok(if matched.await? {
                Insert::AlreadyThere
            } else {
                Insert::Inserted
            })
        })
    }

    /// Sent once, and a second time only if the store refuses the token before it looks at the request.
    fn compare_and_set<'a>(
        &'a self,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        Box::pin(async move {
            self.check(key, cells)?;
            let request = mutation::compare_and_set(key, expected, cells);
            let matched =
                self.check_and_mutate(self.settings.single_write(), Retry::Never, request);
            Ok(if matched.await? == expected.value.is_some() {
                CompareAndSet::Set
            } else {
                CompareAndSet::Differs
            })
        })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        // No row of ours has this key: looking for it costs the store next to nothing.
        let timeouts = self.settings.ping();
        Box::pin(async move {
            self.read_row(b"PING", Columns::All, timeouts)
                .await
                .map(drop)
        })
    }
}

impl fmt::Debug for BigtableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BigtableStore")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
