//! Logs of older releases, which kept each exposure as a row: how they are read, and copied into blocks.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use flag_model::{
    Bucket, FlagKey, FlagName, FlagType, FlagValue, InstanceId, ProjectName, Reason, Timestamp,
};
use flag_store::{
    BatchId, CellFormat, Cursor, Exposure, ExposureBatch, ExposureLog, ExposureRecord,
    ExposureScope, Row, TimeRange,
};
use flag_store_embedded::{
    EmbeddedLog, EmbeddedStore, FreeSpace, LogUpgrade, remove_exposures_before, upgrade_log,
};
use rusqlite::{Connection, params};
use tempfile::TempDir;

#[cfg(unix)]
use crate::processes::{Child, directory_of_child, report, wait_for_go};

/// What the first releases executed in a new file, and those after them.
const FIRST: &str = "PRAGMA journal_mode = wal;
    CREATE TABLE rows (key BLOB PRIMARY KEY, cells BLOB NOT NULL) WITHOUT ROWID;
    PRAGMA application_id = 0x4558504f; PRAGMA user_version = 1";
const SECOND: &str = "PRAGMA journal_mode = wal;
    CREATE TABLE rows (key BLOB PRIMARY KEY, cells BLOB NOT NULL,
    written INTEGER NOT NULL DEFAULT (unixepoch())) WITHOUT ROWID;
    PRAGMA application_id = 0x4558504f; PRAGMA user_version = 1";

/// How many exposures an old file has.
const MANY: i64 = 4_000;

/// How many of them no block gives back.
const ODD: usize = 2;

pub(crate) fn flag(name: &str) -> FlagKey {
    FlagKey {
        project: ProjectName::new("p").unwrap(),
        flag_type: FlagType::Feature,
        name: FlagName::new(name).unwrap(),
    }
}

pub(crate) fn exposure(name: &str, number: i64) -> Exposure<'static> {
    let second = 1_700_000_000 + number * 7_919 % MANY;
    Exposure {
        request_id: format!("{number:08x}-79b4-4c15-8bb1-0123456789ab").into(),
        flag: Cow::Owned(flag(name)),
        instance: InstanceId::new(format!("A{:011}", number % 1_000)).unwrap(),
        value: Cow::Owned(FlagValue::Boolean(number % 2 == 0)),
        rollout_group: if number % 2 == 0 {
            "treatment_1"
        } else {
            "control"
        }
        .into(),
        reason: (number % 3 > 0).then_some(Reason::Rollout),
        bucket: (number % 3 > 0).then(|| Bucket::new(7).unwrap()),
        revision: (number % 3 > 0).then(|| Timestamp::parse("2023-11-01 08:00:00").unwrap()),
        from_cache: Some(true),
        created: Timestamp::from_unix_micros(second * 1_000_000).unwrap(),
    }
}

/// The rows of an old log, some of them as the Python framework spells them, and two that are odd.
fn old_rows() -> Vec<Row> {
    let rows = (0..MANY).map(|number| {
        let name = if number % 5 == 0 { "f" } else { "g" };
        let boolean_format = if number % 7 == 0 {
            CellFormat::Python
        } else {
            CellFormat::Json
        };
        let record = exposure(name, number).to_record(boolean_format).unwrap();
        record.row().clone()
    });
    let mut rows: Vec<Row> = rows.collect();
    rows[1].cells.set("Added", "by hand");
    rows[2].cells.set("CreatedTimestamp", "soon");
    rows
}

fn encoded(row: &Row) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (column, value) in row.cells.iter() {
        bytes.extend(u16::try_from(column.len()).unwrap().to_be_bytes());
        bytes.extend(column);
        bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend(value);
    }
    bytes
}

