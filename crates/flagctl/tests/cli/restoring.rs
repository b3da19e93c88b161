//! A past state of a project comes back, and nothing is removed.

use super::*;

#[track_caller]
fn check_said(output: &Output, code: i32, says: &str) {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(says), "{stderr}");
}

fn now() -> String {
    SystemClock.now().to_string()
}

/// A flag that was revised to these percentages, and the instant after each.
fn revised(percents: &[u32]) -> (TempDir, Vec<String>) {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    let instants = percents.iter().map(|percent| {
        let options = format!("--control false --percent {percent}");
        check_done(&revise(&dir, &options));
        now()
    });
    let instants = instants.collect();
    (dir, instants)
}

fn restore(dir: &TempDir, at: &str, options: &[&str]) -> Output {
    let restore = ["restore", "csr-assistant", "--at", at, "--yes"];
    flagctl(dir, &[&restore, options].concat())
}

fn newest(dir: &TempDir) -> Value {
    json(&on_flag(dir, "get", &["-o", "json"]))
}

fn percent(dir: &TempDir) -> u64 {
    newest(dir)["revision"]["treatments"][0]["percent"]
        .as_u64()
        .unwrap()
}

#[test]
fn the_revisions_in_force_then_come_back_as_new_ones() {
    let (dir, instants) = revised(&[10, 20, 30]);
    let restored = restore(&dir, &instants[0], &["-o", "json"]);
    check_done(&restored);
    assert_eq!(percent(&dir), 10);
    let shown = json(&restored);
    assert_eq!(
        (&shown["written"], &shown["at"]),
        (&true.into(), &instants[0].as_str().into())
    );
    assert_eq!(shown["changed"][0]["name"], NAME);
    let revision = newest(&dir)["revision"].clone();
    assert_eq!(revision["comment"], format!("Restored to {}", instants[0]));
    let history = on_flag(&dir, "history", &["-o", "name"]);
    let history = stdout(&history);
    let made: Vec<&str> = history.lines().collect();
    assert_eq!((made.len(), &revision["rollback_of"]), (4, &made[3].into()));
    // Its own undo is another restore.
    check_done(&restore(&dir, &instants[2], &[]));
    assert_eq!(percent(&dir), 30);
    check_said(&restore(&dir, &instants[2], &[]), 0, "");
    assert_eq!(
        stdout(&on_flag(&dir, "history", &["-o", "name"]))
            .lines()
            .count(),
        5
    );
}

#[test]
fn a_dry_run_shows_the_changes_and_writes_nothing() {
    let (dir, instants) = revised(&[10, 20]);
    let shown = restore(&dir, &instants[0], &["--dry-run"]);
    check_said(&shown, 0, "10 % of all instances receive another value");
    assert!(stdout(&shown).contains("flags: 1 to restore, 0 as at"));
    assert_eq!(percent(&dir), 20);
}

#[test]
fn only_the_named_flags_are_restored() {
    let (dir, instants) = revised(&[10, 20]);
    let other = ["csr-assistant", "data", "greeting"];
    check_done(&flagctl(
        &dir,
        &[&["add"], &other[..], &["--description=x"]].concat(),
    ));
    let revise = |control| [&["revise"], &other[..], &["-m=x", "--control", control]].concat();
    check_done(&flagctl(&dir, &revise("Hi")));
    let before = now();
    let changed = [revise("Hello"), vec!["--yes-i-mean", "greeting"]].concat();
    check_done(&flagctl(&dir, &changed));
    check_said(
        &restore(&dir, &before, &["--only", "nothing"]),
        3,
        "nothing",
    );
    check_done(&restore(&dir, &before, &["--only", NAME]));
    check_done(&restore(
        &dir,
        &instants[0],
        &["--only", &format!("feature/{NAME}")],
    ));
    assert_eq!(percent(&dir), 10);
    let greeting = flagctl(&dir, &[&["get"], &other[..], &["-o=json"]].concat());
    assert_eq!(json(&greeting)["revision"]["control"], "Hello");
}

#[test]
fn flags_that_are_newer_stay_or_are_retired() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    let before = now();
    check_done(&revise(&dir, "--control false --percent 10 --override A1"));
    let left = restore(&dir, &before, &["-o", "json"]);
    check_done(&left);
    assert_eq!(json(&left)["newer"][0]["name"], NAME);
    assert_eq!(percent(&dir), 10);
    check_done(&restore(&dir, &before, &["--strict"]));
    let retired = newest(&dir);
    assert_eq!(retired["metadata"]["tags"], serde_json::json!(["retired"]));
    let treatment = &retired["revision"]["treatments"][0];
    assert_eq!(
        (&treatment["percent"], &treatment["overrides"]),
        (&0.into(), &serde_json::json!([]))
    );
    let again = restore(&dir, &before, &["--strict", "-o", "json"]);
    assert_eq!(json(&again)["written"], false);
}

#[test]
fn a_flag_that_was_retired_since_is_no_longer() {
    let (dir, instants) = revised(&[10]);
    check_done(&flagctl(
        &dir,
        &[
            "update",
            "csr-assistant",
            "feature",
            NAME,
            "--tag",
            "search",
        ],
    ));
    check_done(&on_flag(
        &dir,
        "retire",
        &["--value=false", "-m=x", "--yes"],
    ));
    check_done(&restore(&dir, &instants[0], &[]));
    let restored = newest(&dir);
    // Other metadata decides nothing, and stays.
    assert_eq!(restored["metadata"]["tags"], serde_json::json!(["search"]));
    assert_eq!(percent(&dir), 10);
}

#[test]
fn a_time_to_come_is_refused() {
    let (dir, _) = revised(&[10]);
    let restored = restore(&dir, "2999-01-01 00:00:00", &[]);
    check_said(&restored, 2, "is in the future; expected a past time");
}

#[test]
fn a_revision_of_then_that_cannot_be_read_is_named() {
    let (dir, instants) = revised(&[10, 20]);
    leave_behind(&dir, "2020-01-01 00:00:00", "[{]");
    let restored = restore(&dir, "2020-01-02 00:00:00", &[]);
    check_said(&restored, 5, "TIME#2020-01-01 00:00:00");
    assert_eq!(percent(&dir), 20);
    check_done(&restore(&dir, &instants[0], &[]));
}
