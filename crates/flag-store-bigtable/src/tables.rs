//! Creates the tables, in an emulator.

use std::time::Duration;

use flag_store::{StoreError, Table};
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::bigtable_table_admin_client::BigtableTableAdminClient;
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::gc_rule::{Rule, Union};
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::{
    self as admin, ColumnFamily, CreateTableRequest, GcRule,
};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::FAMILY;
use crate::call::{Call, Repeat};
use crate::status::{Failure, refused};
use crate::store::BigtableStore;

impl BigtableStore {
    /// Creates both tables, leaving those that are there as they are; exposures expire after `retention`.
    ///
    /// Each waits as long as a read does. Refused without an emulator: tables in Google Cloud are not created by this yet.
    pub async fn create_tables(&self, retention: Duration) -> Result<(), StoreError> {
        let admin = self.admin()?;
        self.create_table(&admin, Table::Flags, newest_version())
            .await?;
        let rule = any_of([newest_version(), older_than(self, retention)?]);
        self.create_table(&admin, Table::Exposures, rule).await
    }

    /// A client for the administration of tables.
    fn admin(&self) -> Result<BigtableTableAdminClient<Channel>, StoreError> {
        let refused = |why| refused(self.name(Table::Flags), why);
        let Some(emulator) = &self.settings().emulator else {
            return Err(refused(
                "tables in Google Cloud are not created by this yet, only those of an emulator",
            ));
        };
        let endpoint = Endpoint::from_shared(format!("http://{emulator}"))
            .map_err(|_| refused("the emulator's address is no address"))?;
        Ok(BigtableTableAdminClient::new(endpoint.connect_lazy()))
    }

    async fn create_table(
        &self,
        admin: &BigtableTableAdminClient<Channel>,
        table: Table,
        expiry: GcRule,
    ) -> Result<(), StoreError> {
        let settings = self.settings();
        let request = CreateTableRequest {
            parent: format!(
                "projects/{}/instances/{}",
                settings.project, settings.instance
            ),
            table_id: self.name(table).to_owned(),
            table: Some(with_family(expiry)),
            initial_splits: Vec::new(),
        };
        let mut call = Call::new(self.name(table), settings.read(), Repeat::Safe);
        loop {
            let mut admin = admin.clone();
            match call.wait(admin.create_table(request.clone())).await {
                Ok(_) => return Ok(()),
                Err(Failure::Status(status)) if status.code() == Code::AlreadyExists => {
                    return Ok(());
                }
                Err(failure) => call.again(failure).await?,
            }
        }
    }
}

fn with_family(expiry: GcRule) -> admin::Table {
    let family = ColumnFamily {
        gc_rule: Some(expiry),
        ..ColumnFamily::default()
    };
    admin::Table {
        column_families: [(FAMILY.to_owned(), family)].into(),
        ..admin::Table::default()
    }
}

/// Versions of a cell but the newest expire.
fn newest_version() -> GcRule {
    rule(Rule::MaxNumVersions(1))
}

/// Cells expire when they are older than `age`.
fn older_than(store: &BigtableStore, age: Duration) -> Result<GcRule, StoreError> {
    match age.try_into() {
        Ok(age) => Ok(rule(Rule::MaxAge(age))),
        Err(_) => Err(refused(
            store.name(Table::Exposures),
            "the retention is too long",
        )),
    }
}

fn any_of(rules: [GcRule; 2]) -> GcRule {
    rule(Rule::Union(Union {
        rules: rules.into(),
    }))
}

fn rule(rule: Rule) -> GcRule {
    GcRule { rule: Some(rule) }
}
