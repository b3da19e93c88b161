//! Copies of a store that is used, and putting one back.

use std::fs;
use std::path::{Path, PathBuf};

use flag_store::{Cells, Columns, Row, RowStore};
use flag_store_embedded::{
    BackupError, EmbeddedLog, EmbeddedStore, ExistingStore, OpenError, back_up, restore,
};
use rusqlite::Connection;
use tempfile::TempDir;

fn row(key: &str) -> Row {
    Row {
        key: key.into(),
        cells: Cells::default().with("Name", key),
    }
}

/// Flags and exposures of one directory.
struct Both(EmbeddedStore, EmbeddedLog);

impl Both {
    fn open(directory: &Path) -> Self {
        let flags = EmbeddedStore::open(directory).unwrap();
        Self(flags, EmbeddedLog::open(directory).unwrap())
    }

    fn existing(directory: &Path) -> Self {
        let log = EmbeddedLog::existing(directory).unwrap();
        Self(EmbeddedStore::existing(directory).unwrap(), log)
    }

    fn rows(&self) -> [&dyn RowStore; 2] {
        [&self.0, self.1.rows()]
    }

    async fn close(&self) {
        for rows in self.rows() {
            rows.close().await;
        }
    }

    async fn answers(&self) -> bool {
        let [flags, exposures] = self.rows();
        flags.ping().await.is_ok() && exposures.ping().await.is_ok()
    }
}

async fn insert(store: &Both, key: &str) {
    for rows in store.rows() {
        rows.insert_if_absent(&row(key)).await.unwrap();
    }
}

