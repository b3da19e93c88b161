//! Creates missing tables, and reports the state of the others.

use std::time::Duration;

use flag_store::StoreError;
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::modify_column_families_request::{
    Modification, modification::Mod,
};
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::table::View;
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::{
    self as admin, ColumnFamily, CreateTableRequest, GcRule, GetTableRequest,
    ModifyColumnFamiliesRequest,
};
use tonic::Code;

use crate::FAMILY;
use crate::admin::Admin;
use crate::call::{Call, Retry};
use crate::expiry::Expiry;
use crate::request::routed_by;
use crate::settings::{BigtableSettings, Table};
use crate::status::Failure;

/// The state of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableState {
    /// It does not exist.
    Missing,
    /// It lacks the column family.
    WithoutFamily,
    /// It exists, and its cells expire in this way.
    Ready(Expiry),
}

/// What was done about a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It was missing, and is there now.
    Created,
    /// It lacked the column family, and has it now.
    FamilyCreated,
    /// It was there; its cells expire so, and nothing was changed.
    WasThere(Expiry),
}

/// The administration of the tables.
#[derive(Clone, Debug)]
pub struct BigtableTables(BigtableSettings);

impl BigtableTables {
    /// Of the tables that the settings name; nothing is asked yet.
    pub fn new(settings: BigtableSettings) -> Self {
        Self(settings)
    }

    /// Creates both tables, leaving those that are there as they are; exposures expire after `retention`.
    ///
    /// Each call to an emulator waits as long as a read does, each to Google Cloud at most a minute.
    pub async fn create(&self, retention: Duration) -> Result<(), StoreError> {
        let admin = Admin::new(&self.0).await?;
        for table in Table::ALL {
            let expiry = Expiry::expected(table, retention).rule(self.0.table(table))?;
            self.create_table(&admin, table, expiry).await?;
        }
        Ok(())
    }

    /// Creates a table or its column family if they are missing; reports what exists, and changes nothing of it.
    pub async fn prepare(&self, table: Table, retention: Duration) -> Result<Prepared, StoreError> {
        let admin = Admin::new(&self.0).await?;
        let rule = Expiry::expected(table, retention).rule(self.0.table(table))?;
        if self.create_table(&admin, table, rule.clone()).await? {
            return Ok(Prepared::Created);
        }
        match self.state(&admin, table).await? {
            TableState::Ready(expiry) => Ok(Prepared::WasThere(expiry)),
            TableState::Missing | TableState::WithoutFamily => {
                self.create_family(&admin, table, rule).await?;
                Ok(Prepared::FamilyCreated)
            }
        }
    }

    /// The state of a table.
    pub async fn table_state(&self, table: Table) -> Result<TableState, StoreError> {
        let admin = Admin::new(&self.0).await?;
        self.state(&admin, table).await
    }

    async fn state(&self, admin: &Admin, table: Table) -> Result<TableState, StoreError> {
        let message = GetTableRequest {
            name: self.0.full_table_name(table),
            view: View::SchemaView.into(),
        };
        let mut call = Call::new(self.0.table(table), admin.timeouts, Retry::Safe);
        loop {
            let answer = Box::pin(async {
                let request = routed_by(message.clone(), &[("name", &message.name)]);
                admin.client().get_table(request).await
            });
            match call.wait(answer).await {
                Ok(answer) => return Ok(understood(&answer.into_inner())),
                Err(Failure::Status(status)) if status.code() == Code::NotFound => {
                    return Ok(TableState::Missing);
                }
                Err(failure) => call.retry_or_fail(failure).await?,
            }
        }
    }

    /// Whether the table was missing; one that is there stays as it is.
    async fn create_table(
        &self,
        admin: &Admin,
        table: Table,
        expiry: GcRule,
    ) -> Result<bool, StoreError> {
        let message = CreateTableRequest {
            parent: self.0.full_instance_name(),
            table_id: self.0.table(table).to_owned(),
            table: Some(with_family(expiry)),
            initial_splits: Vec::new(),
        };
        let mut call = Call::new(self.0.table(table), admin.timeouts, Retry::Safe);
        loop {
            let answer = Box::pin(async {
                let request = routed_by(message.clone(), &[("parent", &message.parent)]);
                admin.client().create_table(request).await
            });
            match call.wait(answer).await {
                Ok(_) => return Ok(true),
                Err(Failure::Status(status)) if status.code() == Code::AlreadyExists => {
                    return Ok(false);
                }
                Err(failure) => call.retry_or_fail(failure).await?,
            }
        }
    }

    async fn create_family(
        &self,
        admin: &Admin,
        table: Table,
        expiry: GcRule,
    ) -> Result<(), StoreError> {
        let message = ModifyColumnFamiliesRequest {
            name: self.0.full_table_name(table),
            modifications: vec![Modification {
                id: FAMILY.to_owned(),
                r#mod: Some(Mod::Create(family(expiry))),
                ..Modification::default()
            }],
            ..ModifyColumnFamiliesRequest::default()
        };
        let mut call = Call::new(self.0.table(table), admin.timeouts, Retry::Safe);
        loop {
            let answer = Box::pin(async {
                let request = routed_by(message.clone(), &[("name", &message.name)]);
                admin.client().modify_column_families(request).await
            });
            match call.wait(answer).await {
                Ok(_) => return Ok(()),
                Err(Failure::Status(status)) if status.code() == Code::AlreadyExists => {
                    return Ok(());
                }
                Err(failure) => call.retry_or_fail(failure).await?,
            }
        }
    }
}

fn understood(table: &admin::Table) -> TableState {
    match table.column_families.get(FAMILY) {
        Some(family) => TableState::Ready(Expiry::of(family.gc_rule.as_ref())),
        None => TableState::WithoutFamily,
    }
}

fn with_family(expiry: GcRule) -> admin::Table {
    admin::Table {
        column_families: [(FAMILY.to_owned(), family(expiry))].into(),
        ..admin::Table::default()
    }
}

fn family(expiry: GcRule) -> ColumnFamily {
    ColumnFamily {
        gc_rule: Some(expiry),
        ..ColumnFamily::default()
    }
}
