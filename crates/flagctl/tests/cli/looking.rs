//! `latest`, `list`, `diff`, `explain`, `exposures`, `sql`, `completions`, and metadata through time.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{MADE, Stage, world};
use crate::*;

fn at(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("flag-data")
}

fn on_router(dir: &TempDir, subcommand: &str, options: &[&str]) -> Output {
    let flag = [subcommand, "csr-assistant", "feature", NAME];
    command(&at(dir), &[&flag, options].concat())
        .output()
        .unwrap()
}

fn run(dir: &TempDir, args: &[&str]) -> Output {
    command(&at(dir), args).output().unwrap()
}

#[test]
fn the_latest_revision_stands_alone() {
    let dir = world(Stage::InUse);
    let latest = json(&on_router(&dir, "latest", &["-o", "json"]));
    assert_eq!(latest["revision"]["created"], "2024-10-02 08:00:00.500000");
    assert_eq!(latest.as_object().unwrap().len(), 4);
    let dir = world(Stage::Added);
    let says = "error: csr-assistant/feature/multi_step_api_router has no revision yet\n";
    check_failed(&on_router(&dir, "latest", &[]), 3, &[says]);
    let says = "did you mean data greeting?";
    let typed = ["latest", "csr-assistant", "feature", "greetings"];
    check_failed(&run(&dir, &typed), 3, &[says]);
}

#[test]
fn a_list_holds_every_flag_of_the_project() {
    let dir = world(Stage::InUse);
    let list = |options: &[&str]| {
        json(&run(
            &dir,
            &[&["list", "csr-assistant", "-ojson"], options].concat(),
        ))
    };
    let with_latest = list(&["--with-latest"]);
    let names: Vec<&Value> = (with_latest["flags"].as_array().unwrap().iter())
        .map(|flag| &flag["name"])
        .collect();
    assert_eq!(names, ["multi_step_api_router", "greeting"]);
    let created = &with_latest["flags"][0]["revision"]["created"];
    assert_eq!(created, "2024-10-02 08:00:00.500000");
    let alone = list(&[]);
    assert_eq!(alone["flags"][0].get("revision"), None);
    assert_eq!(alone["flags"][1]["metadata"]["description"], "How to greet");
}

#[test]
fn a_flag_that_has_nothing_but_revisions_is_listed() {
    let dir = TempDir::new().unwrap();
    leave_behind(&dir, MADE[1], "[{");
    let list = |options: &[&str]| flagctl(&dir, &[&["list", "csr-assistant"], options].concat());
    let table = list(&["--with-latest"]);
    assert_eq!(table.status.code(), Some(5));
    let says = "error: row PROJECT#csr-assistant#";
    assert!(stderr(&table).starts_with(says), "{}", stderr(&table));
    assert!(stdout(&table).contains("unreadable: row PROJECT#csr-assistant#"));
    let names = list(&["-oname"]);
    assert_eq!(
        (names.status.code(), stdout(&names)),
        (Some(5), &*format!("{NAME}\n"))
    );
    let list = list(&["--with-latest", "-ojson"]);
    assert_eq!(list.status.code(), Some(5));
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    let flag = &list["flags"][0];
    assert_eq!(flag["metadata"], Value::Null);
    assert_eq!(flag["revision"]["created"], "2024-10-01 08:00:00.000000");
    assert!(flag["revision"]["unreadable"].is_string());
}

#[test]
fn a_project_without_flags_is_reported_with_a_near_one() {
    let dir = world(Stage::Added);
    for command in ["list", "export"] {
        let unknown = run(&dir, &[command, "csr-asistant", "-ojson"]);
        let says = [
            "project csr-asistant has no rows in the ",
            ": did you mean csr-assistant?\n",
        ];
        check_failed(&unknown, 3, &says);
    }
    let doctor = run(&dir, &["doctor", "csr-asistant"]);
    assert_eq!(doctor.status.code(), Some(3), "{}", stdout(&doctor));
    let says = "project csr-asistant has no flags: did you mean csr-assistant?\n";
    let get = run(&dir, &["get", "csr-asistant", "feature", NAME]);
    check_failed(&get, 3, &[says]);
    let get = run(&dir, &["get", "something", "feature", NAME]);
    check_failed(&get, 3, &["; project something has no flags\n"]);
}

