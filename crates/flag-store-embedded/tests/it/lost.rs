//! Files that are moved, removed, replaced or truncated while a store has them open.
#![cfg(unix)]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flag_store::{Cells, Columns, ExposureLog as _, Insert, Row, RowStore as _, StoreError};
use flag_store_embedded::{EmbeddedLog, EmbeddedStore};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::time::sleep;

/// How long a store that is back may take to be found.
const SOON: Duration = Duration::from_secs(10);

fn row(key: &str) -> Row {
    Row {
        key: key.into(),
        cells: Cells::default().with("Name", key),
    }
}

/// Flags and exposures of one directory.
struct Both {
    flags: EmbeddedStore,
    log: EmbeddedLog,
}

impl Both {
    fn open(directory: &Path) -> Self {
        Self {
            flags: EmbeddedStore::open(directory).unwrap(),
            log: EmbeddedLog::open(directory).unwrap(),
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.flags.ping().await?;
        self.log.rows().ping().await
    }

    async fn close(&self) {
        self.log.rows().close().await;
        self.flags.close().await;
    }
}

async fn insert(store: &Both, key: &str) -> Result<Insert, StoreError> {
    store.flags.insert_if_absent(&row(key)).await
}

async fn log(store: &Both, key: &str) -> Result<(), StoreError> {
    store.log.insert_if_absent(&row(key).into()).await.map(drop)
}

async fn get(store: &Both, key: &str) -> Result<Option<Row>, StoreError> {
    store.flags.get(key.as_bytes(), Columns::All).await
}

/// A directory in a directory of the test's own, and what it holds.
async fn made(parent: &TempDir, name: &str, keys: &[&str]) -> (PathBuf, Both) {
    let directory = parent.path().join(name);
    let store = Both::open(&directory);
    for key in keys {
        insert(&store, key).await.unwrap();
    }
    (directory, store)
}

fn cut(file: &Path) {
    let file = File::options().write(true).open(file).unwrap();
    file.set_len(0).unwrap();
}

/// Fails unless the store is unavailable and says why.
async fn assert_away(store: &Both, why: &str) {
    let error = get(store, "a").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(format!("{error:?}").contains(why), "{error:?}");
    assert!(log(store, "x").await.unwrap_err().is_transient());
    assert!(insert(store, "x").await.unwrap_err().is_transient());
    assert!(store.ping().await.unwrap_err().is_transient());
}

/// Waits until the store has searched for its files again, and gives this reason.
async fn searched_again(store: &Both, why: &str) {
    let began = Instant::now();
    loop {
        let error = get(store, "a").await.unwrap_err();
        if format!("{error:?}").contains(why) {
            return;
        }
        assert!(began.elapsed() < SOON, "{error:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the store answers again.
async fn found_again(store: &Both) {
    let began = Instant::now();
    while let Err(error) = store.ping().await {
        assert!(began.elapsed() < SOON, "{error:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_directory_that_was_moved_is_missed_by_reads_and_found_when_it_is_back() {
    let parent = TempDir::new().unwrap();
    let (directory, store) = made(&parent, "data", &["a"]).await;
    let elsewhere = parent.path().join("elsewhere");
    fs::rename(&directory, &elsewhere).unwrap();
    assert_away(&store, "Removed").await;
    fs::rename(&elsewhere, &directory).unwrap();
    found_again(&store).await;
    assert_eq!(get(&store, "a").await.unwrap(), Some(row("a")));
    assert_eq!(insert(&store, "b").await.unwrap(), Insert::Inserted);
    log(&store, "c").await.unwrap();
}

#[tokio::test]
async fn nothing_is_made_in_the_place_of_what_was_removed() {
    let parent = TempDir::new().unwrap();
    let (directory, store) = made(&parent, "data", &["a"]).await;
    fs::remove_dir_all(&directory).unwrap();
    assert_away(&store, "Removed").await;
    assert!(!directory.exists());
    fs::create_dir(&directory).unwrap();
    File::create(directory.join("flags.db")).unwrap();
    searched_again(&store, "Empty").await;
    assert_away(&store, "Empty").await;
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    assert_eq!(directory.join("flags.db").metadata().unwrap().len(), 0);
}

#[tokio::test]
async fn what_took_the_place_of_the_directory_is_read_and_written() {
    let parent = TempDir::new().unwrap();
    let (directory, store) = made(&parent, "data", &["old"]).await;
    let (new, other) = made(&parent, "new", &["new"]).await;
    other.close().await;
    fs::rename(&directory, parent.path().join("old")).unwrap();
    fs::rename(&new, &directory).unwrap();
    assert_eq!(get(&store, "new").await.unwrap(), Some(row("new")));
    assert_eq!(get(&store, "old").await.unwrap(), None);
    insert(&store, "newer").await.unwrap();
    let again = Both::open(&directory);
    assert_eq!(get(&again, "newer").await.unwrap(), Some(row("newer")));
    let (_, old) = made(&parent, "old", &[]).await;
    assert_eq!(get(&old, "old").await.unwrap(), Some(row("old")));
}

#[tokio::test]
async fn a_link_that_points_elsewhere_is_followed() {
    let parent = TempDir::new().unwrap();
    let (one, _) = made(&parent, "one", &["one"]).await;
    let (two, _) = made(&parent, "two", &["two"]).await;
    let (link, next) = (parent.path().join("link"), parent.path().join("next"));
    symlink(&one, &link).unwrap();
    let store = Both::open(&link);
    assert_eq!(get(&store, "one").await.unwrap(), Some(row("one")));
    symlink(&two, &next).unwrap();
    fs::rename(&next, &link).unwrap();
    assert_eq!(get(&store, "two").await.unwrap(), Some(row("two")));
    assert_eq!(get(&store, "one").await.unwrap(), None);
}

/// `stat` says `ELOOP` here, and `EACCES` or `EIO` elsewhere.
#[tokio::test]
async fn a_look_that_fails_is_no_loss() {
    let parent = TempDir::new().unwrap();
    let (real, _) = made(&parent, "real", &["a"]).await;
    let (link, next) = (parent.path().join("link"), parent.path().join("next"));
    symlink(&real, &link).unwrap();
    let store = Both::open(&link);
    symlink(&link, &next).unwrap();
    fs::rename(&next, &link).unwrap();
    assert!(fs::metadata(&link).is_err());
    assert_eq!(get(&store, "a").await.unwrap(), Some(row("a")));
    insert(&store, "b").await.unwrap();
    log(&store, "c").await.unwrap();
    let real = Both::open(&real);
    assert_eq!(get(&real, "b").await.unwrap(), Some(row("b")));
    let logged = real.log.rows().get(b"c", Columns::All).await;
    assert_eq!(logged.unwrap(), Some(row("c")));
}

#[tokio::test]
async fn the_log_of_another_file_is_not_taken_for_ones_own() {
    let parent = TempDir::new().unwrap();
    let (directory, store) = made(&parent, "data", &["old"]).await;
    let (new, other) = made(&parent, "new", &["new"]).await;
    other.close().await;
    let file = directory.join("flags.db");
    fs::rename(new.join("flags.db"), &file).unwrap();
    let error = get(&store, "new").await.unwrap_err();
    let message = format!("{error:?}");
    assert!(error.is_transient() && message.contains("write-ahead log of the old one"));
    fs::remove_file(directory.join("flags.db-wal")).unwrap();
    fs::remove_file(directory.join("flags.db-shm")).unwrap();
    found_again(&store).await;
    assert_eq!(get(&store, "new").await.unwrap(), Some(row("new")));
    assert_eq!(get(&store, "old").await.unwrap(), None);
}

/// Removes or truncates what lies beside the flags, and gives the store what it found after that.
async fn check_survives(spoil: impl Fn(&Path, &Path)) {
    let parent = TempDir::new().unwrap();
    let (directory, store) = made(&parent, "data", &["a"]).await;
    spoil(
        &directory.join("flags.db-wal"),
        &directory.join("flags.db-shm"),
    );
    assert_eq!(get(&store, "a").await.unwrap(), Some(row("a")));
    insert(&store, "b").await.unwrap();
    store.close().await;
    let (_, store) = made(&parent, "data", &[]).await;
    for key in ["a", "b"] {
        assert_eq!(get(&store, key).await.unwrap(), Some(row(key)));
    }
}

#[tokio::test]
async fn a_shared_memory_that_was_truncated_is_made_anew() {
    check_survives(|_, index| cut(index)).await;
}

#[tokio::test]
async fn a_shared_memory_that_was_truncated_is_made_anew_for_every_handle() {
    let parent = TempDir::new().unwrap();
    let (directory, store) = made(&parent, "data", &["a"]).await;
    let other = Both::open(&directory);
    assert_eq!(get(&other, "a").await.unwrap(), Some(row("a")));
    for name in ["flags.db-shm", "exposures.db-shm"] {
        cut(&directory.join(name));
    }
    insert(&store, "b").await.unwrap();
    log(&store, "e").await.unwrap();
    assert_eq!(get(&other, "b").await.unwrap(), Some(row("b")));
    log(&other, "f").await.unwrap();
    insert(&other, "c").await.unwrap();
    assert_eq!(get(&store, "c").await.unwrap(), Some(row("c")));
    store.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_shared_memory_that_was_removed_is_made_anew() {
    check_survives(|_, index| fs::remove_file(index).unwrap()).await;
}

#[tokio::test]
async fn what_was_in_a_log_that_was_removed_is_saved() {
    check_survives(|log, _| fs::remove_file(log).unwrap()).await;
    check_survives(|log, index| {
        fs::remove_file(log).unwrap();
        fs::remove_file(index).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_log_that_was_truncated_spoils_the_file_no_further() {
    for side in ["read", "write"] {
        let parent = TempDir::new().unwrap();
        let (directory, store) = made(&parent, "data", &["a"]).await;
        store.close().await;
        let (_, store) = made(&parent, "data", &["b"]).await;
        cut(&directory.join("flags.db-wal"));
        if side == "read" {
            // From the pages in memory at first.
            let _ = get(&store, "z").await;
        }
        insert(&store, "c").await.unwrap();
        store.close().await;
        let file = Connection::open(directory.join("flags.db")).unwrap();
        let sound: String = file
            .pragma_query_value(None, "integrity_check", |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok", "{side}");
        let (_, store) = made(&parent, "data", &[]).await;
        for (key, there) in [("a", true), ("b", false), ("c", true)] {
            assert_eq!(get(&store, key).await.unwrap().is_some(), there, "{key}");
        }
    }
}

#[tokio::test]
async fn a_file_that_was_truncated_is_noticed_and_its_log_is_left() {
    let parent = TempDir::new().unwrap();
    let (directory, store) = made(&parent, "data", &["a"]).await;
    log(&store, "x").await.unwrap();
    for name in ["flags.db", "exposures.db"] {
        cut(&directory.join(name));
    }
    for _ in 0..2 {
        assert_away(&store, "Truncated").await;
        sleep(Duration::from_millis(300)).await;
    }
    store.close().await;
    for name in ["flags.db-wal", "exposures.db-wal"] {
        assert!(directory.join(name).metadata().unwrap().len() > 0, "{name}");
    }
}

#[tokio::test]
async fn flags_are_read_and_written_whatever_happened_to_the_exposures() {
    for spoil in [cut, |file: &Path| fs::remove_file(file).unwrap()] {
        for name in ["exposures.db-wal", "exposures.db-shm", "exposures.db"] {
            let parent = TempDir::new().unwrap();
            let (directory, service) = made(&parent, "data", &["a"]).await;
            log(&service, "x").await.unwrap();
            spoil(&directory.join(name));
            let owner = EmbeddedStore::open(&directory).unwrap();
            let read = owner.get(b"a", Columns::All).await;
            assert_eq!(read.unwrap(), Some(row("a")), "{name}");
            owner.insert_if_absent(&row("b")).await.unwrap();
            owner.ping().await.unwrap();
            owner.close().await;
            assert_eq!(get(&service, "b").await.unwrap(), Some(row("b")), "{name}");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_closed_leaves_what_it_wrote_in_the_file_though_others_have_it_open() {
    let parent = TempDir::new().unwrap();
    let (directory, store) = made(&parent, "data", &[]).await;
    let (_, writing) = made(&parent, "data", &["a"]).await;
    writing.close().await;
    let copy = parent.path().join("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(directory.join("flags.db"), copy.join("flags.db")).unwrap();
    let (_, copy) = made(&parent, "copy", &[]).await;
    assert_eq!(get(&copy, "a").await.unwrap(), Some(row("a")));
    assert_eq!(get(&store, "a").await.unwrap(), Some(row("a")));
}
