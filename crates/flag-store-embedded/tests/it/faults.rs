//! Locks held by others, and damaged rows.

use std::path::Path;
use std::time::Duration;

use flag_model::{FlagKey, FlagValue, InstanceId, ProjectName, Timestamp};
use flag_store::{
    BatchId, CellFormat, Cells, Columns, Expected, ExposureBatch, ExposureLog as _, ExposureScope,
    ExposureTemplate, Insert, Row, RowStore as _, Scan, StoreError, TimeRange, WriteExposureError,
};
use flag_store_embedded::{EmbeddedLog, EmbeddedStore};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::time::timeout;

const SHORT: Duration = Duration::from_millis(50);

fn row(key: &str) -> Row {
    Row {
        key: key.into(),
        cells: Cells::default().with("Name", key),
    }
}

async fn insert(store: &EmbeddedStore, key: &str) -> Result<Insert, StoreError> {
    store.insert_if_absent(&row(key)).await
}

async fn get(store: &EmbeddedStore, key: &str) -> Result<Option<Row>, StoreError> {
    store.get(key.as_bytes(), Columns::All).await
}

/// Somebody else who holds the write lock of the flags.
fn lock(directory: &Path) -> Connection {
    lock_file(directory, "flags.db")
}

fn lock_file(directory: &Path, file: &str) -> Connection {
    let connection = Connection::open(directory.join(file)).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

fn fresh() -> (TempDir, EmbeddedStore) {
    let directory = TempDir::new().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    (directory, store)
}

/// A store one of whose flags, `damaged`, holds bytes that are no cells.
async fn damaged() -> (TempDir, EmbeddedStore) {
    let (directory, store) = fresh();
    insert(&store, "whole").await.unwrap();
    damage(directory.path(), "flags.db");
    (directory, store)
}

fn damage(directory: &Path, file: &str) {
    let connection = Connection::open(directory.join(file)).unwrap();
    let sql = "INSERT INTO rows (key, cells) VALUES (CAST('damaged' AS BLOB), x'00ff')";
    connection.execute_batch(sql).unwrap();
}

#[track_caller]
fn assert_broken<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    assert!(
        matches!(result, Err(StoreError::Broken { .. })),
        "{result:?}"
    );
}

/// Exposures to one flag, in a batch whose id is made of them.
fn batch(requests: &[&str]) -> ExposureBatch {
    let flag: FlagKey = "p/feature/f".parse().unwrap();
    let id = requests
        .concat()
        .bytes()
        .fold(0, |id, byte| id << 8 | u128::from(byte));
    let mut batch = ExposureBatch::new(BatchId(id), CellFormat::Json);
    let template = batch.add_template(ExposureTemplate {
        flag,
        revision: None,
        value: FlagValue::Boolean(true),
        rollout_group: "control".to_owned(),
        reason: None,
        from_cache: None,
    });
    for request in requests {
        let instance = InstanceId::new("A").unwrap();
        batch.push(template, request, &instance, None, Timestamp::UNIX_EPOCH);
    }
    batch
}