#[test]
fn a_diff_says_by_its_code_whether_two_revisions_decide_alike() {
    let dir = world(Stage::InUse);
    let differs = on_router(&dir, "diff", &[MADE[1], MADE[2]]);
    assert_eq!((differs.status.code(), stderr(&differs)), (Some(7), ""));
    let shown = stdout(&differs);
    let says = "\n~  treatment_1.percent    40                                60\n";
    assert!(shown.contains(says), "{shown}");
    assert!(
        shown.contains("\n   treatment_1.value      true  "),
        "{shown}"
    );
    assert!(
        shown.contains("they decide differently: 20 % of all instances"),
        "{shown}"
    );
    let same = on_router(&dir, "diff", &[MADE[1], MADE[1], "-o", "json"]);
    let same = json(&same);
    assert_eq!(
        (&same["decide_alike"], &same["changed"]["percent"]),
        (&json!(true), &json!(0))
    );
    let differs = on_router(&dir, "diff", &[MADE[1], MADE[2], "-o", "json"]);
    let differs: Value = serde_json::from_slice(&differs.stdout).unwrap();
    let changed = json!({"percent": 20, "between_treatments_percent": 0, "is_estimate": false});
    assert_eq!(differs["changed"], changed);
    let names = on_router(&dir, "diff", &[MADE[0], MADE[1], "-o", "name"]);
    let fields = ["percent", "value", "overrides", "ranges"];
    let fields = fields.map(|field| format!("treatment_1.{field}\n"));
    assert_eq!(stdout(&names), fields.concat());
}

/// The numbers of the revisions that are compared.
fn differing(dir: &TempDir, revisions: &[&str]) -> (Value, Value) {
    let diff = on_router(dir, "diff", &[revisions, &["-ojson"]].concat());
    let diff: Value = serde_json::from_slice(&diff.stdout).unwrap();
    (diff["from"]["number"].clone(), diff["to"]["number"].clone())
}

#[test]
fn a_diff_takes_numbers_distances_and_times_at_which_revisions_were_in_force() {
    let dir = world(Stage::InUse);
    for (revisions, expected) in [
        (&["r1", "r3"][..], (1, 3)),
        (&["~2", "~0"], (1, 3)),
        (&[], (2, 3)),
        (&["r1"], (1, 3)),
        (&["2024-10-01 08:00:01", MADE[2]], (2, 3)),
        (&["2024-09-25 19:15:28", "1h"], (1, 3)),
    ] {
        let (from, to) = expected;
        assert_eq!(
            differing(&dir, revisions),
            (json!(from), json!(to)),
            "{revisions:?}"
        );
    }
    let unknown = on_router(&dir, "diff", &["r4", "r1"]);
    check_failed(&unknown, 3, &["has no r4; its revisions are r1 to r3"]);
    let future = on_router(&dir, "diff", &["r1", "9999-01-01 00:00:00"]);
    check_failed(&future, 2, &["is in the future"]);
    check_failed(
        &on_router(&dir, "diff", &["r1", "xyz"]),
        2,
        &["`r7` or `~1`"],
    );
    let shown = on_router(&dir, "history", &[]);
    let numbers: Vec<&str> = stdout(&shown).lines().map(|line| &line[..2]).collect();
    assert_eq!(numbers, ["RE", "r3", "r2", "r1"]);
}

#[track_caller]
fn check_explained(options: &[&str], value: bool, group: &str, reason: &str, made: &str) {
    let dir = world(Stage::InUse);
    let explained = json(&on_router(
        &dir,
        "explain",
        &[options, &["-ojson"]].concat(),
    ));
    assert_eq!(explained["value"], value);
    assert_eq!(explained["rollout_group"], group);
    assert_eq!(explained["reason"], reason);
    assert_eq!(explained["bucket"].is_null(), reason == "override");
    assert_eq!(explained["revision"]["created"], made);
}

#[test]
fn a_decision_is_explained_now_and_at_any_instant() {
    let [first, second, third] = [
        MADE[0],
        "2024-10-01 08:00:00.000000",
        "2024-10-02 08:00:00.500000",
    ];
    check_explained(&["A12345"], true, "treatment_1", "override", third);
    let before_second = ["A12345", "--at", "2024-10-01 07:59:59.999999"];
    check_explained(&before_second, false, "control", "control", first);
    check_explained(
        &["A12345", "--at", second],
        true,
        "treatment_1",
        "override",
        second,
    );
    // Its bucket is 51,231 of 100,000.
    check_explained(
        &["user-30", "--at", second],
        false,
        "control",
        "control",
        second,
    );
    check_explained(&["user-30"], true, "treatment_1", "rollout", third);
}

