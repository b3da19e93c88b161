//! What becomes of the embedded store when something happens to its files.
#![cfg(unix)]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flag_tests::{Reply, Service, TestStore, flagctl};
use serde_json::Value;
use tempfile::TempDir;

use crate::exposures::until_written;

/// A lifetime of 1.2 s, so that it ends within a test.
const SHORT_LIFETIME: (&str, &str) = ("FEATURE_FLAG_CACHE_TTL_MINUTES", "0.02");

/// Longer than whatever is waited for, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

const FLAG: [&str; 3] = ["p", "data", "greeting"];

/// Runs `flagctl`, which must succeed.
#[track_caller]
fn does(store: &TestStore, arguments: &[&str]) -> String {
    let output = flagctl(store, arguments);
    assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
    output.stdout
}

/// Gives everybody this greeting.
#[track_caller]
fn greet(store: &TestStore, greeting: &str) {
    let [project, flag_type, name] = FLAG;
    let comment = "--comment=x";
    does(
        store,
        &[
            "revise",
            project,
            flag_type,
            name,
            "--control",
            greeting,
            comment,
            "--yes-i-mean",
            name,
        ],
    );
}

/// A store with a flag.
fn store(greeting: &str) -> TestStore {
    let store = TestStore::embedded();
    let [project, flag_type, name] = FLAG;
    let about = "--description=x";
    does(&store, &["add", project, flag_type, name, about]);
    greet(&store, greeting);
    store
}

fn directory(store: &TestStore) -> &Path {
    match store {
        TestStore::Embedded(folder) => folder.path(),
        TestStore::Bigtable { .. } => panic!("another store"),
    }
}

async fn ask(service: &Service, instance: &str) -> Reply {
    let [project, flag_type, name] = FLAG;
    service.ask(project, flag_type, name, instance).await
}

fn is_stale(reply: &Reply) -> bool {
    let status = reply.headers.get("cache-status");
    status.is_some_and(|status| status == "stale")
}

