//! `flagctl import`: from an export of another system to flags of ours.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::*;

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/imports");
    folder.join(name).display().to_string()
}

fn import(dir: &TempDir, name: &str, options: &[&str]) -> Output {
    let file = fixture(name);
    flagctl(dir, &[&["import", &file, "-p", "shop"], options].concat())
}

/// The output of a command that left something out.
#[track_caller]
fn incomplete(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(9), "{}", stderr(output));
    stdout(output)
}

const PRODUCTION: [&str; 2] = ["--environment", "production"];

#[test]
fn the_flags_of_an_export_are_added_and_decide_the_same() {
    let dir = TempDir::new().unwrap();
    let plan = import(
        &dir,
        "launchdarkly.json",
        &[&PRODUCTION[..], &["--dry-run"]].concat(),
    );
    let total = "flags: 4 to add, 0 as in the store; left out: 6\n";
    assert_eq!(incomplete(&plan), total);
    for line in [
        "+ on                      12.5 % true\n",
        "page_size     its values are numbers\n",
        "the same share, other ids: ids are hashed differently  beta_search, greeting\n",
    ] {
        assert!(stderr(&plan).contains(line), "{line}{}", stderr(&plan));
    }
    assert!(!dir.path().join("flags.db").exists());

    let done = import(&dir, "launchdarkly.json", &PRODUCTION);
    assert_eq!(
        incomplete(&done),
        "flags: 4 added, 0 as in the store; left out: 6\n"
    );
    for (flag, id, value) in [
        ("shop/beta_search", "A12345", "true"),
        ("shop/beta_search", "B1", "false"),
        ("shop/greeting", "ann", "Hi"),
        ("shop/dark_mode", "anybody", "true"),
        ("shop/old_checkout", "A1", "false"),
    ] {
        let explained = flagctl(&dir, &["explain", flag, id, "-o", "jsonpath={.value}"]);
        check_done(&explained);
        assert_eq!(stdout(&explained), format!("{value}\n"), "{flag} {id}");
    }
    let got = json(&flagctl(&dir, &["get", "shop/beta_search", "-ojson"]));
    assert_eq!(got["metadata"]["owner"], "ann@example.com");
    assert_eq!(got["revision"]["comment"], "Imported from LaunchDarkly");
}

#[test]
fn an_import_changes_no_flag_of_the_store() {
    let dir = TempDir::new().unwrap();
    incomplete(&import(&dir, "launchdarkly.json", &PRODUCTION));
    let again = import(&dir, "launchdarkly.json", &PRODUCTION);
    assert_eq!(
        incomplete(&again),
        "flags: 0 to add, 4 as in the store; left out: 6\n"
    );
    check_done(&flagctl(&dir, &["revise", "shop/dark_mode", "50%"]));
    let before = stdout(&flagctl(&dir, &["export", "shop"])).to_owned();
    let other = import(&dir, "launchdarkly.json", &PRODUCTION);
    assert_eq!(
        incomplete(&other),
        "flags: 0 to add, 3 as in the store; left out: 7\n"
    );
    let says = "dark_mode     the store has a feature flag of this name that says something else; import changes none\n";
    assert!(stderr(&other).contains(says), "{}", stderr(&other));
    assert_eq!(stdout(&flagctl(&dir, &["export", "shop"])), before);
}

#[test]
fn an_import_as_a_flag_file_is_what_apply_applies() {
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let written = import(&dir, "flipt.yaml", &["-o", "yaml"]);
    let file: PathBuf = dir.path().join("flags.yaml");
    std::fs::write(&file, incomplete(&written)).unwrap();
    assert!(!stdout(&written).contains("exported_from"));
    let names = ["--yes-i-mean=dark_mode"];
    let apply = [
        "apply",
        "-f",
        file.to_str().unwrap(),
        "--comment=Imported from Flipt",
    ];
    check_done(&flagctl(&dir, &[&apply[..], &names].concat()));
    incomplete(&import(&other, "flipt.yaml", &[]));
    let list = |dir: &TempDir| {
        let list = ["list", "shop", "--with-latest", "-o"];
        let path = "jsonpath={range .flags[*]}{.name} {.revision.control} {.revision.treatments}{\"\\n\"}{end}";
        stdout(&flagctl(dir, &[&list[..], &[path]].concat())).to_owned()
    };
    assert_eq!(list(&dir), list(&other));
    assert!(list(&dir).contains("beta_search false [{\"group\":\"on\",\"percent\":12.5,"));
}