#[tokio::test]
async fn a_damaged_block_is_broken_and_named_and_others_are_found() {
    let (directory, _store) = fresh();
    let log = EmbeddedLog::open(directory.path()).unwrap();
    for requests in [["1", "2"], ["3", "4"]] {
        assert!(
            log.append(&batch(&requests))
                .await
                .iter()
                .all(Result::is_ok)
        );
    }
    let damaged = Connection::open(directory.path().join("exposures.db")).unwrap();
    let damage = "UPDATE block_data SET data = substr(data, 1, 9) WHERE block = 1";
    assert_eq!(damaged.execute(damage, []).unwrap(), 1);
    let project = ProjectName::new("p").unwrap();
    let all = log
        .page(ExposureScope::Project(&project), TimeRange::ALL, None, 10)
        .await;
    let message = format!("{:?}", all.unwrap_err());
    assert!(message.contains("Block { block: 1"), "{message}");
    let of = ExposureScope::Project(&project);
    let page = log.batches(of, TimeRange::ALL, None, 10).await.unwrap();
    let [unreadable] = page.unreadable.as_slice() else {
        panic!("{page:?}");
    };
    assert_eq!(unreadable.exposure_count, 2);
    assert_eq!(unreadable.oldest, Timestamp::UNIX_EPOCH);
    assert!(unreadable.problem.contains("block 1"), "{unreadable:?}");
    assert_eq!(page.exposure_count(), 2);
    let key = "PROJECT#p#FLAGTYPE#feature#FLAGNAME#f#INSTANCEID#A#REQUESTID#3#TIME#1970-01-01 00:00:00.000000";
    assert!(log.find(key.as_bytes()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_write_behind_a_lock_times_out_and_works_afterwards() {
    let (directory, store) = fresh();
    let hasty = store.clone().with_timeout(SHORT);
    let lock = lock(directory.path());
    for _ in 0..2 {
        let result = insert(&hasty, "a").await;
        assert!(matches!(result, Err(StoreError::TimedOut { after }) if after == SHORT));
    }
    let log = EmbeddedLog::open(directory.path()).unwrap();
    let log_lock = lock_file(directory.path(), "exposures.db");
    let results = log.with_timeout(SHORT).append(&batch(&["a", "b"])).await;
    drop(log_lock);
    assert_eq!(results.len(), 2);
    for result in results {
        let timed_out = matches!(
            result,
            Err(WriteExposureError::Store(StoreError::TimedOut { .. }))
        );
        assert!(timed_out);
    }
    drop(lock);
    // The last of the calls that timed out may still get the lock at this moment, so this is another row.
    assert_eq!(insert(&store, "c").await.unwrap(), Insert::Inserted);
}

#[tokio::test]
async fn a_lock_on_flags_holds_up_neither_reads_nor_exposures() {
    let (directory, store) = fresh();
    insert(&store, "a").await.unwrap();
    let lock = lock(directory.path());
    let blocked = tokio::spawn({
        let store = store.clone();
        async move { insert(&store, "b").await }
    });
    tokio::task::yield_now().await;
    assert_eq!(get(&store, "a").await.unwrap(), Some(row("a")));
    let log = EmbeddedLog::open(directory.path()).unwrap();
    assert!(matches!(log.append(&batch(&["c"])).await[..], [Ok(())]));
    assert!(!blocked.is_finished());
    drop(lock);
    assert_eq!(blocked.await.unwrap().unwrap(), Insert::Inserted);
}

#[tokio::test]
async fn a_write_whose_caller_went_before_its_turn_does_not_happen() {
    let (directory, store) = fresh();
    let lock = lock(directory.path());
    let first = tokio::spawn({
        let store = store.clone();
        async move { insert(&store, "first").await }
    });
    tokio::task::yield_now().await;
    timeout(SHORT, insert(&store, "abandoned"))
        .await
        .unwrap_err();
    drop(lock);
    first.await.unwrap().unwrap();
    insert(&store, "last").await.unwrap();
    assert_eq!(get(&store, "abandoned").await.unwrap(), None);
}

#[tokio::test]
async fn a_damaged_row_is_broken_and_named() {
    let (_directory, store) = damaged().await;
    let error = get(&store, "damaged").await.unwrap_err();
    let message = format!("{error:?}");
    assert!(message.contains("damaged") && message.contains("flags.db"));
    assert_broken(&store.scan(Scan::prefix("")).await);
    let expected = Expected {
        column: "Name",
        value: None,
    };
    let cells = row("x").cells;
    assert_broken(&store.compare_and_set(b"damaged", expected, &cells).await);
}

#[tokio::test]
async fn a_damaged_row_spoils_no_other() {
    let (_directory, store) = damaged().await;
    assert_eq!(get(&store, "whole").await.unwrap(), Some(row("whole")));
}

#[tokio::test]
async fn what_cannot_be_a_row_is_refused_alone() {
    let (directory, store) = fresh();
    let no_cells = Row {
        key: b"a".to_vec(),
        cells: Cells::default(),
    };
    let no_key = row("");
    let long_column = Row {
        key: b"a".to_vec(),
        cells: Cells::default().with(vec![b'x'; 70_000], "1"),
    };
    for refused in [&no_cells, &no_key, &long_column] {
        let result = store.insert_if_absent(refused).await;
        assert!(matches!(result, Err(StoreError::Refused { .. })));
    }
    let log = EmbeddedLog::open(directory.path()).unwrap();
    let result = log.insert_if_absent(&no_cells.into()).await;
    assert!(matches!(result, Err(StoreError::Refused { .. })));
}
