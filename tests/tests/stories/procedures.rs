//! The procedures of the Python framework's runbook, each the one line that `docs/runbook.md` has for it.

use flag_tests::{Output, TestStore, flagctl, on_both_stores};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/runbook.md");

on_both_stores!(
    a_flag_is_added,
    a_revision_is_added,
    a_flag_is_rolled_back,
    a_flag_is_updated,
    a_flag_is_not_removed,
    a_revision_is_not_removed,
    a_flag_is_looked_up,
    the_revision_in_force_is_looked_up,
    the_history_is_looked_up,
    all_flags_are_listed,
    all_flags_are_listed_with_their_revisions_in_force,
);

/// The procedures and their command lines, as the page has them.
fn procedures() -> Vec<(&'static str, Vec<String>)> {
    let rows = PAGE
        .lines()
        .skip_while(|line| !line.starts_with("| Procedure |"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches(['|', ' ']).split_once(" | ").unwrap());
    cells
        .map(|(procedure, line)| {
            let line = line.trim_matches('`').strip_prefix("flagctl ").unwrap();
            (procedure, words(line))
        })
        .collect()
}

/// The words of a line, as a shell has them.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(at, part)| {
        if at % 2 == 1 {
            vec![part.to_owned()]
        } else {
            part.split_whitespace().map(str::to_owned).collect()
        }
    });
    words.collect()
}

fn run(store: &TestStore, procedure: &str, options: &[&str]) -> Output {
    let procedures = procedures();
    let found = procedures.iter().find(|(name, _)| *name == procedure);
    let (_, words) = found.unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    flagctl(store, &[&words, options].concat())
}

fn done(store: &TestStore, procedure: &str) -> Value {
    let output = run(store, procedure, &["-o", "json"]);
    assert_eq!(output.code, 0, "{procedure}: {output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

/// A flag with two revisions, at 10 % and at 40 %.
fn flag(store: &TestStore) {
    done(store, "Add a flag");
    let revise = ["revise", "csr-assistant/new_search", "10%"];
    let revised = flagctl(store, &revise);
    assert_eq!(revised.code, 0, "{revised:?}");
    done(store, "Add a revision");
}

fn percent(store: &TestStore) -> Value {
    let latest = done(store, "Look up the revision in force");
    latest["revision"]["treatments"][0]["percent"].clone()
}

#[test]
fn the_page_has_the_eleven_procedures_each_in_one_line() {
    let procedures = procedures();
    assert_eq!(procedures.len(), 11, "{procedures:?}");
    assert!(procedures.iter().all(|(_, words)| words.len() > 1));
}

async fn a_flag_is_added(store: TestStore) {
    let written = done(&store, "Add a flag");
    let key = written["row_key"].as_str().unwrap();
    assert!(
        key.starts_with("PROJECT#csr-assistant#ROWTYPE#FLAG#"),
        "{key}"
    );
    assert_eq!(run(&store, "Add a flag", &[]).code, 4);
}

async fn a_revision_is_added(store: TestStore) {
    flag(&store);
    assert_eq!(percent(&store), 40);
}

async fn a_flag_is_rolled_back(store: TestStore) {
    flag(&store);
    done(&store, "Roll a flag back");
    assert_eq!(percent(&store), 10);
    let latest = done(&store, "Look up the revision in force");
    assert!(latest["revision"]["rollback_of"].is_string());
}

async fn a_flag_is_updated(store: TestStore) {
    flag(&store);
    done(&store, "Update a flag");
    let flag = done(&store, "Look up a flag");
    assert_eq!(flag["metadata"]["description"], "The newest search");
}

async fn a_flag_is_not_removed(store: TestStore) {
    flag(&store);
    let refused = run(&store, "Remove a flag", &[]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("`flagctl retire`"), "{refused:?}");
    assert_eq!(percent(&store), 40);
}

async fn a_revision_is_not_removed(store: TestStore) {
    flag(&store);
    let refused = run(&store, "Remove a revision", &[]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.stderr.contains("nothing is ever removed"),
        "{refused:?}"
    );
    let history = done(&store, "Look up the history");
    assert_eq!(history["revisions"].as_array().unwrap().len(), 2);
}

async fn a_flag_is_looked_up(store: TestStore) {
    flag(&store);
    let flag = done(&store, "Look up a flag");
    assert_eq!(flag["metadata"]["description"], "The new search");
    assert_eq!(flag["revision"]["treatments"][0]["percent"], 40);
}

async fn the_revision_in_force_is_looked_up(store: TestStore) {
    flag(&store);
    let latest = done(&store, "Look up the revision in force");
    assert_eq!(latest["revision"]["comment"], "40 %");
}

async fn the_history_is_looked_up(store: TestStore) {
    flag(&store);
    let history = done(&store, "Look up the history");
    let comments: Vec<&Value> = history["revisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|revision| &revision["comment"])
        .collect();
    assert_eq!(comments, ["40 %", "10 %"]);
}

async fn all_flags_are_listed(store: TestStore) {
    flag(&store);
    let listed = done(&store, "List all flags");
    assert_eq!(listed["flags"][0]["name"], "new_search");
}

async fn all_flags_are_listed_with_their_revisions_in_force(store: TestStore) {
    flag(&store);
    let listed = done(&store, "List all flags with their revisions in force");
    assert_eq!(listed["flags"][0]["revision"]["comment"], "40 %");
}
