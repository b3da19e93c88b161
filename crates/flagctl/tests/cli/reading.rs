//! `get` and `history`: what is shown, and what is not found.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::*;

#[test]
fn what_is_not_there_is_not_found_and_a_near_name_is_suggested() {
    let dir = TempDir::new().unwrap();
    check_done(&flagctl(&dir, &["init"]));
    check_failed(
        &on_flag(&dir, "get", &[]),
        3,
        &["no flag csr-assistant/feature/multi_step"],
    );
    check_done(&add(&dir));
    let typed = ["csr-assistant", "feature", "multi_step_router"];
    for subcommand in ["get", "history"] {
        let says = [
            "no flag csr-assistant/feature/multi_step_router",
            "did you mean multi_step_api_router?",
        ];
        check_failed(
            &flagctl(&dir, &[&[subcommand], &typed[..]].concat()),
            3,
            &says,
        );
    }
    let revise = [
        "revise",
        "csr-assistant",
        "data",
        NAME,
        "--control=x",
        "--comment=c",
    ];
    let says = [
        "`flagctl add` adds it",
        "did you mean feature multi_step_api_router?",
    ];
    check_failed(&flagctl(&dir, &revise), 3, &says);
}

#[test]
fn history_tells_the_newest_first_and_no_more_than_asked_for() {
    let dir = with_revision();
    for percent in [10, 20, 30] {
        check_done(&revise(&dir, &format!("--percent {percent}")));
    }
    let history = on_flag(&dir, "history", &["--limit", "2", "-o", "json"]);
    let revisions = json(&history)["revisions"].take();
    let percents: Vec<&Value> = revisions
        .as_array()
        .unwrap()
        .iter()
        .map(|revision| &revision["treatments"][0]["percent"])
        .collect();
    assert_eq!(percents, [30, 20]);
    assert!(stderr(&history).contains("older revisions are not shown"));
    let all = on_flag(&dir, "history", &[]);
    check_done(&all);
    assert_eq!((stdout(&all).lines().count(), stderr(&all)), (5, ""));
    check_failed(
        &on_flag(&dir, "history", &["--limit", "0"]),
        2,
        &["--limit"],
    );
}

#[test]
fn a_flag_without_a_revision_has_an_empty_history() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    let history = on_flag(&dir, "history", &["-o", "json"]);
    assert_eq!(json(&history)["revisions"], json!([]));
    assert!(stderr(&history).contains("has no revision yet"));
}

#[test]
fn a_row_that_cannot_be_read_is_shown_in_the_history_and_its_reason_elsewhere() {
    let dir = TempDir::new().unwrap();
    leave_behind(&dir, "2024-09-25 19:15:28.248896", "[]");
    leave_behind(&dir, "2024-09-26 08:00:00", "[{");
    let history = on_flag(&dir, "history", &[]);
    check_done(&history);
    let lines: Vec<&str> = stdout(&history).lines().collect();
    assert!(lines[1].starts_with("r2   2024-09-26 08:00:00  unreadable: row PROJECT#"));
    assert!(lines[1].contains("column Treatments: "));
    assert!(lines[2].starts_with("r1   2024-09-25 19:15:28  "));
    let revisions = json(&on_flag(&dir, "history", &["-o", "json"]))["revisions"].take();
    assert_eq!(revisions[0]["created"], "2024-09-26 08:00:00.000000");
    assert!(revisions[0]["unreadable"].is_string());
    let says = [
        "cannot read the newest revision of csr-assistant",
        "TIME#2024-09-26 08:00:00, column Treatments",
    ];
    check_failed(&on_flag(&dir, "latest", &[]), 5, &says);
    check_failed(&revise(&dir, "--percent 5"), 5, &["--control too"]);
}

/// What a command shows of a flag with a row that cannot be read, as text and as data, and that it names the row.
#[track_caller]
fn check_partly(dir: &TempDir, shown: &[&str], unreadable: &str) -> Value {
    let text = on_flag(dir, "get", &[]);
    assert_eq!(text.status.code(), Some(5));
    for part in shown {
        assert!(stdout(&text).contains(part), "{part}: {}", stdout(&text));
    }
    assert!(
        stderr(&text).starts_with("error: row PROJECT#"),
        "{}",
        stderr(&text)
    );
    assert!(stderr(&text).contains(unreadable), "{}", stderr(&text));
    let data = on_flag(dir, "get", &["-o", "json"]);
    assert_eq!(data.status.code(), Some(5));
    serde_json::from_slice(&data.stdout).unwrap()
}

#[test]
fn a_row_that_cannot_be_read_hides_nothing_that_can() {
    let dir = with_revision();
    let metadata = |time: &str| {
        let key = format!(
            "PROJECT#csr-assistant#ROWTYPE#FLAG#FLAGTYPE#feature#FLAGNAME#{NAME}#TIME#{time}"
        );
        let cells = Cells::default().with("Name", "other");
        Row {
            key: key.into(),
            cells: cells.with("Description", "x"),
        }
    };
    crate::administering::write(dir.path(), metadata(&soon()));
    let shown = ["metadata: unreadable: row PROJECT#", "comment   why"];
    let data = check_partly(&dir, &shown, "column Name");
    assert!(data["metadata"]["unreadable"].is_string(), "{data}");
    assert_eq!(data["revision"]["comment"], "why");
    check_done(&on_flag(&dir, "latest", &[]));

    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    leave_behind(&dir, &soon(), "[{");
    let shown = [
        "description  Multi-step",
        "newest revision: unreadable: row PROJECT#",
    ];
    let data = check_partly(&dir, &shown, "column Treatments");
    assert!(data["revision"]["unreadable"].is_string(), "{data}");
    assert_eq!(data["metadata"]["description"], "Multi-step API router");

    let dir = TempDir::new().unwrap();
    crate::administering::write(dir.path(), metadata("2024-09-25 19:15:28.248896"));
    check_partly(
        &dir,
        &["metadata: unreadable", "no revision yet"],
        "column Name",
    );
    check_failed(&on_flag(&dir, "latest", &[]), 3, &["has no revision yet"]);
    for command in ["history", "exposures"] {
        check_done(&on_flag(&dir, command, &[]));
    }
    let first = ["--control", "false", "--percent", "10", "--comment", "why"];
    check_done(&on_flag(&dir, "revise", &first));
}
