//! A store for one test.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use flag_model::ProjectName;
use flag_settings::StoreSettings;
use flag_store::{
    BatchId, CompareAndSet, Expected, Exposure, ExposureBatch, ExposureLog, ExposureQuery,
    ExposureRecord, ExposureScope, FlagStore, Insert, Row, RowStore, SystemClock, TimeRange,
};
use flag_store_bigtable::BigtableSettings;
use tempfile::TempDir;

const PROJECT: &str = "test-project";
const FLAG_TABLE: &str = "csr_va_feature_flag_bigtable";
const LOG_TABLE: &str = "csr_va_feature_flag_service_operation_log";

/// A store of its own for each test, empty at first and gone at the end.
#[derive(Debug)]
pub enum TestStore {
    /// Files in a folder of their own.
    Embedded(TempDir),
    /// An instance of its own in the emulator.
    Bigtable {
        /// `host:port` of the emulator.
        emulator: String,
        /// The name of the instance.
        instance: String,
    },
}

impl TestStore {
    /// An embedded store.
    pub fn embedded() -> Self {
        Self::Embedded(tempfile::tempdir().unwrap())
    }

    /// An instance in the emulator that `cargo xtask test` has started.
    pub fn bigtable() -> Self {
        let emulator = std::env::var("FLAG_TEST_EMULATOR")
            .expect("FLAG_TEST_EMULATOR is not set: run the tests with `cargo xtask test`");
        Self::at(emulator)
    }

    /// An instance in the emulator, or whatever else there is, at this address.
    pub fn at(emulator: String) -> Self {
        Self::Bigtable {
            emulator,
            instance: format!("test-{:016x}", fastrand::u64(..)),
        }
    }

    /// Whether it is in the emulator of this run of the tests, and not behind a network of the test's own.
    pub fn is_of_the_run(&self) -> bool {
        let run = std::env::var("FLAG_TEST_EMULATOR");
        matches!(self, Self::Bigtable { emulator, .. } if run.is_ok_and(|run| run == *emulator))
    }

