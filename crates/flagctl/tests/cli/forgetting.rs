//! `forget`: what goes, what stays, and what is reported.

use std::process::Stdio;

use serde_json::json as value;
use tempfile::TempDir;

use crate::administering::{logged, on_log, rows};
use crate::world::{Stage, log, world};
use crate::*;

fn forget(dir: &TempDir, args: &[&str]) -> Output {
    let forget = ["forget", "--project=csr-assistant", "-ojson"];
    let mut command = command(&dir.path().join("flag-data"), &[&forget, args].concat());
    command.stdin(Stdio::null()).output().unwrap()
}

fn exposures(dir: &TempDir) -> usize {
    logged(&dir.path().join("flag-data")).len()
}

#[test]
fn an_instance_is_shown_and_deleted_only_when_that_is_said() {
    let dir = world(Stage::InUse);
    let flags = rows(&dir.path().join("flag-data"));
    let expected = value!([{"flag_type": "feature", "name": NAME, "count": 1}]);
    let dry = json(&forget(&dir, &["A12345", "--dry-run"]));
    assert_eq!(
        (&dry["exposures"], &dry["deleted"]),
        (&expected, &false.into())
    );
    let unsaid = forget(&dir, &["A12345"]);
    let says = ["deletes permanently:", "add --yes"];
    assert_eq!(unsaid.status.code(), Some(2), "{}", stderr(&unsaid));
    for part in says {
        assert!(stderr(&unsaid).contains(part), "{}", stderr(&unsaid));
    }
    assert_eq!(exposures(&dir), 2);
    let done = json(&forget(&dir, &["A12345", "--yes"]));
    assert_eq!(
        (&done["exposures"], &done["deleted"]),
        (&expected, &true.into())
    );
    assert_eq!(exposures(&dir), 1);
    let again = json(&forget(&dir, &["A12345"]));
    assert_eq!(
        (&again["exposures"], &again["deleted"]),
        (&value!([]), &false.into())
    );
    assert_eq!(rows(&dir.path().join("flag-data")), flags);
}

/// Whether a file of the store has the id.
fn names(dir: &TempDir, file: &str, id: &str) -> bool {
    let bytes = std::fs::read(dir.path().join("flag-data").join(file)).unwrap();
    bytes.windows(id.len()).any(|part| part == id.as_bytes())
}

#[test]
fn a_file_that_a_service_has_open_keeps_nothing_of_the_instance() {
    let dir = world(Stage::InUse);
    log(&dir.path().join("flag-data"), &["somebody-who-wants-to-go"]);
    assert!(names(&dir, "exposures.db", "somebody"));
    on_log(&dir.path().join("flag-data"), async |_service| {
        check_done(&forget(&dir, &["somebody-who-wants-to-go", "--yes"]));
        for file in ["exposures.db", "exposures.db-wal"] {
            assert!(!names(&dir, file, "somebody"), "{file}");
        }
    });
}

#[test]
fn a_project_of_which_there_is_nothing_is_no_place_to_forget_in() {
    let dir = world(Stage::InUse);
    let forget = ["forget", "A12345", "--project=csr-asistant", "--yes"];
    let forgotten = command(&dir.path().join("flag-data"), &forget);
    let forgotten = { forgotten }.output().unwrap();
    let says = ["csr-asistant has no rows", "did you mean csr-assistant?"];
    check_failed(&forgotten, 3, &says);
    assert_eq!(exposures(&dir), 2);
}

#[test]
fn an_id_that_a_key_spells_otherwise_is_forgotten() {
    let dir = world(Stage::InUse);
    check_done(&forget(&dir, &["B#2", "--yes"]));
    assert_eq!(exposures(&dir), 1);
}

