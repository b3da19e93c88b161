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
    assert!(stderr(&history).contains("there are older revisions"));
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
    assert!(lines[1].starts_with("2024-09-26 08:00:00.000000  unreadable: row PROJECT#"));
    assert!(lines[1].contains("column Treatments: "));
    assert!(lines[2].starts_with("2024-09-25 19:15:28.248896  1"));
    let revisions = json(&on_flag(&dir, "history", &["-o", "json"]))["revisions"].take();
    assert_eq!(revisions[0]["created"], "2024-09-26 08:00:00.000000");
    assert!(revisions[0]["unreadable"].is_string());
    let says = [
        "cannot read the newest revision of csr-assistant",
        "TIME#2024-09-26 08:00:00, column Treatments",
    ];
    check_failed(&on_flag(&dir, "get", &[]), 5, &says);
    let says = [says[0], "--control too"];
    check_failed(&revise(&dir, "--percent 5"), 5, &says[1..]);
}