#[test]
fn the_result_for_programs_has_everything() {
    let dir = TempDir::new().unwrap();
    let output = import(&dir, "flagsmith.json", &["--dry-run", "-ojson"]);
    let result: Value = serde_json::from_str(incomplete(&output)).unwrap();
    assert_eq!(result["system"], "flagsmith");
    assert_eq!(result["written"], false);
    assert_eq!(result["added"].as_array().unwrap().len(), 5);
    let reason = serde_json::json!([{"flag": "page_size", "reason": "its value: the number 50"}]);
    assert_eq!(result["left_out"], reason);
    assert_eq!(result["notes"][0]["flag"], Value::Null);
    let names = import(&dir, "flagsmith.json", &["--dry-run", "-oname"]);
    assert_eq!(incomplete(&names).lines().count(), 5);
}

#[test]
fn an_export_that_can_be_carried_over_whole_ends_with_zero() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("flags.yaml");
    let goff = "a: {variations: {x: true, y: false}, defaultRule: {variation: x}}\n\
                New-Search: {variations: {x: true, y: false}, defaultRule: {variation: y}}\n";
    std::fs::write(&file, goff).unwrap();
    let import = ["import", file.to_str().unwrap(), "-p", "shop"];
    let unusual = flagctl(&dir, &[&import[..], &["--dry-run"]].concat());
    incomplete(&unusual);
    assert!(
        stderr(&unusual).contains("--any-name takes it as it is"),
        "{}",
        stderr(&unusual)
    );
    let done = flagctl(&dir, &[&import[..], &["--any-name"]].concat());
    check_done(&done);
    assert_eq!(
        stdout(&done),
        "flags: 2 added, 0 as in the store; left out: 0\n"
    );
}

#[test]
fn a_file_that_cannot_be_imported_is_refused_with_its_place() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("broken.json");
    std::fs::write(&file, "{\"features\": {\n  \"a\": {\"rules\": 3}}}").unwrap();
    let broken = flagctl(&dir, &["import", file.to_str().unwrap(), "-p", "shop"]);
    check_failed(
        &broken,
        5,
        &["broken.json, line 2, column 8: features.a.defaultValue: found nothing"],
    );
    let several = import(&dir, "launchdarkly.json", &[]);
    check_failed(&several, 2, &["--environment names one: production, test"]);
    let missing = flagctl(&dir, &["import", "nowhere.json", "-p", "shop"]);
    check_failed(&missing, 1, &["cannot read nowhere.json"]);
}

#[test]
fn a_flag_that_is_left_out_takes_no_note_from_the_one_of_the_other_type() {
    let dir = TempDir::new().unwrap();
    let flag = "shop/feature/greeting";
    check_done(&flagctl(&dir, &["add", flag, "--description=How to greet"]));
    check_done(&flagctl(&dir, &["revise", flag, "50%"]));
    let output = import(&dir, "unleash.json", &["--dry-run", "-ojson"]);
    let result: Value = serde_json::from_str(incomplete(&output)).unwrap();
    let of_greeting = |list: &Value| {
        let list = list.as_array().unwrap().iter();
        let list = list.filter(|of| of["flag"] == "greeting" || of["name"] == "greeting");
        list.cloned().collect::<Vec<_>>()
    };
    let added = of_greeting(&result["added"]);
    assert_eq!((added.len(), &added[0]["flag_type"]), (1, &"data".into()));
    let [left_out] = &of_greeting(&result["left_out"])[..] else {
        panic!("{result}");
    };
    let reason = left_out["reason"].as_str().unwrap();
    assert!(reason.contains("a feature flag of this name"), "{reason}");
    let [note] = &of_greeting(&result["notes"])[..] else {
        panic!("{result}");
    };
    let share = "the same share, other ids: ids are hashed differently";
    assert_eq!(note["note"], share);
}
