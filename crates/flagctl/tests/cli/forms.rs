//! The forms of results: what all commands share.

use std::collections::BTreeSet;

use flag_store::ExposureLog as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{MADE, Stage, world};
use crate::*;

/// Command lines whose results have every field that there is.
fn reading() -> Vec<Vec<&'static str>> {
    let on_flag = |subcommand: &'static str, rest: &[&'static str]| {
        [&[subcommand, "csr-assistant", "feature", NAME], rest].concat()
    };
    vec![
        on_flag("get", &[]),
        on_flag("latest", &[]),
        on_flag("history", &[]),
        on_flag("history", &["--metadata"]),
        on_flag("diff", &[MADE[1], MADE[1]]),
        on_flag("explain", &["user-30"]),
        on_flag("exposures", &[]),
        vec!["list", "csr-assistant"],
        vec!["list", "csr-assistant", "--with-latest"],
        vec!["sql", "list", "csr-assistant"],
        vec!["init"],
        vec!["doctor"],
    ]
}

fn shown(dir: &TempDir, args: &[&str], form: &str) -> Output {
    let store = dir.path().join("flag-data");
    let output = command(&store, &[args, &["-o", form]].concat())
        .current_dir(dir)
        .output()
        .unwrap();
    check_done(&output);
    output
}

fn names(dir: &TempDir, args: &[&str]) -> Vec<String> {
    let output = shown(dir, args, "name");
    stdout(&output).lines().map(str::to_owned).collect()
}

/// What turns text around on a terminal, hides in it, or is a command to it.
const HOSTILE: &str = "a\u{9b}b\u{202e}c\u{61c}d\u{ad}e\u{e0041}f\u{1b}g";

/// Logs an exposure that has such a text in every cell that callers choose.
fn log_hostile(store: &Path) {
    let key = "PROJECT#csr-assistant#FLAGTYPE#data#FLAGNAME#greeting#INSTANCEID#x#REQUESTID#r#TIME#2026-11-01 00:00:00";
    let cells = [
        "InstanceID",
        "RequestID",
        "AssignedGroup",
        "AssignedValue",
        "Revision",
    ];
    let row = Row {
        key: format!("{key}{HOSTILE}").into(),
        cells: cells.into_iter().map(|column| (column, HOSTILE)).collect(),
    };
    crate::administering::on_log(store, async |log| {
        log.insert_if_absent(&row.into()).await.unwrap();
    });
}

#[test]
fn a_terminal_obeys_nothing_in_any_form() {
    let dir = world(Stage::InUse);
    let store = dir.path().join("flag-data");
    let control = format!("--control={HOSTILE}");
    let greeting = ["csr-assistant", "data", "greeting"];
    let on_greeting = |args: &[&str]| {
        let args = [&args[..1], &greeting, &args[1..]].concat();
        command(&store, &args).output().unwrap()
    };
    let comment = format!("--comment={HOSTILE}");
    let revised = on_greeting(&["revise", &control, &comment, "--yes-i-mean=greeting"]);
    check_done(&revised);
    let mut outputs = vec![revised];
    for form in ["table", "wide", "json", "yaml", "csv", "jsonpath={.}"] {
        for args in [
            &["get"][..],
            &["latest"],
            &["history"],
            &["explain", HOSTILE],
        ] {
            outputs.push(on_greeting(&[args, &["-o", form]].concat()));
        }
        let list = ["list", "csr-assistant", "--with-latest", "-o", form];
        outputs.push(command(&store, &list).output().unwrap());
    }
    for form in ["yaml", "json"] {
        let export = ["export", "csr-assistant", "-o", form];
        outputs.push(command(&store, &export).output().unwrap());
    }
    log_hostile(&store);
    for form in [
        "table",
        "wide",
        "json",
        "yaml",
        "name",
        "ndjson",
        "csv",
        "jsonpath={.}",
    ] {
        outputs.push(on_greeting(&["exposures", "-o", form]));
    }
    for form in ["table", "json", "yaml", "name"] {
        outputs.push(on_greeting(&["exposures", "--summary", "-o", form]));
    }
    outputs.push(on_greeting(&["exposures", "--since", HOSTILE]));
    outputs.push(on_greeting(&["get", HOSTILE]));
    outputs.push(on_greeting(&["explain", "A", "--at", HOSTILE]));
    outputs.push(command(&store, &["list", HOSTILE]).output().unwrap());
    for output in &outputs {
        for text in [stdout(output), stderr(output)] {
            let obeyed = |c: char| HOSTILE.contains(c) && !c.is_ascii_alphabetic();
            assert!(!text.contains(obeyed), "{text:?}");
        }
    }
    let value = json(&on_greeting(&["latest", "-ojson"]))["revision"]["control"].take();
    assert_eq!(value, HOSTILE);
    let yaml = on_greeting(&["latest", "-oyaml"]);
    let yaml: Value = serde_saphyr::from_str(stdout(&yaml)).unwrap();
    assert_eq!(yaml["revision"]["control"], HOSTILE);
    let file = dir.path().join("hostile.yaml");
    let exported = command(&store, &["export", "csr-assistant"])
        .output()
        .unwrap();
    std::fs::write(&file, &exported.stdout).unwrap();
    let check = ["apply", "--check", "-f", file.to_str().unwrap()];
    check_done(&command(&store, &check).output().unwrap());
}

