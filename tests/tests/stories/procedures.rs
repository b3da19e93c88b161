//! The procedures of the Python framework's runbook, each one command.

use flag_tests::{Output, TestStore, flagctl, on_both_stores};
use serde_json::Value;

const FLAG: [&str; 3] = ["csr-assistant", "feature", "multi_step_api_router"];

on_both_stores!(
    a_flag_is_added,
    a_version_is_added,
    a_flag_is_rolled_back,
    a_flag_is_updated,
    metadata_is_looked_up,
    the_latest_version_is_looked_up,
    all_flags_are_listed,
    all_flags_are_listed_with_their_latest_version,
    the_history_is_looked_up,
    a_flag_is_not_removed,
    a_version_is_not_removed,
);

fn run(store: &TestStore, command: &str, options: &[&str]) -> Output {
    flagctl(store, &[&[command], &FLAG[..], options].concat())
}

#[track_caller]
fn done(output: &Output) -> Value {
    assert_eq!(output.code, 0, "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

/// A flag with two versions, off and at 40 %.
fn flag(store: &TestStore) {
    done(&run(
        store,
        "add",
        &["--description", "Router", "-o", "json"],
    ));
    done(&run(
        store,
        "revise",
        &["--control", "false", "--comment", "Off", "-o", "json"],
    ));
    done(&run(
        store,
        "revise",
        &[
            "--percent",
            "40",
            "--override",
            "A12345",
            "--comment",
            "Rollout to 40 %",
            "-o",
            "json",
        ],
    ));
}

fn comment(store: &TestStore) -> Value {
    done(&run(store, "latest", &["-o", "json"]))["revision"]["comment"].clone()
}

async fn a_flag_is_added(store: TestStore) {
    let written = done(&run(
        &store,
        "add",
        &["--description", "Router", "-o", "json"],
    ));
    assert!(
        written["row_key"]
            .as_str()
            .unwrap()
            .starts_with("PROJECT#csr-assistant#ROWTYPE#FLAG#")
    );
    assert_eq!(run(&store, "add", &["--description", "Router"]).code, 4);
}

async fn a_version_is_added(store: TestStore) {
    flag(&store);
    assert_eq!(comment(&store), "Rollout to 40 %");
}

async fn a_flag_is_rolled_back(store: TestStore) {
    flag(&store);
    done(&run(&store, "rollback", &["-o", "json"]));
    let latest = done(&run(&store, "latest", &["-o", "json"]));
    assert_eq!(latest["revision"]["treatments"], Value::Array(vec![]));
    assert!(latest["revision"]["rollback_of"].is_string());
}

async fn a_flag_is_updated(store: TestStore) {
    flag(&store);
    done(&run(
        &store,
        "update",
        &["--description", "The router", "-o", "json"],
    ));
    assert_eq!(
        done(&run(&store, "get", &["-o", "json"]))["metadata"]["description"],
        "The router"
    );
}

async fn metadata_is_looked_up(store: TestStore) {
    flag(&store);
    assert_eq!(
        done(&run(&store, "get", &["-o", "json"]))["metadata"]["description"],
        "Router"
    );
}

async fn the_latest_version_is_looked_up(store: TestStore) {
    flag(&store);
    assert_eq!(comment(&store), "Rollout to 40 %");
}

async fn all_flags_are_listed(store: TestStore) {
    flag(&store);
    let listed = flagctl(&store, &["list", "csr-assistant", "-o", "name"]);
    assert_eq!(
        (listed.code, listed.stdout.contains("multi_step_api_router")),
        (0, true),
        "{listed:?}"
    );
}

async fn all_flags_are_listed_with_their_latest_version(store: TestStore) {
    flag(&store);
    let listed = flagctl(
        &store,
        &["list", "csr-assistant", "--with-latest", "-o", "json"],
    );
    assert!(
        done(&listed).to_string().contains("Rollout to 40 %"),
        "{listed:?}"
    );
}

async fn the_history_is_looked_up(store: TestStore) {
    flag(&store);
    let history = done(&run(&store, "history", &["-o", "json"]));
    let comments: Vec<&Value> = history["revisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|revision| &revision["comment"])
        .collect();
    assert_eq!(comments, ["Rollout to 40 %", "Off"]);
}

async fn a_flag_is_not_removed(store: TestStore) {
    flag(&store);
    assert_eq!(run(&store, "remove", &[]).code, 2);
    assert_eq!(comment(&store), "Rollout to 40 %");
}

async fn a_version_is_not_removed(store: TestStore) {
    flag(&store);
    let latest = done(&run(&store, "latest", &["-o", "json"]));
    let refused = run(
        &store,
        "delete",
        &[latest["revision"]["created"].as_str().unwrap()],
    );
    assert!(
        refused.code == 2 && refused.stderr.contains("nothing is ever removed"),
        "{refused:?}"
    );
    assert_eq!(
        done(&run(&store, "history", &["-o", "json"]))["revisions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}