/// A directory whose exposures an older release left.
fn old_log(statements: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    let [_, file] = EmbeddedStore::files(directory.path());
    let mut connection = Connection::open(file).unwrap();
    connection.execute_batch(statements).unwrap();
    let transaction = connection.transaction().unwrap();
    for row in old_rows() {
        transaction
            .execute(
                "INSERT INTO rows (key, cells) VALUES (?1, ?2)",
                params![row.key, encoded(&row)],
            )
            .unwrap();
    }
    transaction.commit().unwrap();
    connection.close().unwrap();
    directory
}

/// All records of a log, by key.
async fn records(log: &EmbeddedLog) -> Vec<ExposureRecord> {
    let project = ProjectName::new("p").unwrap();
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = log.page(
            ExposureScope::Project(&project),
            TimeRange::ALL,
            after.as_ref(),
            1_000,
        );
        let page = page.await.unwrap();
        found.extend(page.records);
        after = page.next;
        if after.is_none() {
            found.sort_by(|one, other| one.key().cmp(other.key()));
            return found;
        }
    }
}

async fn records_in(directory: &Path) -> Vec<ExposureRecord> {
    let log = EmbeddedLog::existing(directory).unwrap();
    let found = records(&log).await;
    log.close().await;
    found
}

fn expected() -> Vec<ExposureRecord> {
    let mut rows = old_rows();
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    rows.into_iter().map(ExposureRecord::from).collect()
}

async fn upgrade(directory: &Path) -> LogUpgrade {
    upgrade_log(directory, |_| {}).await.unwrap()
}

#[tokio::test]
async fn an_upgraded_log_has_the_same_records_in_a_smaller_file() {
    for statements in [FIRST, SECOND] {
        let directory = old_log(statements);
        assert_eq!(records_in(directory.path()).await, expected());
        let upgraded = upgrade(directory.path()).await;
        let many = usize::try_from(MANY).unwrap();
        assert_eq!((upgraded.copied, upgraded.left), (many - ODD, ODD));
        assert_eq!(upgraded.free, FreeSpace::GivenBack);
        let LogUpgrade {
            bytes_before,
            bytes_after,
            ..
        } = upgraded;
        assert!(bytes_after * 3 < bytes_before, "{upgraded:?}");
        let [_, file] = EmbeddedStore::files(directory.path());
        assert_eq!(fs::metadata(file).unwrap().len(), bytes_after);
        assert_eq!(records_in(directory.path()).await, expected());
        let again = upgrade(directory.path()).await;
        assert_eq!((again.copied, again.left), (0, ODD));
    }
}

#[tokio::test]
async fn copied_exposures_are_as_old_as_their_rows() {
    let directory = old_log(SECOND);
    let [_, file] = EmbeddedStore::files(directory.path());
    let connection = Connection::open(file).unwrap();
    let aged = "UPDATE rows SET written = unixepoch('2026-08-01') + length(cells) % 7";
    connection.execute_batch(aged).unwrap();
    connection.close().unwrap();
    upgrade(directory.path()).await;
    let removed = remove_exposures_before(directory.path(), "2026-08-01 00:00:00.000000").await;
    assert_eq!(removed.unwrap(), 0);
    let removed = remove_exposures_before(directory.path(), "2026-08-01 00:00:10.000000").await;
    assert_eq!(removed.unwrap(), usize::try_from(MANY).unwrap());
}

#[tokio::test]
async fn a_log_in_use_is_upgraded_and_shrinks_when_nobody_has_it_open() {
    let directory = old_log(SECOND);
    let service = EmbeddedLog::existing(directory.path()).unwrap();
    let (upgraded, appended) = tokio::join!(upgrade(directory.path()), async {
        let mut appended = Vec::new();
        for number in 0..50 {
            let served = exposure("h", MANY + number);
            let id = BatchId(u128::try_from(number + 1).unwrap());
            let batch = ExposureBatch::of(id, CellFormat::Json, [&served]);
            assert!(matches!(service.append(&batch).await[..], [Ok(())]));
            appended.push(served.to_record(CellFormat::Json).unwrap());
        }
        appended
    });
    assert_eq!(upgraded.free, FreeSpace::InUse);
    let many = usize::try_from(MANY).unwrap();
    assert_eq!((upgraded.copied, upgraded.left), (many - ODD, ODD));
    let mut all = [expected(), appended].concat();
    all.sort_by(|one, other| one.key().cmp(other.key()));
    assert_eq!(records(&service).await, all);
    service.close().await;
    let again = upgrade(directory.path()).await;
    assert_eq!(again.free, FreeSpace::GivenBack);
    assert!(again.bytes_after * 3 < again.bytes_before, "{again:?}");
    assert_eq!(records_in(directory.path()).await, all);
}

