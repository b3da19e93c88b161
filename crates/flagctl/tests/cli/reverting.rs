//! What a rollback copies, and what needs a confirmation by name.

use super::changing::{assert_code, percent, revisions, three_revisions};
use super::*;

#[test]
fn a_rollback_is_a_copy_of_the_revision_before() {
    let dir = three_revisions();
    let output = on_flag(&dir, "rollback", &[]);
    assert_code(&output, 0);
    assert!(
        stderr(&output).contains("30 % true  20 % true"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("10 % of all instances receive another value"));
    let all = revisions(&dir);
    assert_eq!(all.len(), 4);
    assert_eq!(all[0]["rollback_of"], all[2]["created"]);
    assert_eq!(
        (&all[0]["treatments"], &all[0]["salt"]),
        (&all[2]["treatments"], &all[2]["salt"])
    );
}

/// A treatment of 0 % is a change to who reads the revision, and to no instance.
#[test]
fn a_revision_that_changes_nothing_for_instances_says_so_and_is_no_step_of_a_rollback() {
    let dir = tempfile::tempdir().unwrap();
    add(&dir);
    assert_code(&revise(&dir, "--control false"), 0);
    let revised = revise(&dir, "--percent 0");
    let says = "\nnothing changes for any instance: the revision in force decides the same\n";
    assert!(stderr(&revised).contains(says), "{}", stderr(&revised));
    assert_code(&on_flag(&dir, "rollback", &[]), 3);
    assert_eq!(revisions(&dir).len(), 2);
}

#[test]
fn a_rollback_goes_back_by_steps_or_to_a_time() {
    let dir = three_revisions();
    assert_code(&on_flag(&dir, "rollback", &["--steps", "2"]), 0);
    assert_eq!(percent(&dir), "10");
    let second = revisions(&dir)[2]["created"].as_str().unwrap().to_owned();
    assert_code(
        &on_flag(
            &dir,
            "rollback",
            &[
                "--to",
                &second,
                "--comment",
                "to the second",
                "--yes-i-mean",
                NAME,
            ],
        ),
        0,
    );
    assert_eq!(percent(&dir), "20");
    let output = on_flag(&dir, "rollback", &["--steps", "99"]);
    assert_code(&output, 3);
    assert!(
        stderr(&output).contains("1 revision to go back to, not 99"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_was_rolled_back_comes_into_force_again_only_by_name() {
    let dir = three_revisions();
    let bad = revisions(&dir)[0]["created"].as_str().unwrap().to_owned();
    assert_code(&on_flag(&dir, "rollback", &[]), 0);
    let bad = ["--to", &bad];
    let output = on_flag(&dir, "rollback", &bad);
    assert_code(&output, 2);
    assert!(
        stderr(&output).contains("what was rolled back comes into force again"),
        "{}",
        stderr(&output)
    );
    assert_eq!(percent(&dir), "20");
    let meant = [&bad[..], &["--yes-i-mean", NAME]].concat();
    assert_code(&on_flag(&dir, "rollback", &meant), 0);
    assert_eq!(percent(&dir), "30");
}

/// A copy of a bad revision is as bad, however often it was rolled back and forth.
#[test]
fn a_copy_of_what_was_rolled_back_comes_into_force_again_only_by_name() {
    let dir = three_revisions();
    let bad = revisions(&dir)[0]["created"].as_str().unwrap().to_owned();
    assert_code(&on_flag(&dir, "rollback", &[]), 0);
    for (done, percent_then) in [("rollback --to", "30"), ("rollback", "20")] {
        let meant = ["--to", &bad, "--yes-i-mean", NAME];
        let options = if done == "rollback" { &[][..] } else { &meant };
        assert_code(&on_flag(&dir, "rollback", options), 0);
        assert_eq!(percent(&dir), percent_then);
    }
    let copy = revisions(&dir)[1]["created"].as_str().unwrap().to_owned();
    let again = on_flag(&dir, "rollback", &["--to", &copy]);
    assert_code(&again, 2);
    let says = "what was rolled back comes into force again";
    assert!(stderr(&again).contains(says), "{}", stderr(&again));
    assert_eq!(percent(&dir), "20");
}

/// Time alone brings it into force, over whatever was appended until then.
#[test]
fn what_a_row_ahead_of_the_clock_will_undo_is_written_only_by_name() {
    let dir = three_revisions();
    let ahead = SystemClock.now().saturating_add(Duration::from_hours(25));
    leave_behind(
        &dir,
        &ahead.to_string(),
        "[{'PercentRollout': 100, 'Value': True}]",
    );
    for output in [
        revise(&dir, "--percent 1"),
        on_flag(&dir, "rollback", &[]),
        on_flag(&dir, "history", &[]),
    ] {
        let says =
            format!("the revision of {ahead} is ahead of the clock and comes into force at ");
        assert!(stderr(&output).contains(&says), "{}", stderr(&output));
    }
    assert_code(&revise(&dir, "--percent 1"), 2);
    assert_eq!(percent(&dir), "30");
    assert_code(
        &revise(&dir, &format!("--percent 1 --yes-i-mean {NAME}")),
        0,
    );
    assert_eq!(percent(&dir), "1");
}

/// A revision in between doesn't hide that a rollback went past the target.
#[test]
fn a_revision_in_between_does_not_help() {
    let dir = three_revisions();
    let bad = revisions(&dir)[0]["created"].as_str().unwrap().to_owned();
    assert_code(&on_flag(&dir, "rollback", &[]), 0);
    assert_code(&revise(&dir, "--percent 5"), 0);
    assert_code(&on_flag(&dir, "rollback", &["--to", &bad]), 2);
    assert_eq!(percent(&dir), "5");
}

#[test]
fn a_revision_that_cannot_be_read_can_be_rolled_back() {
    let dir = three_revisions();
    leave_behind(&dir, &soon(), "[{'PercentRollout': 7x}]");
    let to = revisions(&dir)[1]["created"].as_str().unwrap().to_owned();
    assert_code(&on_flag(&dir, "get", &[]), 5);
    assert_code(&on_flag(&dir, "rollback", &["--to", &to]), 2);
    assert_code(
        &on_flag(&dir, "rollback", &["--to", &to, "--yes-i-mean", NAME]),
        0,
    );
    assert_eq!(percent(&dir), "30");
}
