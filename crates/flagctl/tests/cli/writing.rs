//! `add` and `revise`: what is written, and what is refused.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::*;

#[test]
fn an_added_flag_is_there_with_what_it_is_for() {
    let dir = TempDir::new().unwrap();
    let options = [
        "--description=Multi-step API router",
        "--ticket=https://tickets.example.com/CSR-12",
        "--tag=api",
        "--tag=router",
        "--expires-on=9027-01-31",
        "--owner=bob",
        "-ojson",
    ];
    let added = json(&on_flag(&dir, "add", &options));
    let created = added["created"].as_str().unwrap();
    let key = format!(
        "PROJECT#csr-assistant#ROWTYPE#FLAG#FLAGTYPE#feature#FLAGNAME#{NAME}#TIME#{created}"
    );
    assert_eq!(added["row_key"], key.as_str());
    assert_eq!(added["cells"]["Tags"], r#"["api","router"]"#);
    let got = json(&on_flag(&dir, "get", &["-o", "json"]));
    let expected = json!({
        "project": "csr-assistant",
        "flag_type": "feature",
        "name": NAME,
        "metadata": {
            "created": created,
            "description": "Multi-step API router",
            "owner": "bob",
            "edited_by": "ann",
            "ticket": "https://tickets.example.com/CSR-12",
            "tags": ["api", "router"],
            "expires_on": "9027-01-31",
        },
        "revision": null,
    });
    assert_eq!(got, expected);
}

#[test]
fn cells_are_shown_as_written_to_those_who_ask() {
    let dir = with_revision();
    let revised = revise(&dir, "--percent 10 -v");
    check_done(&revised);
    let said = format!(
        "revised csr-assistant/feature/{NAME} to r2: 10 % get true, others false (embedded store in {})\n\
         row key        PROJECT#csr-assistant#ROWTYPE#REVISION#",
        dir.path().display()
    );
    assert!(stdout(&revised).starts_with(&said), "{}", stdout(&revised));
    assert!(
        stdout(&revised).contains("\nControlValue   false\n"),
        "{}",
        stdout(&revised)
    );
    let brief = revise(&dir, "--percent 20");
    assert_eq!(stdout(&brief).lines().count(), 1, "{}", stdout(&brief));
    let number = json(&revise(&dir, "--percent 30 -ojson"))["number"].take();
    assert_eq!(number, 4);
    let retire = ["--value=true", "-m", "done", "-v"];
    let retired = on_flag(&dir, "retire", &retire);
    check_done(&retired);
    assert!(
        stderr(&retired).contains("\nrow key "),
        "{}",
        stderr(&retired)
    );
}

#[test]
fn a_flag_is_added_once() {
    let dir = TempDir::new().unwrap();
    let added = add(&dir);
    check_done(&added);
    let said = format!(
        "added csr-assistant/feature/{NAME}: Multi-step API router (embedded store in {})\n",
        dir.path().display()
    );
    assert_eq!(
        (stdout(&added), stderr(&added).contains("added ")),
        (&*said, false)
    );
    check_failed(
        &add(&dir),
        4,
        &[
            "has been added already, its newest metadata is of 20",
            "`flagctl revise`",
        ],
    );
}

#[test]
fn a_new_flag_has_a_name_in_snake_case_and_a_description() {
    let dir = TempDir::new().unwrap();
    let add = |name, description| {
        let args = [
            "add",
            "csr-assistant",
            "feature",
            name,
            "--description",
            description,
        ];
        flagctl(&dir, &args)
    };
    let says = "error: flag name: found \"Router\", expected snake_case";
    check_failed(&add("Router", "x"), 5, &[says]);
    let says = "error: Description: found \"\", expected some text";
    check_failed(&add("router", ""), 5, &[says]);
}

#[test]
fn a_flag_that_the_reference_left_may_be_added() {
    let dir = TempDir::new().unwrap();
    leave_behind(&dir, "2024-09-25 18:50:00.000001", "[]");
    check_done(&add(&dir));
    check_failed(&add(&dir), 4, &[]);
}

#[test]
fn a_rollout_grows_step_by_step() {
    let dir = with_revision();
    check_done(&revise(&dir, "--percent 40 --override A12345"));
    let blue = "--treatment new --treatment-name blue --percent 12.5";
    check_done(&revise(&dir, blue));
    let revised = json(&revise(
        &dir,
        "--treatment 1 --percent 50 --owner bob -o json",
    ));
    assert_eq!(revised["cells"]["OwnerID"], "bob");
    let got = json(&on_flag(&dir, "get", &["-o", "json"]));
    let expected = json!({
        "created": revised["created"],
        "format_version": 2,
        "hash_algorithm": "md5",
        "salt": NAME,
        "control": false,
        "treatments": [
            {
                "group": "treatment_1",
                "percent": 50,
                "value": true,
                "overrides": ["A12345"],
                "ranges": [[0, 40_000], [52_500, 62_500]],
            },
            {
                "group": "blue",
                "percent": 12.5,
                "value": true,
                "overrides": [],
                "ranges": [[40_000, 52_500]],
            },
        ],
        "comment": "why",
        "owner": "bob",
        "rollback_of": null,
        "number": 4,
    });
    assert_eq!(got["revision"], expected);
}

#[test]
fn a_flag_of_the_reference_keeps_version_1() {
    let dir = TempDir::new().unwrap();
    let treatments = "[{'OverrideList': ['A12345'], 'PercentRollout': 40, 'Value': True}]";
    leave_behind(&dir, "2024-09-25 19:15:28.248896", treatments);
    let says = ["--percent 12.5 needs FormatVersion 2", "--resalt"];
    check_failed(&revise(&dir, "--percent 12.5"), 2, &says);
    let cells = json(&revise(&dir, "--percent 60 -o json"))["cells"].take();
    assert_eq!(cells["FormatVersion"], "1");
    assert_eq!(
        cells["Treatments"],
        "[{'OverrideList': ['A12345'], 'PercentRollout': 60, 'Value': True}]"
    );
    let got = json(&on_flag(&dir, "get", &["-ojson"]));
    assert_eq!(got["metadata"], Value::Null);
    assert_eq!(got["revision"]["salt"], Value::Null);
    assert_eq!(
        got["revision"]["treatments"][0]["ranges"],
        json!([[0, 60_000]])
    );
    let resalted = json(&revise(
        &dir,
        &format!("--percent 12.5 --resalt --yes-i-mean {NAME} -o json"),
    ));
    assert_eq!(resalted["cells"]["Salt"], NAME);
}

#[test]
fn what_no_flag_can_hold_is_refused() {
    let dir = with_revision();
    let says =
        "error: Rollout percentage: 140 is invalid. Value should be a number in range [0, 100]";
    check_failed(&revise(&dir, "--percent 140"), 5, &[says]);
    let says = "error: Rollout percentage: -1 is invalid.";
    check_failed(&revise(&dir, "--percent -1"), 5, &[says]);
    check_done(&revise(&dir, "--percent 60 --override A"));
    let says = [
        "error: Rollout percentage: 101 is invalid.",
        "three decimals. 101 is the total of all treatments.\n",
    ];
    check_failed(&revise(&dir, "--treatment new --percent 41"), 5, &says);
}

#[test]
fn what_does_not_fit_the_flag_is_a_mistake() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    check_failed(&revise(&dir, "--percent 40"), 2, &["--control is required"]);
    check_done(&revise(&dir, "--control false --percent 40"));
    let both = revise(&dir, "--remove-treatment --percent 1");
    check_failed(&both, 2, &["'--remove-treatment' cannot be used with"]);
}