#[test]
fn override_lists_are_reported_with_the_command_that_makes_one_without() {
    let dir = world(Stage::InUse);
    let told = json(&forget(&dir, &["A12345", "--dry-run"]));
    let listings = told["overrides"].as_array().unwrap();
    let in_force: Vec<bool> = listings
        .iter()
        .map(|of| of["is_in_force"].as_bool().unwrap())
        .collect();
    assert_eq!(in_force, [false, true]);
    assert_eq!(listings[0]["commands"], value!([]));
    assert_eq!(listings[1]["groups"], value!(["treatment_1"]));
    let typed = listings[1]["commands"][0].as_str().unwrap();
    let program = typed.replace("flagctl", env!("CARGO_BIN_EXE_flagctl"));
    let revised = Command::new("sh")
        .args(["-c", &program])
        .env("FLAG_DATA_DIR", dir.path().join("flag-data"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    check_done(&revised);
    let told = json(&forget(&dir, &["A12345", "--dry-run"]));
    let listings = told["overrides"].as_array().unwrap();
    assert_eq!(listings.len(), 2);
    assert!(listings.iter().all(|of| of["is_in_force"] == false));
    let nobody = forget(&dir, &["nobody"]);
    assert_eq!(json(&nobody)["overrides"], value!([]));
}

#[test]
fn a_revision_that_cannot_be_read_is_reported_as_one_that_may_list_anybody() {
    let dir = world(Stage::InUse);
    leave_behind_in(&dir.path().join("flag-data"), "2999-01-01 00:00:00", "[{");
    let told = forget(&dir, &["A12345", "--yes"]);
    assert_eq!(told.status.code(), Some(5), "{}", stderr(&told));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["deleted"], true);
    let unreadable = told["unreadable"][0].as_str().unwrap();
    assert!(unreadable.contains("TIME#2999-01-01"), "{unreadable}");
}

#[test]
fn an_instance_is_found_under_the_name_that_the_log_has_for_it() {
    let dir = world(Stage::InUse);
    // printf A12345 | openssl dgst -sha256 -hmac 'a key of 16 byte'
    let hashed = "a4ce10b4b7a531092e0f1c12dca084858567345754813ce6d19f69f1e3e0cdbd";
    log(&dir.path().join("flag-data"), &[hashed]);
    let forget = ["forget", "A12345", "--project=csr-assistant", "--yes"];
    let run = |key: &str| {
        let mut command = command(&dir.path().join("flag-data"), &forget);
        let variables = [
            ("FLAG_LOG_INSTANCE_ID", "hashed"),
            ("FLAG_LOG_INSTANCE_ID_KEY", key),
        ];
        command.envs(variables).output().unwrap()
    };
    check_failed(&run(""), 2, &["log-instance-id is hashed, but "]);
    check_done(&run("a key of 16 byte"));
    let left = logged(&dir.path().join("flag-data"));
    assert_eq!(left.len(), 1);
    assert!(left[0].key.windows(5).any(|part| part == b"B%232"));
}

#[test]
fn an_id_that_is_a_negative_number_needs_no_tip() {
    let dir = world(Stage::InUse);
    let store = dir.path().join("flag-data");
    log(&store, &["-5"]);
    let flag = ["csr-assistant", "feature", NAME];
    let explained = [&["explain"], &flag[..], &["-5"]].concat();
    check_done(&command(&store, &explained).output().unwrap());
    let one = [&flag[..], &["--instance", "-5"]].concat();
    let logged = [&["exposures", "-oname"], &one[..]].concat();
    let logged = command(&store, &logged).output().unwrap();
    assert_eq!(stdout(&logged).lines().count(), 1);
    let sql = [&["sql", "exposures"], &one[..]].concat();
    check_done(&command(&store, &sql).output().unwrap());
    let listed = [&["revise", "--comment=x", "--override", "-5"], &flag[..]].concat();
    check_done(&command(&store, &listed).output().unwrap());
    let forgotten = ["forget", "-5", "--project=csr-assistant", "--yes"];
    check_done(&command(&store, &forgotten).output().unwrap());
    assert_eq!(exposures(&dir), 2);
}

/// Runs a command that takes an id for an option, and gives what the tip says.
#[track_caller]
fn tip(dir: &TempDir, args: &[&str]) -> String {
    let refused = command(&dir.path().join("flag-data"), args)
        .output()
        .unwrap();
    check_failed(&refused, 2, &["unexpected argument"]);
    let tip = stderr(&refused)
        .lines()
        .find_map(|line| line.trim().strip_prefix("tip: "));
    tip.unwrap().to_owned()
}

#[test]
fn a_tip_for_an_id_that_begins_with_a_dash_works() {
    let dir = world(Stage::InUse);
    let store = dir.path().join("flag-data");
    log(&store, &["-abc"]);
    let said = tip(&dir, &["forget", "-abc", "--project=csr-assistant"]);
    assert_eq!(
        said,
        "to pass '-abc' as a value, put it last, after all options: '-- -abc'"
    );
    let said = tip(&dir, &["forget", "--", "-abc", "--project=csr-assistant"]);
    assert_eq!(
        said,
        "everything after `--` is a value: put the option --project=csr-assistant before it"
    );
    let flag = ["csr-assistant", "feature", NAME];
    let said = tip(
        &dir,
        &[&["exposures"], &flag[..], &["--instance", "-abc"]].concat(),
    );
    assert_eq!(
        said,
        "to pass '-abc' as the value of '--instance', use '--instance=-abc'"
    );
    let logged = [&["exposures", "--instance=-abc", "-oname"], &flag[..]].concat();
    assert_eq!(
        stdout(&command(&store, &logged).output().unwrap())
            .lines()
            .count(),
        1
    );
    let forgotten = ["forget", "--project=csr-assistant", "--yes", "--", "-abc"];
    check_done(&command(&store, &forgotten).output().unwrap());
    assert_eq!(exposures(&dir), 2);
    let said = tip(
        &dir,
        &["forget", "A", "--project=csr-assistant", "--dryrun"],
    );
    assert_eq!(said, "a similar argument exists: '--dry-run'");
}
