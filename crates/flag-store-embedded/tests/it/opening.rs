//! What may be opened, what is refused, and what closing leaves behind.

use std::fs;
use std::path::Path;

use flag_store::{Cells, Columns, Row, RowStore};
use flag_store_embedded::{EmbeddedLog, EmbeddedStore, OpenError};
use rusqlite::Connection;
use tempfile::TempDir;

fn row(key: &str) -> Row {
    Row {
        key: key.into(),
        cells: Cells::default().with("Name", key),
    }
}

/// Opens a directory whose `flags.db` is `file`; the message must hold `expected`, and the file stay as it is.
#[track_caller]
fn check_refused(directory: &Path, file: &[u8], expected: &str) {
    let path = directory.join("flags.db");
    fs::write(&path, file).unwrap();
    let error = EmbeddedStore::open(directory).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert!(error.contains(expected), "{error}");
    assert_eq!(fs::read(&path).unwrap(), file);
    let names = fs::read_dir(directory).unwrap().count();
    assert_eq!(names, 1, "nothing was left beside it");
}

/// The bytes of an SQLite database that was made like this.
fn database(sql: &str) -> Vec<u8> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("made.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(sql).unwrap();
    connection.close().unwrap();
    fs::read(path).unwrap()
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    for file in [
        &b"x"[..],
        b"flags:\n  router: true\n",
        &[0; 16],
        &[b'#'; 10_000],
    ] {
        let directory = TempDir::new().unwrap();
        check_refused(directory.path(), file, "not a database");
    }
}

#[test]
fn a_database_of_somebody_else_is_refused_and_left_alone() {
    for sql in [
        "CREATE TABLE rows (key BLOB PRIMARY KEY, cells BLOB NOT NULL) WITHOUT ROWID",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 7; PRAGMA user_version = 1",
    ] {
        let directory = TempDir::new().unwrap();
        check_refused(directory.path(), &database(sql), "application_id");
    }
}

#[test]
fn exposures_in_the_place_of_flags_are_refused() {
    let directory = TempDir::new().unwrap();
    let exposures = database("PRAGMA application_id = 0x4558504f; PRAGMA user_version = 1");
    check_refused(directory.path(), &exposures, "application_id 0x4558504f");
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    let newer = database("PRAGMA application_id = 0x464c4147; PRAGMA user_version = 3");
    check_refused(
        directory.path(),
        &newer,
        "schema version 3, newer than version 2",
    );
    assert!(matches!(
        EmbeddedStore::open(directory.path()),
        Err(OpenError::Newer { found: 3, .. })
    ));
}

#[test]
fn an_empty_file_is_a_lost_one_and_is_left_alone_with_its_log() {
    let directory = TempDir::new().unwrap();
    check_refused(directory.path(), b"", "is empty, and what it held is lost");
    let log = directory.path().join("flags.db-wal");
    fs::write(&log, "what was written last").unwrap();
    for opened in [EmbeddedStore::open, EmbeddedStore::existing] {
        let error = opened(directory.path()).unwrap_err();
        assert!(matches!(error, OpenError::Empty { .. }), "{error}");
        assert_eq!(fs::read(&log).unwrap(), b"what was written last");
    }
}

#[test]
fn a_file_that_left_something_behind_is_a_lost_one() {
    for left in ["exposures.db", "flags.db-wal", "flags.db-journal"] {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join(left), "left").unwrap();
        let error = EmbeddedStore::open(directory.path()).unwrap_err();
        assert!(matches!(error, OpenError::Gone { .. }), "{error}");
        assert!(error.to_string().contains(left), "{error}");
        assert!(!directory.path().join("flags.db").exists());
    }
}

#[tokio::test]
async fn a_lost_file_is_made_anew_where_that_is_meant() {
    let directory = TempDir::new().unwrap();
    let flags = directory.path().join("flags.db");
    EmbeddedStore::open(directory.path()).unwrap().close().await;
    let log = EmbeddedLog::open(directory.path()).unwrap();
    log.rows().insert_if_absent(&row("a")).await.unwrap();
    log.rows().close().await;
    for lose in [
        |file: &Path| fs::write(file, ""),
        |file: &Path| fs::remove_file(file),
    ] {
        lose(&flags).unwrap();
        EmbeddedStore::open(directory.path()).unwrap_err();
        EmbeddedStore::recreate(directory.path()).unwrap();
        EmbeddedStore::open(directory.path()).unwrap().close().await;
    }
    let kept = EmbeddedLog::open(directory.path()).unwrap();
    let kept = kept.rows().get(b"a", Columns::All).await;
    assert_eq!(kept.unwrap(), Some(row("a")));
}

#[test]
fn nothing_new_is_made_beside_the_log_of_what_was_lost() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("flags.db"), "").unwrap();
    fs::write(directory.path().join("flags.db-wal"), "left").unwrap();
    let error = EmbeddedStore::recreate(directory.path()).unwrap_err();
    assert!(error.to_string().contains("move it away"), "{error}");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let parent = TempDir::new().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let directory = file.join("flag-data");
    let error = EmbeddedStore::open(&directory).unwrap_err();
    assert!(matches!(&error, OpenError::Directory { path, .. } if *path == directory));
}

#[test]
fn a_directory_in_the_place_of_a_file_is_named() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("exposures.db");
    fs::create_dir(&path).unwrap();
    let error = EmbeddedLog::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()));
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(directory.path().join("trial"), "").is_ok() {
        return; // permissions don't bind this user
    }
    let error = EmbeddedStore::open(directory.path()).unwrap_err();
    assert!(matches!(&error, OpenError::Directory { path, .. } if path == directory.path()));
}

#[cfg(unix)]
#[test]
fn a_write_protected_file_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("flags.db");
    fs::write(&path, database("PRAGMA user_version = 1")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    if fs::OpenOptions::new().append(true).open(&path).is_ok() {
        return; // permissions don't bind this user
    }
    let error = EmbeddedStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::WriteProtected { path: named } if named == path));
}

#[tokio::test]
async fn rows_are_there_after_opening_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("not/there/yet");
    let store = EmbeddedStore::open(&path).unwrap();
    store.insert_if_absent(&row("a")).await.unwrap();
    store.close().await;
    let store = EmbeddedStore::open(&path).unwrap();
    let read = store.get(b"a", Columns::All).await.unwrap();
    assert_eq!(read, Some(row("a")));
}

#[tokio::test]
async fn closing_leaves_two_files_only() {
    let directory = TempDir::new().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let clone = store.clone();
    let log = EmbeddedLog::open(directory.path()).unwrap();
    let log_clone = log.clone();
    for [rows, clone] in [
        [&store as &dyn RowStore, &clone],
        [log.rows(), log_clone.rows()],
    ] {
        clone.insert_if_absent(&row("a")).await.unwrap();
        clone.close().await;
        assert!(rows.ping().await.unwrap_err().is_transient());
    }
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["exposures.db", "flags.db"]);
}

#[tokio::test]
async fn flags_are_synchronised_fully_and_both_files_use_a_log() {
    let directory = TempDir::new().unwrap();
    EmbeddedStore::open(directory.path()).unwrap().close().await;
    let log = EmbeddedLog::open(directory.path()).unwrap();
    log.rows().close().await;
    for (file, id, version) in [("flags.db", *b"FLAG", 2_u32), ("exposures.db", *b"EXPO", 2)] {
        let header = fs::read(directory.path().join(file)).unwrap();
        assert_eq!(&header[18..20], [2, 2], "a write-ahead log");
        assert_eq!(&header[60..64], version.to_be_bytes(), "the schema version");
        assert_eq!(&header[68..72], id, "the application");
    }
}
