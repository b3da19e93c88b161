//! Rollbacks walk back through what was in force, and never forth unasked.

use super::*;

/// A revision of version 1 over one that cannot be read.
const REPLACING: &str =
    "--control false --percent 5 --format-version 1 --yes-i-mean multi_step_api_router";

const AGAIN: &str = "what was rolled back comes into force again";

#[track_caller]
fn check_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
}

#[track_caller]
fn check_said(output: &Output, code: i32, says: &str) {
    check_code(output, code);
    assert!(stderr(output).contains(says), "{}", stderr(output));
}

/// A flag that was revised to each of these percentages.
fn revised(percents: &[u32]) -> TempDir {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    for percent in percents {
        check_done(&revise(
            &dir,
            &format!("--control false --percent {percent}"),
        ));
    }
    dir
}

fn percent(dir: &TempDir) -> String {
    json(&on_flag(dir, "get", &["-o", "json"]))["revision"]["treatments"][0]["percent"].to_string()
}

/// When the revisions were made, the newest first.
fn made(dir: &TempDir) -> Vec<String> {
    let names = on_flag(dir, "history", &["-o", "name"]);
    stdout(&names).lines().map(str::to_owned).collect()
}

#[test]
fn repeated_rollbacks_walk_back_and_never_forth() {
    let dir = revised(&[10, 20, 30]);
    for expected in ["20", "10"] {
        check_done(&on_flag(&dir, "rollback", &[]));
        assert_eq!(percent(&dir), expected);
    }
    let end = on_flag(&dir, "rollback", &[]);
    check_said(&end, 3, "there is nothing to roll back to");
    check_said(&end, 3, "no older revision of csr-assistant/feature/");
    check_said(&end, 3, "`--to REVISION`");
    assert_eq!((percent(&dir).as_str(), made(&dir).len()), ("10", 5));
}

#[test]
fn a_rollback_goes_past_what_was_rolled_back_before_it() {
    let dir = revised(&[10, 20, 30]);
    let [first, bad] = [2, 0].map(|at| made(&dir)[at].clone());
    check_done(&on_flag(&dir, "rollback", &[]));
    check_done(&revise(&dir, "--percent 25"));
    check_done(&on_flag(&dir, "rollback", &["--dry-run"]));
    check_done(&on_flag(&dir, "rollback", &["--steps", "2"]));
    let latest = json(&on_flag(&dir, "latest", &["-ojson"]));
    assert_eq!(latest["revision"]["rollback_of"], first.as_str());
    // Brought back by name it is in force as any other, and is what came before 40.
    check_said(&on_flag(&dir, "rollback", &["--to", &bad]), 2, AGAIN);
    let meant = ["--to", &bad, "--yes-i-mean", NAME];
    check_done(&on_flag(&dir, "rollback", &meant));
    check_done(&revise(&dir, "--percent 40"));
    for expected in ["30", "10"] {
        check_done(&on_flag(&dir, "rollback", &[]));
        assert_eq!(percent(&dir), expected);
    }
}

/// A person copies the row in force and changes what it decides; the next rollback takes exactly that back.
#[test]
fn a_pasted_row_of_a_rollback_is_none() {
    let dir = revised(&[10, 20, 30]);
    check_done(&on_flag(&dir, "rollback", &[]));
    let rows = administering::rows(dir.path());
    let mut copied = rows.iter().map(|row| &row.cells);
    let copied = copied.find(|cells| cells.get("RollbackOf").is_some());
    let copied = copied.unwrap().iter().map(|(column, cell)| {
        let [column, cell] = [column, cell].map(|text| str::from_utf8(text).unwrap());
        let changed = cell.replace(":20,", ":25,").replace("20000", "25000");
        (column.to_owned(), changed.into())
    });
    let cells = Value::Object(copied.collect());
    let config = serde_json::json!({
        "row_key_prefix_PROJECT": "csr-assistant",
        "row_key_prefix_ROWTYPE": "REVISION",
        "row_key_prefix_FLAGTYPE": "feature",
        "row_key_prefix_FLAGNAME": NAME,
        "row_cell_value": cells,
        "add_new_feature_flag": false,
    });
    let file = dir.path().join("run-config.json");
    std::fs::write(&file, config.to_string()).unwrap();
    let pasted = flagctl(&dir, &["run-config", "-f", file.to_str().unwrap()]);
    check_said(&pasted, 0, "warning: RollbackOf is left out");
    assert_eq!(percent(&dir), "25");
    check_done(&on_flag(&dir, "rollback", &[]));
    assert_eq!(percent(&dir), "20");
}

#[test]
fn a_row_that_is_no_copy_of_what_it_names_is_no_rollback() {
    for named in ["2020-01-01 00:00:00", "2024-09-25 10:00:00"] {
        let dir = TempDir::new().unwrap();
        check_done(&add(&dir));
        let treatments = |percent| format!("[{{'PercentRollout': {percent}, 'Value': True}}]");
        leave_behind(&dir, "2024-09-25 10:00:00", &treatments(10));
        leave_behind(&dir, "2024-09-26 10:00:00", &treatments(20));
        let mut row = left_behind("2024-09-27 10:00:00", &treatments(30));
        row.cells.set("RollbackOf", named);
        administering::write(dir.path(), row);
        check_done(&on_flag(&dir, "rollback", &[]));
        assert_eq!(percent(&dir), "20", "{named}");
    }
}