#[test]
fn yaml_says_the_same_as_json() {
    let dir = world(Stage::InUse);
    // The doctor times the store anew each time.
    for args in reading()
        .into_iter()
        .filter(|args| args.first() != Some(&"doctor"))
    {
        let yaml = shown(&dir, &args, "yaml");
        let yaml: Value = serde_saphyr::from_str(stdout(&yaml)).unwrap();
        assert_eq!(yaml, json(&shown(&dir, &args, "json")), "{args:?}");
    }
}

#[test]
fn every_result_can_be_a_table_for_spreadsheets() {
    let dir = world(Stage::InUse);
    for args in reading() {
        let csv = shown(&dir, &args, "csv");
        let lines: Vec<&str> = stdout(&csv).split_terminator("\r\n").collect();
        assert!(lines.len() > 1, "{args:?}: {lines:?}");
    }
    let history = ["history", "csr-assistant", "feature", NAME];
    let csv = shown(&dir, &history, "csv");
    let lines: Vec<&str> = stdout(&csv).split_terminator("\r\n").collect();
    let header = "project,flag_type,name,created,number,format_version,hash_algorithm,salt,control,treatments,comment,owner,rollback_of";
    assert_eq!(lines[0], header);
    assert_eq!(
        lines[3],
        "csr-assistant,feature,multi_step_api_router,2024-09-25 19:15:28.248896,1,1,,,false,[],left behind,,"
    );
    assert_eq!(lines.len(), 4);
    let formula = [
        "update",
        "csr-assistant",
        "feature",
        NAME,
        "--description==1+1",
    ];
    let store = dir.path().join("flag-data");
    let formula = [&formula[..], &["-ocsv"]].concat();
    let formula = command(&store, &formula).output().unwrap();
    check_done(&formula);
    assert!(stdout(&formula).contains(",'=1+1,"), "{}", stdout(&formula));
    assert!(
        stderr(&formula).contains("1 cells begin with ="),
        "{}",
        stderr(&formula)
    );
}

#[test]
fn a_template_asks_for_fields_of_json() {
    let dir = world(Stage::InUse);
    let list = ["list", "csr-assistant"];
    let names = shown(&dir, &list, "jsonpath={.flags[*].name}");
    assert_eq!(stdout(&names), "multi_step_api_router greeting\n");
    let logged = ["exposures", "csr-assistant", "feature", NAME];
    let template = "jsonpath={range .exposures[*]}{.instance_id}={.value}{\"\\n\"}{end}";
    let logged = shown(&dir, &logged, template);
    assert_eq!(stdout(&logged), "A12345=false\nB#2=false\n");
    let store = dir.path().join("flag-data");
    let refused = |form: &str| {
        let args = ["list", "csr-assistant", "-o", form];
        command(&store, &args).output().unwrap()
    };
    let says = "-o jsonpath: there is no field nmae; did you mean name?";
    check_failed(&refused("jsonpath={.flags[*].nmae}"), 2, &[says]);
    check_failed(
        &refused("jsonpath={.flags[0:1]}"),
        2,
        &["expected .name, ['name'], [0] or [*]"],
    );
    check_failed(
        &refused("jsonpath"),
        2,
        &["possible values: table, wide, json, yaml, name, csv, jsonpath=TEMPLATE"],
    );
}