/// In every command, so that a script can be run again.
#[test]
fn a_change_that_changes_nothing_is_a_success_that_writes_nothing() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    check_done(&revise(&dir, "--control false --percent 40"));
    let before = administering::rows(dir.path());
    let file = files::export(&dir, "yaml");
    for output in [
        revise(&dir, "--percent 40"),
        on_flag(&dir, "update", &["--description", "Multi-step API router"]),
        on_flag(&dir, "rollback", &["--to", "r1"]),
    ] {
        check_done(&output);
        assert!(
            stderr(&output).starts_with("nothing changes: "),
            "{}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "");
    }
    check_done(&files::apply(&dir, &file, &[]));
    assert_eq!(administering::rows(dir.path()), before);
}

#[test]
fn a_change_of_an_older_revision_is_a_conflict_that_shows_both() {
    let dir = with_revision();
    let first = json(&on_flag(&dir, "get", &["-ojson"]))["revision"]["created"].take();
    let first = first.as_str().unwrap();
    let from_first = |percent| {
        let options = ["--comment=late", percent, "--from-revision", first];
        on_flag(&dir, "revise", &options)
    };
    check_done(&from_first("--percent=40"));
    let conflict = from_first("--percent=60");
    let says = format!("started from {first}, but the newest is 20");
    check_failed(&conflict, 4, &[&says]);
    let lines: Vec<&str> = stderr(&conflict).lines().collect();
    assert!(lines[1].starts_with("REV  CREATED "));
    assert!(lines[2].contains(" treatment_1 40 % true "));
    assert!(lines[3].starts_with("r1 "));
}
