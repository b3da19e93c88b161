//! Rows of many cells, of which one at a time is compared and set; and writes that are made together.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use flag_store::conformance::put;
use flag_store::{
    Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan, StoreError,
};
use flag_store_embedded::EmbeddedStore;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinSet;

const HEAD: &[u8] = b"PROJECT#p#ROWTYPE#HEAD";

fn fresh() -> (TempDir, EmbeddedStore) {
    let directory = TempDir::new().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    (directory, store)
}

/// Sets a cell of the head row, and another one beside it, if the first is as expected.
async fn set(
    store: &EmbeddedStore,
    column: &str,
    expected: Option<&str>,
    value: &str,
) -> Result<CompareAndSet, StoreError> {
    let expected = Expected {
        column,
        value: expected.map(str::as_bytes),
    };
    let cells = Cells::default()
        .with(column, value)
        .with("LatestChange", value);
    store.compare_and_set(HEAD, expected, &cells).await
}

async fn head(store: &EmbeddedStore, columns: Columns<'_>) -> Option<Cells> {
    let row = store.get(HEAD, columns).await.unwrap();
    row.map(|row| row.cells)
}

/// The bytes of the frames that were written to the log so far, one per page, and how many transactions they were.
fn log(directory: &Path) -> (usize, usize) {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let log = fs::read(directory.join("flags.db-wal")).unwrap();
    if log.is_empty() {
        return (0, 0);
    }
    let page = u32::from_be_bytes(log[8..12].try_into().unwrap());
    let frame = FRAME_HEADER + usize::try_from(page).unwrap();
    // The last frame of a transaction tells how large the file is then.
    let ends = log[HEADER..]
        .chunks_exact(frame)
        .filter(|frame| frame[4..8] != [0; 4]);
    (log.len(), ends.count())
}