/// Which of these keys are in both files.
async fn keys(store: &Both, keys: &[&str]) -> Vec<bool> {
    let mut there = Vec::new();
    for key in keys {
        let [flags, exposures] = store.rows();
        let flag = flags.get(key.as_bytes(), Columns::All).await;
        let exposure = exposures.get(key.as_bytes(), Columns::All).await;
        assert_eq!(flag.as_ref().unwrap(), exposure.as_ref().unwrap());
        there.push(flag.unwrap().is_some());
    }
    there
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Directories for a store, a backup and what was before.
fn places() -> (TempDir, PathBuf, PathBuf, PathBuf) {
    let parent = TempDir::new().unwrap();
    let place = |name| parent.path().join(name);
    let (data, backup, before) = (place("data"), place("backup"), place("data/before"));
    (parent, data, backup, before)
}

#[tokio::test]
async fn a_backup_has_what_lies_in_the_logs_and_nothing_beside_it() {
    let (_parent, data, backup, _) = places();
    let store = Both::open(&data);
    insert(&store, "a").await;
    let written = back_up(&data, &backup).unwrap();
    assert_eq!(
        written,
        ["exposures.db", "flags.db"].map(|name| backup.join(name))
    );
    assert_eq!(names(&backup), ["exposures.db", "flags.db"]);
    insert(&store, "b").await;
    let copy = Both::open(&backup);
    assert_eq!(keys(&copy, &["a", "b"]).await, [true, false]);
    assert_eq!(keys(&store, &["a", "b"]).await, [true, true]);
}

#[tokio::test]
async fn a_backup_overwrites_nothing() {
    let (_parent, data, backup, _) = places();
    Both::open(&data).close().await;
    fs::create_dir(&backup).unwrap();
    fs::write(backup.join("flags.db"), "mine").unwrap();
    let refused = back_up(&data, &backup).unwrap_err();
    assert!(matches!(refused, BackupError::Exists { path } if path == backup.join("flags.db")));
    assert_eq!(names(&backup), ["flags.db"]);
    assert_eq!(fs::read(backup.join("flags.db")).unwrap(), b"mine");
}

#[test]
fn a_backup_of_nothing_makes_nothing() {
    let (_parent, data, backup, _) = places();
    let refused = back_up(&data, &backup).unwrap_err();
    assert!(matches!(
        refused,
        BackupError::Open(OpenError::Missing { .. })
    ));
    assert!(!data.exists());
    assert!(names(&backup).is_empty());
}

#[tokio::test]
async fn a_store_that_contradicts_itself_is_not_backed_up() {
    let (_parent, data, backup, _) = places();
    Both::open(&data).close().await;
    let file = Connection::open(data.join("flags.db")).unwrap();
    let twice = "PRAGMA writable_schema = ON;
        INSERT INTO sqlite_schema SELECT type, 'other', 'other', rootpage,
        'CREATE TABLE other (key BLOB PRIMARY KEY, cells BLOB NOT NULL) WITHOUT ROWID'
        FROM sqlite_schema WHERE name = 'rows'";
    file.execute_batch(twice).unwrap();
    file.close().unwrap();
    let refused = back_up(&data, &backup).unwrap_err();
    assert!(format!("{refused:?}").contains("damaged"), "{refused:?}");
    assert!(names(&backup).is_empty());
}

#[tokio::test]
async fn a_backup_is_put_where_nothing_is() {
    let (parent, data, backup, _) = places();
    let store = Both::open(&data);
    insert(&store, "a").await;
    back_up(&data, &backup).unwrap();
    let new = parent.path().join("new");
    restore(&backup, &new, ExistingStore::Stays).unwrap();
    assert_eq!(names(&new), ["exposures.db", "flags.db"]);
    let new = Both::existing(&new);
    assert_eq!(keys(&new, &["a"]).await, [true]);
}

#[tokio::test]
async fn a_store_is_replaced_under_those_who_have_it_open_and_kept() {
    let (_parent, data, backup, before) = places();
    let store = Both::open(&data);
    insert(&store, "a").await;
    back_up(&data, &backup).unwrap();
    insert(&store, "b").await;
    let refused = restore(&backup, &data, ExistingStore::Stays).unwrap_err();
    assert!(matches!(refused, BackupError::Exists { .. }));
    assert_eq!(keys(&store, &["a", "b"]).await, [true, true]);
    restore(&backup, &data, ExistingStore::KeptIn(&before)).unwrap();
    assert_eq!(keys(&store, &["a", "b"]).await, [true, false]);
    insert(&store, "c").await;
    assert_eq!(keys(&store, &["a", "b", "c"]).await, [true, false, true]);
    let kept = Both::existing(&before);
    assert_eq!(keys(&kept, &["a", "b"]).await, [true, true]);
    store.close().await;
    assert_eq!(names(&data), ["before", "exposures.db", "flags.db"]);
}

#[tokio::test]
async fn a_file_that_was_truncated_is_replaced_and_kept_with_its_log() {
    let (_parent, data, backup, before) = places();
    let store = Both::open(&data);
    insert(&store, "a").await;
    back_up(&data, &backup).unwrap();
    fs::write(data.join("flags.db"), "").unwrap();
    assert!(!store.answers().await);
    restore(&backup, &data, ExistingStore::KeptIn(&before)).unwrap();
    while !store.answers().await {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(keys(&store, &["a"]).await, [true]);
    let kept = names(&before);
    assert_eq!(
        kept,
        ["exposures.db", "flags.db", "flags.db-shm", "flags.db-wal"]
    );
    assert_eq!(before.join("flags.db").metadata().unwrap().len(), 0);
}

/// `SQLite` takes whatever log lies beside a file for its log.
#[tokio::test]
async fn nothing_is_put_beside_the_log_of_a_file_that_is_gone() {
    let (parent, data, backup, before) = places();
    let store = Both::open(&data);
    insert(&store, "a").await;
    back_up(&data, &backup).unwrap();
    insert(&store, "b").await;
    let (log, kept) = (data.join("flags.db-wal"), parent.path().join("log"));
    fs::copy(&log, &kept).unwrap();
    store.close().await;
    // As a killed process leaves it.
    fs::rename(&kept, &log).unwrap();
    fs::remove_file(data.join("flags.db")).unwrap();
    let left =
        |refused: BackupError| matches!(refused, BackupError::LogLeft { path } if path == log);
    assert!(left(
        restore(&backup, &data, ExistingStore::KeptIn(&before)).unwrap_err()
    ));
    assert_eq!(names(&data), ["exposures.db", "flags.db-wal"]);
    fs::remove_file(data.join("exposures.db")).unwrap();
    assert!(left(
        restore(&backup, &data, ExistingStore::Stays).unwrap_err()
    ));
    assert!(left(back_up(&backup, &data).unwrap_err()));
    assert_eq!(names(&data), ["flags.db-wal"]);
    fs::remove_file(&log).unwrap();
    restore(&backup, &data, ExistingStore::Stays).unwrap();
    let restored = Both::existing(&data);
    assert_eq!(keys(&restored, &["a", "b"]).await, [true, false]);
}

#[tokio::test]
async fn what_is_no_backup_changes_nothing() {
    let (_parent, data, backup, before) = places();
    let store = Both::open(&data);
    insert(&store, "a").await;
    back_up(&data, &backup).unwrap();
    fs::write(backup.join("exposures.db"), [b'x'; 10_000]).unwrap();
    let refused = restore(&backup, &data, ExistingStore::KeptIn(&before)).unwrap_err();
    assert!(matches!(
        refused,
        BackupError::Open(OpenError::NotOurs { .. })
    ));
    assert_eq!(keys(&store, &["a"]).await, [true]);
    assert!(!before.exists());
}

#[tokio::test]
async fn a_store_that_was_lost_is_found_when_it_is_put_back() {
    let (_parent, data, backup, _) = places();
    let store = Both::open(&data);
    insert(&store, "a").await;
    back_up(&data, &backup).unwrap();
    fs::remove_dir_all(&data).unwrap();
    assert!(!store.answers().await);
    restore(&backup, &data, ExistingStore::Stays).unwrap();
    while !store.answers().await {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(keys(&store, &["a"]).await, [true]);
}
