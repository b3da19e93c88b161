//! Propagation: `flagctl … --wait` says which replicas serve what was written.

use std::time::{Duration, Instant, SystemTime};

use flag_tests::{Output, Service, TestStore, flagctl, on_both_stores};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::bad_day::Clock;

const PROJECT: &str = "csr-assistant";
const FLAG: &str = "llm_version";

on_both_stores!(
    propagation_counts_the_replicas_and_names_those_that_are_behind,
    a_replica_that_was_not_asked_for_the_project_is_distinguished,
    a_replica_that_was_first_asked_a_moment_ago_counts,
    a_replica_whose_clock_is_wrong_counts_and_is_named,
);

fn start(store: &TestStore, name: &str) -> Service {
    Service::start_with(store, &["--demo"], &[("HOSTNAME", name)])
}

async fn value(service: &Service) -> String {
    let reply = service.ask(PROJECT, "data", FLAG, "B").await;
    reply.body["flag_value"].as_str().unwrap().to_owned()
}

/// Writes, and waits until the replicas serve it.
fn write(store: &TestStore, words: &[&str], wait: &str) -> Output {
    let flag = [PROJECT, "data", FLAG, "--yes", "--yes-i-mean", FLAG, wait];
    let (command, options) = words.split_first().unwrap();
    flagctl(store, &[&[*command], &flag[..], options].concat())
}