#[test]
fn a_wide_table_shortens_nothing() {
    let dir = world(Stage::InUse);
    let long = "A comment of more than sixty characters, which the usual table shortens at its end";
    let revise = [
        "revise",
        "csr-assistant",
        "data",
        "greeting",
        "-m",
        long,
        "--yes-i-mean=greeting",
        "--control=Hello",
    ];
    check_done(
        &command(&dir.path().join("flag-data"), &revise)
            .output()
            .unwrap(),
    );
    let history = ["history", "csr-assistant/greeting"];
    assert!(!stdout(&shown(&dir, &history, "table")).contains(long));
    let wide = shown(&dir, &history, "wide");
    assert!(stdout(&wide).contains(long), "{}", stdout(&wide));
    assert!(stdout(&wide).contains("  VERSION "), "{}", stdout(&wide));
    let list = ["list", "csr-assistant"];
    let wide = shown(&dir, &list, "wide");
    let flag = [&list[..], &["-w"]].concat();
    assert_eq!(stdout(&wide), stdout(&shown(&dir, &flag, "table")));
}

#[test]
fn names_stand_one_on_a_line() {
    let dir = world(Stage::InUse);
    let times = [
        "2024-10-02 08:00:00.500000",
        "2024-10-01 08:00:00.000000",
        "2024-09-25 19:15:28.248896",
    ];
    let log = "PROJECT#csr-assistant#FLAGTYPE#feature#FLAGNAME#multi_step_api_router#INSTANCEID#";
    let exposures = [
        "A12345#REQUESTID#request-of-6",
        "B%232#REQUESTID#request-of-3",
    ]
    .map(|id| format!("{log}{id}#TIME#2024-09-26 10:00:00.000000"));
    let flags = ["multi_step_api_router", "greeting"];
    let mut expected: Vec<Vec<String>> = [
        &[NAME][..],
        &times[..1],
        &times,
        &[],
        &[],
        &["treatment_1"],
        &[],
        &flags,
        &flags,
        &["csr_va_feature_flag_bigtable"],
    ]
    .iter()
    .map(|names| names.iter().map(ToString::to_string).collect())
    .collect();
    expected[6] = exposures.to_vec();
    for (args, expected) in reading().iter().zip(expected) {
        if args.contains(&"--metadata") {
            assert_eq!(names(&dir, args).len(), 1);
        } else {
            assert_eq!(names(&dir, args), expected, "{args:?}");
        }
    }
}

#[test]
fn the_name_of_what_was_written_is_its_row_key() {
    let dir = TempDir::new().unwrap();
    let added = on_flag(&dir, "add", &["--description=x", "--owner=bob", "-oname"]);
    check_done(&added);
    let key =
        format!("PROJECT#csr-assistant#ROWTYPE#FLAG#FLAGTYPE#feature#FLAGNAME#{NAME}#TIME#20");
    assert!(stdout(&added).starts_with(&key));
    assert_eq!(stdout(&added).lines().count(), 1);
    let revised = on_flag(
        &dir,
        "revise",
        &["--control=false", "--comment=x", "-oyaml"],
    );
    let revised: Value = serde_saphyr::from_str(stdout(&revised)).unwrap();
    assert_eq!(revised["cells"]["ControlValue"], "false");
}

/// The names of all fields, however deep, but for the columns of rows.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.insert(name.clone());
                if name != "cells" {
                    fields(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
        _ => {}
    }
}

#[test]
fn every_field_is_on_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/flagctl.md");
    let page = std::fs::read_to_string(page).unwrap();
    let dir = world(Stage::InUse);
    let mut found = BTreeSet::new();
    for args in reading() {
        fields(&json(&shown(&dir, &args, "json")), &mut found);
    }
    let update = ["update", "csr-assistant", "feature", NAME, "--tag=x"];
    fields(&json(&shown(&dir, &update, "json")), &mut found);
    let copy = [
        "copy",
        "csr-assistant",
        "--exposures",
        "--to=embedded:./copy",
    ];
    let copy = [&copy[..], &["--from=embedded:./flag-data"]].concat();
    fields(&json(&shown(&dir, &copy, "json")), &mut found);
    assert!(found.len() > 40, "{found:?}");
    let missing: Vec<&String> = (found.iter())
        .filter(|name| {
            !page.contains(&format!("`{name}`")) && !page.contains(&format!("[].{name}`"))
        })
        .collect();
    assert!(missing.is_empty(), "docs/flagctl.md lacks {missing:?}");
}

#[test]
fn a_terminal_is_shown_no_control_characters_and_others_no_colours() {
    let dir = TempDir::new().unwrap();
    check_done(&on_flag(&dir, "add", &["--description=\u{1b}[31mred"]));
    for form in ["table", "yaml", "json", "name"] {
        let output = on_flag(&dir, "get", &["-o", form]);
        assert!(!stdout(&output).contains('\u{1b}'), "{form}");
    }
}