    /// What tells a binary to use this store.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Embedded(folder) => {
                vec![("FLAG_DATA_DIR", folder.path().to_str().unwrap().to_owned())]
            }
            Self::Bigtable { emulator, instance } => vec![
                ("FLAG_STORE", "bigtable".to_owned()),
                ("BIGTABLE_EMULATOR_HOST", emulator.clone()),
                ("PROJECT_ID", PROJECT.to_owned()),
                ("INSTANCE_ID", instance.clone()),
            ],
        }
    }

    /// The word that names it where one store is named beside others.
    pub fn name(&self) -> String {
        match self {
            Self::Embedded(folder) => format!("embedded:{}", folder.path().display()),
            Self::Bigtable { instance, .. } => format!("bigtable:{PROJECT}/{instance}"),
        }
    }

    fn settings(&self) -> StoreSettings {
        match self {
            Self::Embedded(folder) => StoreSettings::Embedded(folder.path().to_owned()),
            Self::Bigtable { emulator, instance } => {
                let settings = BigtableSettings::new(PROJECT, instance, FLAG_TABLE, LOG_TABLE);
                StoreSettings::Bigtable(Box::new(BigtableSettings {
                    emulator: Some(emulator.clone()),
                    ..settings
                }))
            }
        }
    }

    /// The rows of flags, with connections or files opened anew.
    pub async fn rows(&self) -> Arc<dyn RowStore> {
        self.settings().open().await.unwrap()
    }

    /// The flags, with connections or files opened anew.
    pub async fn flags(&self) -> FlagStore {
        FlagStore::new(self.rows().await, Arc::new(SystemClock))
    }

    /// The exposure log, with connections or files opened anew.
    pub async fn exposures(&self) -> Arc<dyn ExposureLog> {
        self.settings().open_log().await.unwrap()
    }

    /// All exposures of a project, the newest first, with connections or files opened anew.
    pub async fn logged(&self, project: &str) -> Vec<ExposureRecord> {
        let log = self.exposures().await;
        let project = ProjectName::new(project).unwrap();
        let query = ExposureQuery {
            scope: ExposureScope::Project(&project),
            within: TimeRange::ALL,
            group: None,
            limit: usize::MAX,
        };
        let logged = log.newest(query).await.unwrap();
        log.close().await;
        logged
    }

    /// Writes rows of new flags, as other tooling does.
    pub async fn leave(&self, rows: &[Row]) {
        let store = self.rows().await;
        for row in rows {
            let inserted = store.insert_if_absent(row).await;
            assert_eq!(inserted.unwrap(), Insert::Inserted);
        }
        store.close().await;
    }

    /// Alters the exposure of a project with this key as nothing in the system does; no service may be running.
    pub async fn alter_exposure(&self, project: &str, key: &str, alter: fn(&mut Exposure<'_>)) {
        let project = ProjectName::new(project).unwrap();
        let log = self.exposures().await;
        match self {
            Self::Embedded(folder) => {
                let (old, new) = altered_block(&*log, &project, key, alter).await;
                log.close().await;
                replace_block(folder.path(), &old, &new);
            }
            Self::Bigtable { .. } => {
                let record = log.find(key.as_bytes()).await.unwrap().unwrap();
                let (mut exposure, boolean_format) = record.exposure().unwrap();
                alter(&mut exposure);
                let cells = exposure
                    .to_record(boolean_format)
                    .unwrap()
                    .row()
                    .cells
                    .clone();
                let request = Expected {
                    column: "RequestID",
                    value: record.row().cells.get("RequestID"),
                };
                let rows = self.log_rows().await;
                let set = rows.compare_and_set(record.key(), request, &cells).await;
                assert_eq!(set.unwrap(), CompareAndSet::Set);
                rows.close().await;
                log.close().await;
            }
        }
    }

    /// The rows of the exposure log in Bigtable.
    async fn log_rows(&self) -> Arc<dyn RowStore> {
        let StoreSettings::Bigtable(settings) = self.settings() else {
            panic!("the embedded log has blocks")
        };
        let flag_table = settings.log_table.clone();
        let settings = BigtableSettings {
            flag_table,
            ..*settings
        };
        let settings = StoreSettings::Bigtable(Box::new(settings));
        settings.open().await.unwrap()
    }

    /// What the emulator's own client prints of the flag table, where that client is installed.
    pub fn cbt_read(&self) -> Option<String> {
        let Self::Bigtable { emulator, instance } = self else {
            return None;
        };
        let read = Command::new("cbt")
            .args([
                "-project",
                PROJECT,
                "-instance",
                instance,
                "read",
                FLAG_TABLE,
            ])
            .env("BIGTABLE_EMULATOR_HOST", emulator)
            .output();
        Some(String::from_utf8(read.ok()?.stdout).unwrap())
    }
}

/// The bytes of the block that has an exposure, and those of the block with the altered one.
async fn altered_block(
    log: &dyn ExposureLog,
    project: &ProjectName,
    key: &str,
    alter: fn(&mut Exposure<'_>),
) -> (Vec<u8>, Vec<u8>) {
    let of = ExposureScope::Project(project);
    let page = log.batches(of, TimeRange::ALL, None, usize::MAX);
    for batch in page.await.unwrap().batches {
        let mut exposures: Vec<_> = batch.exposures().collect();
        let found = exposures.iter_mut().find(|of| {
            let record = of.to_record(batch.boolean_format()).unwrap();
            record.key() == key.as_bytes()
        });
        if let Some(exposure) = found {
            alter(exposure);
            let altered = ExposureBatch::of(BatchId(0), batch.boolean_format(), &exposures);
            let [old, new] = [&batch, &altered].map(|of| of.blocks().blocks.remove(0).bytes);
            return (old, new);
        }
    }
    panic!("no exposure {key}")
}

/// Replaces the bytes of a block in the file of the embedded log, with Python's `SQLite`.
fn replace_block(folder: &Path, old: &[u8], new: &[u8]) {
    const SCRIPT: &str = "import sqlite3, sys
old, new = map(bytes.fromhex, sys.stdin.read().split())
connection = sqlite3.connect(sys.argv[1])
changed = connection.execute('UPDATE block_data SET data = ? WHERE data = ?', (new, old)).rowcount
connection.commit()
assert changed == 1, changed";
    let hex = |bytes: &[u8]| {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
        digits.collect::<String>()
    };
    let (old, new) = (hex(old), hex(new));
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .arg(folder.join("exposures.db"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(format!("{old} {new}").as_bytes()).unwrap();
    drop(stdin);
    assert!(python.wait().unwrap().success());
}
