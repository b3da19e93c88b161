//! When the snapshot file is written, and what is said about it.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::flags::Snapshot;

const PERIOD: Duration = Duration::from_secs(5);

/// A world whose flag is in memory, and its snapshot in a folder `there` that does not exist yet.
async fn kept() -> (World, TempDir, Snapshot) {
    let world = World::with(FlagCacheSettings {
        keeps_rows: true,
        ..settings()
    })
    .await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("there/flags.snapshot");
    let snapshot = Snapshot::new(path, "a store".to_owned(), world.cache.clone());
    world.ask("known").await.unwrap();
    (world, folder, snapshot)
}

fn make(folder: &TempDir) {
    fs::create_dir(folder.path().join("there")).unwrap();
}

/// Whether the file was written since the last time.
fn is_written(folder: &TempDir) -> bool {
    fs::remove_file(folder.path().join("there/flags.snapshot")).is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_file_is_written_after_a_change_and_once_a_minute() {
    let (world, folder, snapshot) = kept().await;
    make(&folder);
    let keeping = tokio::spawn(Arc::new(snapshot).keep_up_to_date());
    sleep(PERIOD * 99 / 100).await;
    assert!(!is_written(&folder));
    sleep(PERIOD / 50).await;
    assert!(is_written(&folder), "the first read is a change");
    sleep(10 * PERIOD).await;
    assert!(!is_written(&folder), "nothing has changed");
    sleep(2 * PERIOD).await;
    assert!(is_written(&folder), "to renew its times");
    world.revise("another", true).await;
    world.ask("another").await.unwrap();
    sleep(PERIOD).await;
    assert!(is_written(&folder), "a flag has come");
    keeping.abort();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_written_is_logged_once_and_so_is_its_recovery() {
    let (_world, folder, snapshot) = kept().await;
    let log = LogLines::collect();
    for (is_there, expected) in [
        (false, &["WARN cannot write snapshot"][..]),
        (false, &[]),
        (true, &["INFO snapshot written again"]),
        (true, &[]),
    ] {
        if is_there {
            fs::create_dir_all(folder.path().join("there")).unwrap();
        }
        snapshot.write().await;
        assert_eq!(log.take(), expected);
    }
    assert!(is_written(&folder));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_missing_is_no_problem_and_any_other_is_logged() {
    let (world, folder, snapshot) = kept().await;
    let log = LogLines::collect();
    let load = async || {
        snapshot.load().await;
        log.take()
    };
    assert_eq!(load().await, [""; 0]);
    make(&folder);
    let path = folder.path().join("there/flags.snapshot");
    fs::create_dir(&path).unwrap();
    assert_eq!(load().await, ["WARN snapshot ignored"]);
    fs::remove_dir(&path).unwrap();
    snapshot.write().await;
    let flags = world.cache.clone();
    let other = Snapshot::new(path, "another store".to_owned(), flags);
    other.load().await;
    assert_eq!(log.take(), ["ERROR snapshot of another store ignored"]);
    world.store(Answer::Fails);
    advance(LIFETIME * 2 + MAX_STALE).await;
    world.ask("known").await.unwrap_err();
    let expected = "INFO snapshot of the last known flags read";
    log.take();
    assert_eq!(load().await, [expected]);
    assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
}

#[tokio::test(start_paused = true)]
async fn the_file_holds_in_order_what_may_be_served() {
    let (world, ..) = kept().await;
    let names = ["a", "known", "z"];
    for name in ["z", "a"] {
        world.revise(name, true).await;
        world.ask(name).await.unwrap();
    }
    let entries = world.cache.snapshot_entries();
    let keys: Vec<_> = entries.iter().map(|entry| &entry.row.key).collect();
    assert_eq!(keys.len(), names.len());
    assert!(keys.is_sorted());
    advance(LIFETIME * 2).await;
    assert_eq!(world.cache.snapshot_entries(), entries);
    advance(MAX_STALE).await;
    assert_eq!(world.cache.snapshot_entries(), []);
}