/// The request ids of what was logged since the last look, until there is nothing more.
async fn followed(log: &EmbeddedLog, cursor: &mut Option<Cursor>) -> Vec<String> {
    let project = ProjectName::new("p").unwrap();
    let mut found = Vec::new();
    loop {
        let of = ExposureScope::Project(&project);
        let page = log.logged_after(of, cursor.as_ref()).await.unwrap();
        *cursor = page.next;
        if page.records.is_empty() {
            return found;
        }
        found.extend(page.records.iter().map(|record| record.text().request_id));
    }
}

#[tokio::test]
async fn what_is_upgraded_while_it_is_followed_is_shown_once() {
    let directory = old_log(SECOND);
    let log = EmbeddedLog::existing(directory.path()).unwrap();
    let send = async |number: i64| {
        let record = exposure("f", MANY + number)
            .to_record(CellFormat::Json)
            .unwrap();
        log.insert_or_compare(&record).await.unwrap();
        record.text().request_id
    };
    let mut cursor = None;
    assert_eq!(followed(&log, &mut cursor).await, [""; 0]);
    let first = send(0).await;
    assert_eq!(followed(&log, &mut cursor).await, [first]);
    upgrade(directory.path()).await;
    assert_eq!(followed(&log, &mut cursor).await, [""; 0]);
    // Between two looks.
    let second = send(1).await;
    upgrade(directory.path()).await;
    assert_eq!(followed(&log, &mut cursor).await, [second]);
    assert_eq!(followed(&log, &mut cursor).await, [""; 0]);
}

#[cfg(unix)]
#[tokio::test]
async fn child_upgrades() {
    if let Some(directory) = directory_of_child() {
        let progress = |rows: usize| report(&rows.to_string());
        upgrade_log(&directory, progress).await.unwrap();
    }
}

/// Stops after each block until the parent lets it go on, which never happens.
#[cfg(unix)]
#[tokio::test]
async fn child_upgrades_a_block() {
    if let Some(directory) = directory_of_child() {
        let progress = |rows: usize| {
            report(&rows.to_string());
            wait_for_go();
        };
        upgrade_log(&directory, progress).await.unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_upgrade_that_is_killed_loses_and_doubles_nothing() {
    let directory = old_log(SECOND);
    for _ in 0..3 {
        let mut child = Child::start_test("upgrading::child_upgrades_a_block", directory.path());
        child.report().unwrap();
        child.kill();
        assert_eq!(records_in(directory.path()).await, expected());
    }
    let upgraded = upgrade(directory.path()).await;
    let done = usize::try_from(MANY).unwrap() - ODD - upgraded.copied;
    assert!((1..=1_500).contains(&done), "{done} of three blocks");
    assert_eq!(upgraded.left, ODD);
    assert_eq!(records_in(directory.path()).await, expected());
}

#[cfg(unix)]
#[tokio::test]
async fn two_upgrades_at_once_copy_each_exposure_once() {
    let directory = old_log(SECOND);
    let mut other = Child::start_test("upgrading::child_upgrades", directory.path());
    let first = upgrade(directory.path()).await;
    while other.report().is_some() {}
    assert!(first.copied > 0 || first.left >= ODD);
    assert_eq!(records_in(directory.path()).await, expected());
    let last = upgrade(directory.path()).await;
    assert_eq!(last.left, ODD);
    assert_eq!(records_in(directory.path()).await, expected());
}