#[test]
fn nothing_is_explained_before_the_first_revision_or_by_one_that_cannot_be_read() {
    let dir = world(Stage::InUse);
    let early = on_router(&dir, "explain", &["A12345", "--at", "2024-09-25 19:15:27"]);
    let says = "had no revision yet at 2024-09-25 19:15:27.000000; its first, r1, was made at 2024-09-25 19:15:28.248896";
    check_failed(&early, 3, &[says]);
    let future = on_router(&dir, "explain", &["A12345", "--at", "9999-01-01 00:00:00"]);
    check_failed(&future, 2, &["is in the future"]);
    check_failed(&on_router(&dir, "explain", &[""]), 5, &["instance id"]);
    let dir = TempDir::new().unwrap();
    leave_behind(&dir, MADE[0], "[]");
    leave_behind(&dir, MADE[1], "[{");
    let explain = |at| on_flag(&dir, "explain", &["A12345", "--at", at]);
    check_done(&explain(MADE[0]));
    let says = "cannot read the wanted revision of csr-assistant/feature/";
    check_failed(
        &explain("2025-01-01 00:00:00"),
        5,
        &[says, "column Treatments"],
    );
}

#[test]
fn exposures_are_shown_of_all_instances_and_of_one() {
    let dir = world(Stage::InUse);
    let all = json(&on_router(&dir, "exposures", &["-ojson"]));
    let instances: Vec<&Value> = (all["exposures"].as_array().unwrap().iter())
        .map(|exposure| &exposure["instance_id"])
        .collect();
    assert_eq!(instances, ["A12345", "B#2"]);
    let one = json(&on_router(
        &dir,
        "exposures",
        &["-ojson", "--instance", "B#2"],
    ));
    assert_eq!(one["exposures"].as_array().unwrap().len(), 1);
    assert_eq!(one["exposures"][0]["bucket"], "99000");
    let cut = on_router(&dir, "exposures", &["--limit", "1"]);
    check_done(&cut);
    assert_eq!(stdout(&cut).lines().count(), 2);
    assert!(stderr(&cut).contains("older exposures are not shown"));
    let none = on_router(&dir, "exposures", &["--instance", "C"]);
    check_done(&none);
    assert_eq!(stdout(&none), "");
    assert!(stderr(&none).starts_with("no logged exposure of "));
    let unknown = ["exposures", "csr-assistant", "data", NAME];
    check_failed(
        &run(&dir, &unknown),
        3,
        &["did you mean feature multi_step"],
    );
}

#[test]
fn sql_names_the_tables_that_are_set_and_opens_no_store() {
    let dir = TempDir::new().unwrap();
    let typed = ["sql", "latest", "csr-assistant", "feature", "router"];
    let tables = [
        "--flag-table=flags-{tenant}",
        "--tenant=acme",
        "--store=bogus",
    ];
    let latest = flagctl(&dir, &[&typed[..], &tables].concat());
    check_done(&latest);
    let statement = "SELECT * FROM `flags-acme`(WITH_HISTORY=>FALSE) WHERE _key LIKE \
        'PROJECT#csr-assistant#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#router#TIME#%' ORDER BY _key DESC LIMIT 1;\n";
    assert_eq!(stdout(&latest), statement);
    let log = [
        "sql",
        "exposures",
        "p",
        "data",
        "f",
        "--instance=A1",
        "--log-table=log",
    ];
    let log = flagctl(&dir, &log);
    assert!(
        stdout(&log).starts_with("SELECT * FROM `log`("),
        "{}",
        stderr(&log)
    );
    assert!(std::fs::read_dir(&dir).unwrap().next().is_none());
    let wrong = ["sql", "list", "p", "--flag-table=a b"];
    check_failed(
        &flagctl(&dir, &wrong),
        2,
        &["flag-table (command line): found \"a b\""],
    );
}

#[test]
fn completions_need_no_settings() {
    let dir = TempDir::new().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let completions = flagctl(&dir, &["completions", shell, "--store=bogus"]);
        check_done(&completions);
        let script = stdout(&completions);
        let is_generated = ["elvish", "powershell"].contains(&shell);
        let says = if is_generated {
            "with-latest"
        } else {
            "flagctl __complete"
        };
        assert!(script.contains(says), "{shell}");
    }
}

#[test]
fn metadata_has_a_history_too() {
    let dir = world(Stage::InUse);
    check_done(&on_router(
        &dir,
        "update",
        &["--description=Router of APIs"],
    ));
    let history = json(&on_router(&dir, "history", &["--metadata", "-ojson"]));
    let told: Vec<&Value> = (history["metadata"].as_array().unwrap().iter())
        .map(|metadata| &metadata["description"])
        .collect();
    assert_eq!(told, ["Router of APIs", "Multi-step API router"]);
    let cut = on_router(&dir, "history", &["--metadata", "--limit=1"]);
    assert!(
        stderr(&cut).contains("older metadata are not shown"),
        "{}",
        stderr(&cut)
    );
    let dir = TempDir::new().unwrap();
    leave_behind(&dir, MADE[0], "[]");
    let none = on_flag(&dir, "history", &["--metadata"]);
    check_done(&none);
    assert!(stderr(&none).ends_with("has no metadata\n"));
}
