//! The port, on Bigtable.

use std::fmt;

use bigtable_rs::bigtable::BigTable;
use bigtable_rs::google::bigtable::v2::{CheckAndMutateRowRequest, ReadRowsRequest, RowFilter};
use flag_store::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Order, Row, RowStore, Scan,
    StoreError, Table,
};

use crate::call::{Call, Patience, Repeat};
use crate::connection::ConnectError;
use crate::line::Line;
use crate::merge::Merger;
use crate::settings::BigtableSettings;
use crate::status::{Failure, refused};
use crate::{batch, filter, forget, mutation, request};

/// Flags and exposures in Bigtable.
///
/// Belongs to the runtime that it was connected in. Every call ends within the deadline that the settings give it,
/// fetching a token and connecting included.
pub struct BigtableStore {
    line: Line,
    settings: BigtableSettings,
}

impl BigtableStore {
    /// Prepares the store; connections are made by the first call, so that Bigtable may be down now.
    ///
    /// Looks for credentials unless an emulator is named; that asks the network on some machines, and ends within
    /// the settings' `connect_deadline`.
    pub async fn connect(settings: BigtableSettings) -> Result<Self, ConnectError> {
        let line = Line::open(&settings).await?;
        Ok(Self { line, settings })
    }

    pub(crate) fn settings(&self) -> &BigtableSettings {
        &self.settings
    }

    pub(crate) fn client(&self) -> BigTable {
        self.line.client()
    }

    /// The name of a table, as people know it.
    pub(crate) fn name(&self, table: Table) -> &str {
        match table {
            Table::Flags => &self.settings.flag_table,
            Table::Exposures => &self.settings.log_table,
        }
    }

    /// The name of a table, as requests spell it.
    pub(crate) fn full_name(&self, table: Table) -> String {
        self.line.client().get_full_table_name(self.name(table))
    }

    /// The app profile, as requests spell it.
    pub(crate) fn app_profile(&self) -> String {
        self.settings.app_profile.clone().unwrap_or_default()
    }

    async fn read(
        &self,
        table: Table,
        patience: Patience,
        request: ReadRowsRequest,
    ) -> Result<Vec<Row>, StoreError> {
        let request = ReadRowsRequest {
            table_name: self.full_name(table),
            app_profile_id: self.app_profile(),
            ..request
        };
        let mut call = Call::new(self.name(table), patience, Repeat::Safe);
        loop {
            match self.read_once(&call, request.clone()).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => call.again(failure).await?,
            }
        }
    }

    /// One attempt. What it had read is lost when it fails: the next one begins at the beginning.
    async fn read_once(
        &self,
        call: &Call<'_>,
        request: ReadRowsRequest,
    ) -> Result<Vec<Row>, Failure> {
        let mut merger = Merger::new(if request.reversed {
            Order::Descending
        } else {
            Order::Ascending
        });
        let mut client = self.client();
        let answer = client.get_client().read_rows(request::read(request));
        let mut stream = call.wait(answer).await?.into_inner();
        while let Some(message) = call.wait(stream.message()).await? {
            merger.push(message.chunks)?;
        }
        merger.finish()
    }

    async fn read_row(
        &self,
        table: Table,
        key: &[u8],
        columns: Columns<'_>,
    ) -> Result<Option<Row>, StoreError> {
        let Some(request) = request::row(key, columns) else {
            return Ok(None);
        };
        let mut rows = self.read(table, self.settings.read(), request).await?;
        Ok(rows.pop())
    }

    async fn read_range(
        &self,
        table: Table,
        scan: Scan,
        filter: Option<RowFilter>,
    ) -> Result<Vec<Row>, StoreError> {
        let patience = match scan.limit {
            Some(_) => self.settings.read(),
            None => self.settings.long_read(),
        };
        match request::range(scan, filter) {
            Some(request) => self.read(table, patience, request).await,
            None => Ok(Vec::new()),
        }
    }

    /// Whether the predicate matched.
    async fn check_and_mutate(
        &self,
        table: Table,
        patience: Patience,
        repeat: Repeat,
        request: CheckAndMutateRowRequest,
    ) -> Result<bool, StoreError> {
        let request = CheckAndMutateRowRequest {
            table_name: self.full_name(table),
            app_profile_id: self.app_profile(),
            ..request
        };
        let mut call = Call::new(self.name(table), patience, repeat);
        loop {
            let mut client = self.client();
            let request = request::routed(request.clone());
            let answer = client.get_client().check_and_mutate_row(request);
            match call.wait(answer).await {
                Ok(answer) => return Ok(answer.into_inner().predicate_matched),
                Err(failure) => call.again(failure).await?,
            }
        }
    }

    fn check(&self, table: Table, key: &[u8], cells: &Cells) -> Result<(), StoreError> {
        match mutation::objection(key, cells) {
            Some(why) => Err(refused(self.name(table), why)),
            None => Ok(()),
        }
    }
}

impl RowStore for BigtableStore {
    fn get<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        Box::pin(self.read_row(table, key, columns))
    }

    /// A scan without a limit may take as long as a batch.
    fn scan(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(self.read_range(table, scan, filter::cells(Columns::All)))
    }

    fn keys(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Vec<u8>>, StoreError>> {
        Box::pin(async move {
            let rows = self.read_range(table, scan, Some(filter::keys())).await?;
            Ok(rows.into_iter().map(|row| row.key).collect())
        })
    }

    /// Sent again when the answer is lost; the row that is [`Insert::AlreadyThere`] may then be the caller's own,
    /// which it finds out by comparing the cells.
    fn insert_if_absent<'a>(
        &'a self,
        table: Table,
        row: &'a Row,
    ) -> BoxFuture<'a, Result<Insert, StoreError>> {
        Box::pin(async move {
            self.check(table, &row.key, &row.cells)?;
            let request = mutation::insert_if_absent(row);
            let matched =
                self.check_and_mutate(table, self.settings.write(), Repeat::Safe, request);
            Ok(if matched.await? {
                Insert::AlreadyThere
            } else {
                Insert::Inserted
            })
        })
    }

    /// Sent once, whatever happens, unless the store says that it did not even look at it for lack of a valid token.
    fn compare_and_set<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        Box::pin(async move {
            self.check(table, key, cells)?;
            let request = mutation::compare_and_set(key, expected, cells);
            let matched =
                self.check_and_mutate(table, self.settings.single_write(), Repeat::Never, request);
            Ok(if matched.await? == expected.value.is_some() {
                CompareAndSet::Set
            } else {
                CompareAndSet::Differs
            })
        })
    }

    fn write_batch<'a>(
        &'a self,
        table: Table,
        rows: &'a [Row],
    ) -> BoxFuture<'a, Vec<Result<(), StoreError>>> {
        Box::pin(batch::write(self, table, rows))
    }

    fn delete_exposures<'a>(
        &'a self,
        keys: &'a [Vec<u8>],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(forget::delete_exposures(self, keys))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        // No row of ours has this key: looking for it costs the store next to nothing.
        let ping = |table| self.read_row(table, b"PING", Columns::All);
        Box::pin(async move {
            tokio::try_join!(ping(Table::Flags), ping(Table::Exposures))?;
            Ok(())
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