/// A file as releases made it that knew no cells apart from their rows.
fn older_file(directory: &Path) -> Cells {
    let cells = Cells::default()
        .with("LatestChange", "2")
        .with("feature/a", "1")
        .with("feature/b", "2");
    let mut bytes = Vec::new();
    for (column, value) in cells.iter() {
        bytes.extend_from_slice(&u16::try_from(column.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(column);
        bytes.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(value);
    }
    let connection = Connection::open(directory.join("flags.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = wal;
             CREATE TABLE rows (key BLOB PRIMARY KEY, cells BLOB NOT NULL) WITHOUT ROWID;
             PRAGMA application_id = 0x464c4147;
             PRAGMA user_version = 1;",
        )
        .unwrap();
    connection
        .execute("INSERT INTO rows VALUES (?1, ?2)", (HEAD, bytes))
        .unwrap();
    cells
}

#[tokio::test]
async fn a_file_of_an_older_release_is_read_and_written_on() {
    let directory = TempDir::new().unwrap();
    let before = older_file(directory.path());
    for _ in 0..2 {
        let store = EmbeddedStore::open(directory.path()).unwrap();
        assert_eq!(head(&store, Columns::All).await, Some(before.clone()));
        let only = head(&store, Columns::Only(&["feature/b", "none"])).await;
        assert_eq!(only, Some(Cells::default().with("feature/b", "2")));
        store.close().await;
    }
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let differs = set(&store, "feature/a", Some("0"), "3").await.unwrap();
    assert_eq!(differs, CompareAndSet::Differs);
    let done = set(&store, "feature/a", Some("1"), "3").await.unwrap();
    assert_eq!(done, CompareAndSet::Set);
    let after = before.with("LatestChange", "3").with("feature/a", "3");
    assert_eq!(head(&store, Columns::All).await, Some(after.clone()));
    store.close().await;
    let store = EmbeddedStore::open(directory.path()).unwrap();
    assert_eq!(head(&store, Columns::All).await, Some(after));
}

/// Opening the file, or restoring a backup of an older release, does not prevent going back to that release.
#[tokio::test]
async fn an_older_release_reads_the_file_until_a_cell_lies_apart() {
    let directory = TempDir::new().unwrap();
    older_file(directory.path());
    let version = || -> i32 {
        let connection = Connection::open(directory.path().join("flags.db")).unwrap();
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        version.unwrap()
    };
    let store = EmbeddedStore::open(directory.path()).unwrap();
    head(&store, Columns::All).await.unwrap();
    let row = Row {
        key: b"row".into(),
        cells: Cells::default().with("Name", "f"),
    };
    store.insert_if_absent(&row).await.unwrap();
    let differs = set(&store, "feature/a", None, "3").await.unwrap();
    assert_eq!(differs, CompareAndSet::Differs);
    assert_eq!(version(), 1);
    set(&store, "feature/c", None, "3").await.unwrap();
    assert_eq!(version(), 2);
}

/// It would take the head row for one without cells, and claim what others have claimed.
#[tokio::test]
async fn an_older_release_that_has_the_file_open_finds_no_empty_head_row() {
    let directory = TempDir::new().unwrap();
    older_file(directory.path());
    let older = Connection::open(directory.path().join("flags.db")).unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    set(&store, "feature/c", None, "3").await.unwrap();
    let stored: Vec<u8> = older
        .query_row("SELECT cells FROM rows", [], |row| row.get(0))
        .unwrap();
    assert!(!stored.is_empty());
}

#[tokio::test]
async fn setting_one_cell_writes_the_same_however_many_there_are() {
    let (directory, store) = fresh();
    let mut written = Vec::new();
    for flags in [10, 4_000] {
        let cells = (0..flags).map(|flag| (format!("feature/flag_{flag:05}"), "x".repeat(30)));
        let row = Row {
            key: HEAD.into(),
            cells: cells.collect(),
        };
        put(&Arc::new(store.clone()), &[row]).await;
        // From then on its cells lie apart.
        set(&store, "feature/flag_00000", Some(&"x".repeat(30)), "0")
            .await
            .unwrap();
        let before = log(directory.path()).0;
        for round in 0..10 {
            let (old, new) = (round.to_string(), (round + 1).to_string());
            let set = set(&store, "feature/flag_00000", Some(&old), &new).await;
            assert_eq!(set.unwrap(), CompareAndSet::Set);
        }
        written.push(log(directory.path()).0 - before);
        let last = set(&store, "feature/flag_00000", Some("10"), &"x".repeat(30)).await;
        assert_eq!(last.unwrap(), CompareAndSet::Set);
    }
    // Two pages each at most: one of the cell, one of the latest change.
    assert!(written[1] <= 10 * 2 * 4_200, "{written:?}");
    assert!(written[1] <= 2 * written[0], "{written:?}");
}

#[tokio::test]
async fn a_row_is_one_row_wherever_its_cells_lie() {
    let (_directory, store) = fresh();
    let whole = Row {
        key: HEAD.into(),
        cells: Cells::default().with("feature/a", "1"),
    };
    let inserted = store.insert_if_absent(&whole).await.unwrap();
    assert_eq!(inserted, Insert::Inserted);
    set(&store, "feature/b", None, "2").await.unwrap();
    let again = store.insert_if_absent(&whole).await.unwrap();
    assert_eq!(again, Insert::AlreadyThere);
    let more = Row {
        key: HEAD.into(),
        cells: Cells::default()
            .with("feature/a", "3")
            .with("feature/c", "4"),
    };
    put(&Arc::new(store.clone()), &[more]).await;
    let cells = Cells::default()
        .with("LatestChange", "2")
        .with("feature/a", "3")
        .with("feature/b", "2")
        .with("feature/c", "4");
    assert_eq!(head(&store, Columns::All).await, Some(cells.clone()));
    let some = ["LatestChange", "feature/b", "feature/x"];
    let some = head(&store, Columns::Only(&some)).await.unwrap();
    assert_eq!(some.len(), 2);
    assert_eq!(head(&store, Columns::Only(&["feature/x"])).await, None);
    let row = Row {
        key: HEAD.into(),
        cells,
    };
    let scanned = store.scan(Scan::prefix("")).await.unwrap();
    assert_eq!(scanned, [row]);
    let keys = store.keys(Scan::prefix("")).await.unwrap();
    assert_eq!(keys, [HEAD]);
}

/// Starts a write for each key while another connection holds the file, and returns their results, in no order.
async fn write_at_once(
    directory: &Path,
    store: &EmbeddedStore,
    keys: &[&str],
) -> Vec<Result<CompareAndSet, StoreError>> {
    let lock = Connection::open(directory.join("flags.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut writes = JoinSet::new();
    for key in keys {
        let (store, key) = (store.clone(), (*key).to_owned());
        writes.spawn(async move {
            let expected = Expected {
                column: "Name",
                value: None,
            };
            let cells = Cells::default().with("Name", &key);
            let key = key.as_bytes();
            store.compare_and_set(key, expected, &cells).await
        });
    }
    // All of them have been queued when each task has run once.
    for _ in 0..keys.len() {
        tokio::task::yield_now().await;
    }
    drop(lock);
    writes.join_all().await
}

#[tokio::test]
async fn writes_that_wait_at_the_same_time_wait_for_the_disk_once() {
    let (directory, store) = fresh();
    let keys: Vec<String> = (0..50).map(|key| format!("key_{key}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let before = log(directory.path()).1;
    let written = write_at_once(directory.path(), &store, &keys).await;
    assert!(
        written
            .iter()
            .all(|set| matches!(set, Ok(CompareAndSet::Set))),
        "{written:?}"
    );
    assert_eq!(log(directory.path()).1 - before, 1);
    let rows = store.keys(Scan::prefix("key_")).await;
    assert_eq!(rows.unwrap().len(), 50);
}

#[tokio::test]
async fn a_write_that_cannot_be_made_fails_alone() {
    let (directory, store) = fresh();
    let connection = Connection::open(directory.path().join("flags.db")).unwrap();
    let sql = "INSERT INTO rows VALUES (CAST('damaged' AS BLOB), x'00ff')";
    connection.execute_batch(sql).unwrap();
    drop(connection);
    let keys = ["a", "damaged", "b", "a"];
    let written = write_at_once(directory.path(), &store, &keys).await;
    let count = |wanted: fn(&Result<CompareAndSet, StoreError>) -> bool| {
        written.iter().filter(|set| wanted(set)).count()
    };
    assert_eq!(count(|set| matches!(set, Ok(CompareAndSet::Set))), 2);
    assert_eq!(count(|set| matches!(set, Ok(CompareAndSet::Differs))), 1);
    assert_eq!(
        count(|set| matches!(set, Err(StoreError::Broken { .. }))),
        1
    );
}