/// Asks until the answer is as wanted; every answer has the status 200.
async fn until(service: &Service, is_wanted: impl Fn(&Reply) -> bool) {
    let began = Instant::now();
    loop {
        let reply = ask(service, "A").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        if is_wanted(&reply) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{reply:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn until_greeting(service: &Service, greeting: &str) {
    until(service, |reply| {
        reply.body["flag_value"] == greeting && !is_stale(reply)
    })
    .await;
}

async fn until_status(service: &Service, name: &str, status: u16) {
    let began = Instant::now();
    while service.ask("p", "data", name, "A").await.status != status {
        assert!(began.elapsed() < PATIENCE, "{}", service.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn readiness(service: &Service) -> Reply {
    service.get("/readyz", &[]).await
}

/// How many exposures lie in the store.
async fn logged(store: &TestStore) -> usize {
    store.logged(FLAG[0]).await.len()
}

/// Copies a directory as `cp` does.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_was_moved_is_missed_and_found_again() {
    let store = store("Hello!");
    let service = Service::start_with(&store, &[], &[SHORT_LIFETIME]);
    until_greeting(&service, "Hello!").await;
    let elsewhere = TempDir::new().unwrap();
    let elsewhere = elsewhere.path().join("moved");
    fs::rename(directory(&store), &elsewhere).unwrap();
    until(&service, is_stale).await;
    let ready = readiness(&service).await;
    assert_eq!(
        (ready.status, &ready.body["store"]),
        (200, &"unavailable".into())
    );
    assert!(service.log().contains("a file of the store is gone"));
    let mut asked = 1;
    while asked <= 100 {
        assert_eq!(ask(&service, &format!("away-{asked}")).await.status, 200);
        asked += 1;
    }
    fs::rename(&elsewhere, directory(&store)).unwrap();
    until_greeting(&service, "Hello!").await;
    greet(&store, "Hi!");
    until_greeting(&service, "Hi!").await;
    assert!(
        service
            .log()
            .contains("a file of the store was opened again")
    );
    let produced = "flag_exposures_produced_total";
    assert_eq!(
        service
            .metric("flag_store_circuit_open{circuit=\"reads\"}")
            .await,
        0
    );
    let before = service.metric(produced).await;
    assert!(service.stop().success());
    assert_eq!(u64::try_from(logged(&store).await).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_took_the_place_of_the_directory_is_served() {
    let (one, two) = (store("one"), store("two"));
    let parent = TempDir::new().unwrap();
    let (link, next) = (parent.path().join("link"), parent.path().join("next"));
    symlink(directory(&one), &link).unwrap();
    let variables = [SHORT_LIFETIME, ("FLAG_DATA_DIR", link.to_str().unwrap())];
    let service = Service::start_with(&one, &[], &variables);
    until_greeting(&service, "one").await;
    symlink(directory(&two), &next).unwrap();
    fs::rename(&next, &link).unwrap();
    until_greeting(&service, "two").await;
    greet(&two, "three");
    until_greeting(&service, "three").await;
}

/// A link that leads in a circle cannot be looked through, as a directory cannot whose permissions are gone.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_looked_at_for_a_while_lose_nothing() {
    let store = store("Hello!");
    let parent = TempDir::new().unwrap();
    let (link, next) = (parent.path().join("link"), parent.path().join("next"));
    symlink(directory(&store), &link).unwrap();
    let variables = [SHORT_LIFETIME, ("FLAG_DATA_DIR", link.to_str().unwrap())];
    let service = Service::start_with(&store, &[], &variables);
    until_greeting(&service, "Hello!").await;
    symlink(&link, &next).unwrap();
    fs::rename(&next, &link).unwrap();
    let began = Instant::now();
    let mut asked = 0;
    while began.elapsed() < Duration::from_secs(2) {
        let reply = ask(&service, &format!("hidden-{asked}")).await;
        assert!(reply.status == 200 && !is_stale(&reply), "{reply:?}");
        asked += 1;
    }
    symlink(directory(&store), &next).unwrap();
    fs::rename(&next, &link).unwrap();
    assert_eq!(
        service
            .metric("flag_exposures_dropped_total{reason=\"refused\"}")
            .await,
        0
    );
    let produced = service.metric("flag_exposures_produced_total").await;
    assert!(service.stop().success());
    assert_eq!(u64::try_from(logged(&store).await).unwrap(), produced);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_memory_that_was_truncated_ends_nothing() {
    let store = store("Hello!");
    let service = Service::start_with(&store, &[], &[SHORT_LIFETIME]);
    until_greeting(&service, "Hello!").await;
    // Jobs look for it when they begin; one under way, which a busy machine draws out, would not survive it.
    until_written(&service).await;
    for file in ["flags.db-shm", "exposures.db-shm"] {
        let file = File::options()
            .write(true)
            .open(directory(&store).join(file));
        file.unwrap().set_len(0).unwrap();
    }
    greet(&store, "Hi!");
    until_greeting(&service, "Hi!").await;
    let produced = service.metric("flag_exposures_produced_total").await;
    assert!(service.stop().success());
    assert_eq!(u64::try_from(logged(&store).await).unwrap(), produced);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_a_log_that_was_removed_is_saved() {
    let store = store("Hello!");
    let service = Service::start_with(&store, &[], &[SHORT_LIFETIME]);
    until_greeting(&service, "Hello!").await;
    greet(&store, "Hi!");
    until_greeting(&service, "Hi!").await;
    for file in ["flags.db-wal", "flags.db-shm"] {
        fs::remove_file(directory(&store).join(file)).unwrap();
    }
    let began = Instant::now();
    while !service
        .log()
        .contains("a file of the store was opened again")
    {
        assert!(began.elapsed() < PATIENCE, "{}", service.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until_greeting(&service, "Hi!").await;
    assert!(does(&store, &["history", "p", "data", "greeting"]).contains("Hi!"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_db_files_after_a_stop_has_everything() {
    let store = store("Hello!");
    let beside = |store: &TestStore| {
        let entries = fs::read_dir(directory(store)).unwrap();
        let mut names: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        names.sort();
        let names = names
            .iter()
            .map(|path| path.file_name().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        beside(&store),
        ["exposures.db", "flags.db"],
        "after flagctl"
    );
    let service = Service::start(&store);
    until_greeting(&service, "Hello!").await;
    greet(&store, "Hi!");
    until_greeting(&service, "Hi!").await;
    let produced = service.metric("flag_exposures_produced_total").await;
    assert!(service.stop().success());
    assert_eq!(
        beside(&store),
        ["exposures.db", "flags.db"],
        "after the service"
    );
    let parent = TempDir::new().unwrap();
    let copied = parent.path().join("copy");
    copy(directory(&store), &copied);
    let at = copied.to_str().unwrap();
    let history = does(
        &store,
        &["history", "p", "data", "greeting", "--data-dir", at],
    );
    assert!(history.contains("Hi!"), "{history}");
    assert_eq!(u64::try_from(logged(&store).await).unwrap(), produced);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_restored_under_a_service_is_served() {
    let store = store("Hello!");
    let parent = TempDir::new().unwrap();
    let backup = parent.path().join("backup");
    let backup = backup.to_str().unwrap();
    let service = Service::start_with(&store, &[], &[SHORT_LIFETIME]);
    until_greeting(&service, "Hello!").await;
    does(&store, &["backup", backup]);
    greet(&store, "Hi!");
    until_greeting(&service, "Hi!").await;
    let refused = flagctl(&store, &["restore-backup", backup]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    until_greeting(&service, "Hi!").await;
    let restored = does(
        &store,
        &["restore-backup", backup, "--replace", "-o", "json"],
    );
    let restored: Value = serde_json::from_str(&restored).unwrap();
    until_greeting(&service, "Hello!").await;
    greet(&store, "Good morning!");
    until_greeting(&service, "Good morning!").await;
    let kept = restored["kept"].as_str().unwrap();
    let history = does(
        &store,
        &["history", "p", "data", "greeting", "--data-dir", kept],
    );
    assert!(history.contains("Hi!"), "{history}");
}

/// Long before lifetimes end: what has vanished is served no more, what has come is found.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_back_is_noticed_and_told() {
    let store = store("Hello!");
    let parent = TempDir::new().unwrap();
    let backup = parent.path().join("backup");
    let backup = backup.to_str().unwrap();
    let service = Service::start(&store);
    until_greeting(&service, "Hello!").await;
    does(&store, &["backup", backup]);
    greet(&store, "Hi!");
    until_greeting(&service, "Hi!").await;
    does(&store, &["add", "p", "data", "later", "--description=x"]);
    let later = [
        "revise",
        "p",
        "data",
        "later",
        "--control=x",
        "--comment=x",
        "--yes",
    ];
    does(&store, &later);
    assert_eq!(service.ask("p", "data", "later", "A").await.status, 200);
    let ready = readiness(&service).await;
    assert_eq!(ready.body["restored_projects"], Value::Null);

    let restored = ["restore-backup", backup, "--replace", "-o", "json"];
    let restored: Value = serde_json::from_str(&does(&store, &restored)).unwrap();
    until_greeting(&service, "Hello!").await;
    until_status(&service, "later", 404).await;
    let ready = readiness(&service).await;
    assert_eq!(
        (ready.status, &ready.body["restored_projects"]),
        (200, &1.into())
    );
    assert!(
        service
            .log()
            .contains("the store was restored to an older state")
    );
    assert!(service.metric("flag_store_restores_total").await >= 1);

    let newer = restored["kept"].as_str().unwrap();
    does(&store, &["restore-backup", newer, "--replace"]);
    until_greeting(&service, "Hi!").await;
    until_status(&service, "later", 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_was_removed_is_restored_under_a_service() {
    let store = store("Hello!");
    let parent = TempDir::new().unwrap();
    let backup = parent.path().join("backup");
    let backup = backup.to_str().unwrap();
    does(&store, &["backup", backup]);
    let service = Service::start_with(&store, &[], &[SHORT_LIFETIME]);
    until_greeting(&service, "Hello!").await;
    fs::remove_dir_all(directory(&store)).unwrap();
    until(&service, is_stale).await;
    does(&store, &["restore-backup", backup]);
    until_greeting(&service, "Hello!").await;
    greet(&store, "Hi!");
    until_greeting(&service, "Hi!").await;
}
