//! The suite that every store passes, against the Bigtable emulator.
//!
//! `cargo xtask test` starts the emulator, and says where it is.
mod on_bigtable {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, SystemTime};

    use flag_store::{Cells, Columns, Insert, Row, RowStore, StoreError, Table};
    use flag_store_bigtable::{BigtableSettings, BigtableStore, Expiry, Prepared, TableState};
    use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::bigtable_table_admin_client::BigtableTableAdminClient;
    use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::{
        self as admin, CreateTableRequest,
    };
    use tonic::transport::Endpoint;

    flag_store::conformance_tests!(fresh_store);

    const RETENTION: Duration = Duration::from_hours(90 * 24);

    async fn fresh_store() -> BigtableStore {
        let store = store_without_tables().await;
        store.create_tables(RETENTION).await.unwrap();
        store
    }

    /// A store of its own: its instance has a name that no other test uses.
    async fn store_without_tables() -> BigtableStore {
        BigtableStore::connect(settings()).await.unwrap()
    }

    fn settings() -> BigtableSettings {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Ok(emulator) = std::env::var("FLAG_TEST_EMULATOR") else {
            panic!("FLAG_TEST_EMULATOR is not set: run the tests with `cargo xtask test`");
        };
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let instance = format!(
            "test-{}-{now}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        BigtableSettings {
            emulator: Some(emulator),
            ..BigtableSettings::new("flag-tests", instance, "flags", "log")
        }
    }

    /// A table as somebody may have made it by hand.
    async fn create_bare_table(settings: &BigtableSettings) {
        let emulator = settings.emulator.as_ref().unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{emulator}")).unwrap();
        let mut admin = BigtableTableAdminClient::new(endpoint.connect_lazy());
        let request = CreateTableRequest {
            parent: format!(
                "projects/{}/instances/{}",
                settings.project, settings.instance
            ),
            table_id: settings.flag_table.clone(),
            table: Some(admin::Table::default()),
            initial_splits: Vec::new(),
        };
        admin.create_table(request).await.unwrap();
    }

    #[tokio::test]
    async fn tables_are_created_once_and_left_alone_after_that() {
        let store = fresh_store().await;
        let row = Row {
            key: b"k".to_vec(),
            cells: Cells::default().with("Name", "1"),
        };
        let inserted = store.insert_if_absent(Table::Flags, &row).await.unwrap();
        assert_eq!(inserted, Insert::Inserted);
        store.create_tables(RETENTION).await.unwrap();
        let found = store.get(Table::Flags, b"k", Columns::All).await.unwrap();
        assert_eq!(found, Some(row));
    }

    #[tokio::test]
    async fn a_table_is_as_it_was_created_whatever_is_asked_for_later() {
        let store = store_without_tables().await;
        for table in [Table::Flags, Table::Exposures] {
            assert_eq!(store.table_state(table).await.unwrap(), TableState::Missing);
            let prepared = store.prepare_table(table, RETENTION).await.unwrap();
            assert_eq!(prepared, Prepared::Created);
            let expiry = Expiry::expected(table, RETENTION);
            let prepared = store.prepare_table(table, RETENTION / 2).await.unwrap();
            assert_eq!(prepared, Prepared::WasThere(expiry.clone()));
            let state = store.table_state(table).await.unwrap();
            assert_eq!(state, TableState::Ready(expiry));
        }
    }

    #[tokio::test]
    async fn a_table_without_the_family_gets_it() {
        let settings = settings();
        create_bare_table(&settings).await;
        let store = BigtableStore::connect(settings).await.unwrap();
        let state = store.table_state(Table::Flags).await.unwrap();
        assert_eq!(state, TableState::WithoutFamily);
        let prepared = store.prepare_table(Table::Flags, RETENTION).await.unwrap();
        assert_eq!(prepared, Prepared::FamilyCreated);
        let expiry = Expiry::expected(Table::Flags, RETENTION);
        let state = store.table_state(Table::Flags).await.unwrap();
        assert_eq!(state, TableState::Ready(expiry));
    }

    #[tokio::test]
    async fn a_table_that_is_missing_is_refused_by_name() {
        let store = store_without_tables().await;
        // A ping asks both tables at once, and tells whichever answer comes first: only one may be missing.
        store.prepare_table(Table::Flags, RETENTION).await.unwrap();
        let error = store.ping().await.unwrap_err();
        let StoreError::Refused { source } = error else {
            panic!("{error:?}");
        };
        let source = source.to_string();
        assert!(source.starts_with("table log: NotFound: "), "{source}");
    }

    #[tokio::test]
    async fn an_override_list_of_10_000_long_ids_fits() {
        let store = fresh_store().await;
        let ids: Vec<String> = (0..10_000).map(|id| format!("{id:0512}")).collect();
        let row = Row {
            key: b"k".to_vec(),
            cells: Cells::default().with("Treatments", ids.join("\",\"")),
        };
        store.insert_if_absent(Table::Flags, &row).await.unwrap();
        let found = store.get(Table::Flags, b"k", Columns::All).await.unwrap();
        assert!(found == Some(row));
    }

    #[tokio::test]
    async fn a_batch_larger_than_any_request_is_written_whole() {
        let store = fresh_store().await;
        let rows: Vec<Row> = (0..12_000)
            .map(|row| Row {
                key: format!("k{row:05}").into_bytes(),
                cells: (0..11).map(|cell| (format!("c{cell}"), "1")).collect(),
            })
            .collect();
        let results = store.write_batch(Table::Exposures, &rows).await;
        assert!(results.iter().all(Result::is_ok));
        let last = store
            .get(Table::Exposures, b"k11999", Columns::Only(&["c10"]))
            .await
            .unwrap();
        assert_eq!(last.unwrap().cells.len(), 1);
    }
}