/// The replicas and their states, once they are these.
async fn until_replicas(store: &TestStore, expected: &[(&str, &str)]) {
    let began = Instant::now();
    loop {
        let shown = flagctl(store, &["replicas", PROJECT, "-o", "json"]);
        assert_eq!(shown.code, 0, "{shown:?}");
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        let replicas = shown["replicas"].as_array().unwrap().iter();
        let found: Vec<_> = replicas
            .map(|replica| {
                let text = |field: &str| replica[field].as_str().unwrap();
                (text("name"), text("state"))
            })
            .collect();
        if found == expected {
            return;
        }
        let waited = began.elapsed();
        assert!(
            waited < Duration::from_secs(20),
            "{found:?}, wanted {expected:?}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

#[track_caller]
fn check(written: &Output, code: i32, message: &str) {
    assert_eq!(written.code, code, "{written:?}");
    assert!(written.stderr.contains(message), "{written:?}");
}

/// A bug report has what each replica reported.
fn check_bundle(store: &TestStore) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("report.json");
    let file = path.to_str().unwrap();
    let explained = flagctl(
        store,
        &["explain", PROJECT, "data", FLAG, "B", "--bundle", file],
    );
    assert_eq!(explained.code, 0, "{explained:?}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let revision = &report["explained"]["revision"]["created"];
    let replicas = report["replicas"].as_array().unwrap();
    for (replica, name) in replicas.iter().zip(["flags-a", "flags-b", "flags-c"]) {
        assert_eq!(replica["name"], name);
        assert_eq!(replica["state"], "up_to_date");
        assert_eq!(&replica["reported_revision"], revision, "{replica}");
    }
    assert_eq!(replicas.len(), 3);
}

async fn propagation_counts_the_replicas_and_names_those_that_are_behind(store: TestStore) {
    let revise = ["revise", "--control", "5", "--comment", "next"];
    let replicas = ["flags-a", "flags-b", "flags-c"].map(|name| start(&store, name));
    for replica in &replicas {
        assert_eq!(value(replica).await, "4.1");
    }
    let all = ["flags-a", "flags-b", "flags-c"].map(|name| (name, "up_to_date"));
    until_replicas(&store, &all).await;
    let written = write(&store, &revise, "--wait=20s");
    check(&written, 0, "served by 3 of 3 replicas after ");
    assert!(written.stderr.contains("(slowest flags-"), "{written:?}");
    for replica in &replicas {
        assert_eq!(value(replica).await, "5");
    }
    let health = replicas[0].text("/dashboard/health", "text/html").await.1;
    for name in ["flags-a", "flags-b", "flags-c"] {
        assert!(health.contains(name), "{health}");
    }
    check_bundle(&store);
    let [a, b, c] = replicas;
    b.signal("-STOP");
    let written = write(&store, &["rollback"], "--wait=2s");
    let message = "written, and served by 2 of 3 replicas after 2";
    check(&written, 8, message);
    assert!(
        written.stderr.contains("; behind: flags-b (last reported "),
        "{written:?}"
    );
    assert!(!written.stdout.is_empty(), "the row is shown");
    let [one, _, three] = all;
    until_replicas(&store, &[one, ("flags-b", "behind"), three]).await;
    b.signal("-CONT");
    until_replicas(&store, &all).await;
    assert_eq!(value(&b).await, "4.1");
    assert!(c.stop().success());
    until_replicas(&store, &all[..2]).await;
    check(
        &write(&store, &revise, "--wait=20s"),
        0,
        "served by 2 of 2 replicas after ",
    );
    drop((a, b));
}

async fn a_replica_that_was_not_asked_for_the_project_is_distinguished(store: TestStore) {
    let asked = start(&store, "flags-a");
    let _other = start(&store, "flags-b");
    assert_eq!(value(&asked).await, "4.1");
    let states = [("flags-a", "up_to_date"), ("flags-b", "not_asked")];
    until_replicas(&store, &states).await;
    let revise = ["revise", "--control", "5", "--comment", "next"];
    let written = write(&store, &revise, "--wait=20s");
    check(&written, 0, "served by 1 of 1 replica after ");
    let not_asked = "(slowest flags-a); 1 had not been asked for the project by its last report ";
    check(&written, 0, not_asked);
}

async fn a_replica_that_was_first_asked_a_moment_ago_counts(store: TestStore) {
    let asked = start(&store, "flags-a");
    assert_eq!(value(&asked).await, "4.1");
    let variables = [("HOSTNAME", "flags-b"), ("FLAG_CHANGE_POLL_MS", "3000")];
    let other = Service::start_with(&store, &[], &variables);
    let states = [("flags-a", "up_to_date"), ("flags-b", "not_asked")];
    until_replicas(&store, &states).await;
    assert_eq!(value(&other).await, "4.1");
    let revise = ["revise", "--control", "5", "--comment", "next"];
    let written = write(&store, &revise, "--wait=20s");
    assert_eq!(value(&other).await, "5");
    check(&written, 0, "served by 2 of 2 replicas after ");
}

async fn a_replica_whose_clock_is_wrong_counts_and_is_named(store: TestStore) {
    let right = start(&store, "flags-a");
    assert_eq!(value(&right).await, "4.1");
    let clock = Clock::new();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    clock.set(&(now - 270).to_string());
    let variables = clock.variables();
    let mut variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    variables.push(("HOSTNAME", "flags-b"));
    let wrong = Service::start_with(&store, &[], &variables);
    assert_eq!(value(&wrong).await, "4.1");
    let both = ["flags-a", "flags-b"].map(|name| (name, "up_to_date"));
    until_replicas(&store, &both).await;
    let shown = flagctl(&store, &["replicas", PROJECT]).stdout;
    assert!(shown.contains("up to date; its clock is 2"), "{shown}");
    assert!(shown.contains(" s behind the store's"), "{shown}");
    let health = right.text("/dashboard/health", "text/html").await.1;
    assert!(health.contains("its clock is 2"), "{health}");
    let revise = ["revise", "--control", "5", "--comment", "next"];
    let written = write(&store, &revise, "--wait=20s");
    check(&written, 0, "served by 2 of 2 replicas after ");
    wrong.signal("-STOP");
    let written = write(&store, &["rollback"], "--wait=2s");
    wrong.signal("-CONT");
    check(&written, 8, "served by 1 of 2 replicas after 2");
    check(&written, 8, "; behind: flags-b (last reported ");
    check(&written, 8, "; its clock is 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_replica_nobody_knows_who_serves_a_change() {
    let store = TestStore::embedded();
    let add = ["add", PROJECT, "data", FLAG, "--description", "x", "--yes"];
    assert_eq!(flagctl(&store, &add).code, 0);
    let written = write(
        &store,
        &["revise", "--control", "5", "--comment", "next"],
        "--wait",
    );
    check(&written, 8, "no replica has reported in the last 3 minutes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_does_not_watch_for_changes_is_behind() {
    let store = TestStore::embedded();
    let variables = [("HOSTNAME", "flags-a"), ("FLAG_CHANGE_POLL_MS", "0")];
    let service = Service::start_with(&store, &["--demo"], &variables);
    assert_eq!(value(&service).await, "4.1");
    until_replicas(&store, &[("flags-a", "not_watching")]).await;
    let revise = ["revise", "--control", "5", "--comment", "next"];
    let written = write(&store, &revise, "--wait=100ms");
    check(
        &written,
        8,
        "flags-a (does not watch for changes: FLAG_CHANGE_POLL_MS=0)",
    );
}
