//! The suites that every backend passes, against the Bigtable emulator.
//!
//! `cargo xtask test` starts the emulator, and says where it is.
mod on_bigtable {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, SystemTime};

    use std::sync::Arc;

    use flag_model::{
        Bucket, FlagKey, FlagName, FlagValue, InstanceId, ProjectName, Reason, Timestamp,
    };
    use flag_store::conformance::the_ports_are_apart;
    use flag_store::{
        BatchId, BoxFuture, CellFormat, Cells, Columns, ExposureBatch, ExposureLog as _, ExposureRows, Insert,
        ExposureTemplate, Row, RowStore, Scan, StoreError,
    };
    use flag_store_bigtable::{
        BigtableLog, BigtableSettings, BigtableStore, BigtableTables, Expiry, Prepared, Table, TableState,
    };
    use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::bigtable_table_admin_client::BigtableTableAdminClient;
    use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::{
        self as admin, CreateTableRequest,
    };
    use tonic::transport::Endpoint;

    mod rows {
        use super::{BigtableStore, fresh};

        async fn fresh_store() -> BigtableStore {
            fresh().await.0
        }

        flag_store::row_store_tests!(fresh_store);
    }

    mod exposure_log {
        use super::{BigtableLog, fresh};

        async fn fresh_log() -> BigtableLog {
            fresh().await.1
        }

        flag_store::exposure_log_tests!(fresh_log);
    }

    const RETENTION: Duration = Duration::from_hours(90 * 24);

    /// Flags and exposures of an instance of their own: its name is one that no other test uses.
    async fn fresh() -> (BigtableStore, BigtableLog) {
        let settings = settings();
        tables(&settings).create(RETENTION).await.unwrap();
        opened(&settings).await
    }

    async fn opened(settings: &BigtableSettings) -> (BigtableStore, BigtableLog) {
        let rows = BigtableStore::connect(settings.clone()).await.unwrap();
        (rows, BigtableLog::connect(settings.clone()).await.unwrap())
    }

    fn tables(settings: &BigtableSettings) -> BigtableTables {
        BigtableTables::new(settings.clone())
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
        // What a busy machine needs: the suite is about what comes out.
        let timeout = Duration::from_secs(20);
        BigtableSettings {
            emulator: Some(emulator),
            read_attempt: timeout,
            read_timeout: timeout,
            write_attempt: timeout,
            write_timeout: timeout,
            batch_attempt: timeout,
            batch_timeout: timeout,
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
        let settings = settings();
        tables(&settings).create(RETENTION).await.unwrap();
        let (store, _) = opened(&settings).await;
        let row = Row {
            key: b"k".to_vec(),
            cells: Cells::default().with("Name", "1"),
        };
        let inserted = store.insert_if_absent(&row).await.unwrap();
        assert_eq!(inserted, Insert::Inserted);
        tables(&settings).create(RETENTION).await.unwrap();
        let found = store.get(b"k", Columns::All).await.unwrap();
        assert_eq!(found, Some(row));
    }

    #[tokio::test]
    async fn a_table_is_as_it_was_created_whatever_is_asked_for_later() {
        let tables = tables(&settings());
        for table in Table::ALL {
            assert_eq!(
                tables.table_state(table).await.unwrap(),
                TableState::Missing
            );
            let prepared = tables.prepare(table, RETENTION).await.unwrap();
            assert_eq!(prepared, Prepared::Created);
            let expiry = Expiry::expected(table, RETENTION);
            let prepared = tables.prepare(table, RETENTION / 2).await.unwrap();
            assert_eq!(prepared, Prepared::WasThere(expiry.clone()));
            let state = tables.table_state(table).await.unwrap();
            assert_eq!(state, TableState::Ready(expiry));
        }
    }

    #[tokio::test]
    async fn a_table_without_the_family_gets_it() {
        let settings = settings();
        create_bare_table(&settings).await;
        let tables = tables(&settings);
        let state = tables.table_state(Table::Flags).await.unwrap();
        assert_eq!(state, TableState::WithoutFamily);
        let prepared = tables.prepare(Table::Flags, RETENTION).await.unwrap();
        assert_eq!(prepared, Prepared::FamilyCreated);
        let expiry = Expiry::expected(Table::Flags, RETENTION);
        let state = tables.table_state(Table::Flags).await.unwrap();
        assert_eq!(state, TableState::Ready(expiry));
    }

    #[tokio::test]
    async fn a_table_that_is_missing_is_refused_by_name() {
        let (_, log) = opened(&settings()).await;
        let error = log.ping().await.unwrap_err();
        let StoreError::Misconfigured { source } = error else {
            panic!("{error:?}");
        };
        let source = source.to_string();
        assert!(source.starts_with("table log: NotFound: "), "{source}");
    }

    #[tokio::test]
    async fn an_override_list_of_10_000_long_ids_fits() {
        let (store, _) = fresh().await;
        let ids: Vec<String> = (0..10_000).map(|id| format!("{id:0512}")).collect();
        let row = Row {
            key: b"k".to_vec(),
            cells: Cells::default().with("Treatments", ids.join("\",\"")),
        };
        store.insert_if_absent(&row).await.unwrap();
        let found = store.get(b"k", Columns::All).await.unwrap();
        assert!(found == Some(row));
    }

    #[tokio::test]
    async fn a_batch_larger_than_any_request_is_written_whole() {
        let (_, log) = fresh().await;
        let rows: Vec<Row> = (0..12_000)
            .map(|row| Row {
                key: format!("k{row:05}").into_bytes(),
                cells: (0..11).map(|cell| (format!("c{cell}"), "1")).collect(),
            })
            .collect();
        let results = log.write_rows(&rows).await;
        assert!(results.iter().all(Result::is_ok));
        let last = log.rows().get(b"k11999", Columns::Only(&["c10"])).await;
        assert_eq!(last.unwrap().unwrap().cells.len(), 1);
    }

    /// A log that writes a batch as the port does it for every backend: as rows.
    #[derive(Debug)]
    struct ByRows(BigtableLog);

    impl ExposureRows for ByRows {
        fn rows(&self) -> &dyn RowStore {
            self.0.rows()
        }

        fn write_rows<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Vec<Result<(), StoreError>>> {
            self.0.write_rows(rows)
        }

        fn delete_rows<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>> {
            self.0.delete_rows(keys)
        }
    }

    fn template(name: &str, value: FlagValue) -> ExposureTemplate {
        ExposureTemplate {
            flag: FlagKey {
                project: ProjectName::new("csr-assistant").unwrap(),
                flag_type: value.flag_type(),
                name: FlagName::new(name).unwrap(),
            },
            revision: Some(Timestamp::parse("2024-09-25 19:15:28.248896").unwrap()),
            value,
            rollout_group: "treatment_1".into(),
            reason: Some(Reason::Rollout),
            from_cache: Some(true),
        }
    }

    /// Exposures of several outcomes; one of them has a key that is too long.
    fn batch(boolean_format: CellFormat) -> ExposureBatch {
        let mut batch = ExposureBatch::new(BatchId(1), boolean_format);
        let templates = [
            batch.add_template(template("a", FlagValue::Boolean(true))),
            batch.add_template(template("b", FlagValue::text("größer # 50 %\n").unwrap())),
            batch.add_template(ExposureTemplate {
                revision: None,
                reason: None,
                from_cache: None,
                ..template("c", FlagValue::text("").unwrap())
            }),
        ];
        let long = "r".repeat(5_000);
        let ids = ["r-1", "r#2", "", "50%", "日本", &long];
        let created = Timestamp::parse("2026-11-21 10:00:00.123456").unwrap();
        let ids = ids.iter().cycle().zip(templates.iter().cycle());
        for (number, (request_id, template)) in ids.take(600).enumerate() {
            let instance = InstanceId::new(format!("A#{number}")).unwrap();
            let bucket = Bucket::new(u32::try_from(number * 170).unwrap());
            batch.push(*template, request_id, &instance, bucket, created);
        }
        batch
    }

    #[tokio::test]
    async fn a_batch_leaves_the_rows_that_its_exposures_encode_to() {
        for boolean_format in [CellFormat::Json, CellFormat::Python] {
            let (_, lean) = fresh().await;
            let (_, log) = fresh().await;
            let by_rows = ByRows(log);
            let batch = batch(boolean_format);
            let written = lean.append(&batch).await;
            let expected = by_rows.append(&batch).await;
            assert_eq!(format!("{written:?}"), format!("{expected:?}"));
            assert_eq!(written.iter().filter(|result| result.is_ok()).count(), 500);
            let all = || Scan::prefix("");
            let rows = lean.rows().scan(all()).await.unwrap();
            assert_eq!(rows.len(), 500);
            assert_eq!(rows, by_rows.rows().scan(all()).await.unwrap());
            // Another time it replaces the cells by equal ones.
            assert_eq!(lean.append(&batch).await.len(), 600);
            assert_eq!(rows, lean.rows().scan(all()).await.unwrap());
        }
    }

    #[tokio::test]
    async fn the_log_is_apart_from_the_flags() {
        let (store, log) = fresh().await;
        the_ports_are_apart(Arc::new(store), Arc::new(log)).await;
    }

    /// Somebody may have given both the same name.
    #[tokio::test]
    async fn nothing_is_deleted_from_the_table_of_flags() {
        let settings = settings();
        let shared = BigtableSettings {
            log_table: settings.flag_table.clone(),
            ..settings
        };
        let (_, log) = opened(&shared).await;
        let refused = log.delete_rows(&[b"k".to_vec()]).await;
        assert!(
            matches!(refused, Err(StoreError::Refused { .. })),
            "{refused:?}"
        );
    }
}