#[test]
fn a_rollback_to_what_is_in_force_says_that_nothing_changes() {
    let dir = revised(&[10, 20, 30]);
    check_done(&on_flag(&dir, "rollback", &[]));
    let [copy, original] = [0, 2].map(|at| made(&dir)[at].clone());
    for to in [copy, original] {
        let output = on_flag(&dir, "rollback", &["--to", &to, "--yes"]);
        check_said(&output, 0, "nothing changes");
        check_said(&output, 0, "already");
    }
    assert_eq!(made(&dir).len(), 4);
}

#[test]
fn a_rollback_skips_revisions_that_change_nothing_and_says_where_it_went() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    let treatments = |ids: &str, percent: u32| {
        format!("[{{'OverrideList': [{ids}], 'PercentRollout': {percent}, 'Value': True}}]")
    };
    for (time, ids, percent) in [
        ("2024-09-25 10:00:00", "'a', 'b'", 10),
        ("2024-09-26 10:00:00", "'a', 'b'", 20),
        ("2024-09-27 10:00:00", "'b', 'a'", 20),
        ("2024-09-28 10:00:00", "'a', 'b'", 30),
        ("2024-09-29 10:00:00", "'b', 'a'", 30),
    ] {
        leave_behind(&dir, time, &treatments(ids, percent));
    }
    let dry = on_flag(&dir, "rollback", &["--steps", "2", "--dry-run"]);
    check_said(&dry, 0, "30 % true    10 % true");
    let back = on_flag(&dir, "rollback", &[]);
    check_done(&back);
    let says = "rolled back csr-assistant/feature/multi_step_api_router to r3; now r";
    assert!(stdout(&back).starts_with(says), "{}", stdout(&back));
    assert_eq!(percent(&dir), "20");
    let equal = on_flag(&dir, "rollback", &["--to", "r2"]);
    check_said(&equal, 0, "nothing changes");
    let back = on_flag(&dir, "rollback", &[]);
    check_done(&back);
    assert!(stdout(&back).contains(" to r1; now r"), "{}", stdout(&back));
    check_said(
        &on_flag(&dir, "rollback", &[]),
        3,
        "there is nothing to roll back to",
    );
}

#[test]
fn a_rollback_goes_to_the_revision_that_was_in_force_at_a_time() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    leave_behind(&dir, "2024-09-25 10:00:00", "[]");
    let treatments = "[{'PercentRollout': 20, 'Value': True}]";
    leave_behind(&dir, "2024-09-27 10:00:00", treatments);
    let early = on_flag(&dir, "rollback", &["--to", "2024-09-24 09:00:00"]);
    check_said(
        &early,
        3,
        "had no revision yet at 2024-09-24 09:00:00.000000",
    );
    check_said(
        &early,
        3,
        "its first, r1, was made at 2024-09-25 10:00:00.000000",
    );
    let future = on_flag(&dir, "rollback", &["--to", "9999-01-01 00:00:00"]);
    check_said(&future, 2, "is in the future");
    let back = on_flag(&dir, "rollback", &["--to", "2024-09-26 09:00:00"]);
    check_done(&back);
    let says = "rolled back csr-assistant/feature/multi_step_api_router to r1; now r";
    assert!(stdout(&back).starts_with(says), "{}", stdout(&back));
    let latest = json(&on_flag(&dir, "latest", &["-ojson"]));
    assert_eq!(
        latest["revision"]["rollback_of"],
        "2024-09-25 10:00:00.000000"
    );
    assert_eq!(latest["revision"]["number"], 3);
}

#[test]
fn steps_say_how_many_there_are() {
    let dir = revised(&[10, 20, 30]);
    let far = on_flag(&dir, "rollback", &["--steps", "99"]);
    check_said(&far, 3, "2 revisions to go back to, not 99");
    for steps in ["0", "-1", "x"] {
        let none = on_flag(&dir, "rollback", &["--steps", steps]);
        check_said(&none, 2, "expected a whole number, 1 or more");
    }
    let only = revised(&[10]);
    let none = on_flag(&only, "rollback", &[]);
    check_said(&none, 3, "there is nothing to roll back to");
}

#[test]
fn a_rollback_says_what_it_passes_over() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    leave_behind(&dir, "2024-09-25 10:00:00", "[]");
    leave_behind(&dir, "2024-09-26 10:00:00", "[{'PercentRollout': 140}]");
    check_done(&revise(&dir, REPLACING));
    let output = on_flag(&dir, "rollback", &[]);
    let says = "the revision of 2024-09-26 10:00:00.000000 cannot be read and is skipped";
    check_said(&output, 0, says);
    let latest = json(&on_flag(&dir, "latest", &["-ojson"]));
    let of = &latest["revision"]["rollback_of"];
    assert_eq!(of, "2024-09-25 10:00:00.000000");
}

#[test]
fn a_rollback_to_what_cannot_be_read_says_so_and_what_to_do() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    leave_behind(&dir, "2024-09-26 10:00:00", "[{'PercentRollout': 140}]");
    check_done(&revise(&dir, REPLACING));
    let to = ["--to", "2024-09-26 10:00:00"];
    for options in [&[][..], &to] {
        let output = on_flag(&dir, "rollback", options);
        check_said(&output, 5, "cannot be read");
        for says in ["2024-09-26 10:00:00", "--to REVISION", "flagctl revise"] {
            check_said(&output, 5, says);
        }
    }
}
