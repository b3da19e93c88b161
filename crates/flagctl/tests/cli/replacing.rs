//! Ways out of what cannot be read, and to flags with odd names.

use std::fs;

use crate::administering::write;
use crate::*;

/// Nothing is written, after the change was shown.
#[track_caller]
fn check_unconfirmed(output: &Output) {
    assert_eq!(output.status.code(), Some(2), "{}", stderr(output));
    let says = "error: the revision in force cannot be read, so what changes is not known";
    assert!(stderr(output).contains(says), "{}", stderr(output));
}

const BROKEN: &str = "[{'PercentRollout': 140, 'Value': True}]";

/// A store whose flag was revised twice, and then got a newest revision that cannot be read.
fn broken() -> TempDir {
    let dir = with_revision();
    check_done(&revise(&dir, "--percent 20"));
    leave_behind(&dir, &soon(), BROKEN);
    check_failed(&on_flag(&dir, "latest", &[]), 5, &["140 is invalid"]);
    dir
}

/// The percentages in force.
fn percents(dir: &TempDir) -> Vec<String> {
    let latest = json(&on_flag(dir, "latest", &["-ojson"]));
    let treatments = latest["revision"]["treatments"].as_array().unwrap().iter();
    treatments.map(|each| each["percent"].to_string()).collect()
}

fn run_config(dir: &TempDir, row_type: &str, cells: &str) -> Output {
    let config = serde_json::json!({
        "row_key_prefix_PROJECT": "csr-assistant",
        "row_key_prefix_ROWTYPE": row_type,
        "row_key_prefix_FLAGTYPE": "feature",
        "row_key_prefix_FLAGNAME": NAME,
        "row_cell_value": cells,
        "add_new_feature_flag": row_type == "FLAG",
    });
    let file = dir.path().join("run-config.json");
    fs::write(&file, config.to_string()).unwrap();
    flagctl(dir, &["run-config", "-f", file.to_str().unwrap()])
}

#[test]
fn a_run_configuration_that_is_too_large_is_refused() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("run-config.json");
    // Sparse.
    fs::File::create(&file).unwrap().set_len(64 << 20).unwrap();
    let refused = flagctl(&dir, &["run-config", "-f", file.to_str().unwrap()]);
    check_failed(
        &refused,
        5,
        &["found 67108864 bytes or more, expected fewer"],
    );
}

/// A flag of version 1 at 20 %.
fn at_20_percent() -> TempDir {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    check_done(&revise(
        &dir,
        "--control false --percent 20 --format-version 1",
    ));
    dir
}

const LEFT_OUT: &str = "the treatments in force are removed, as they are left out";

#[test]
fn a_run_configuration_takes_treatments_away_only_if_it_says_so() {
    let dir = at_20_percent();
    let cells = |treatments: &str| {
        format!("{{'FormatVersion': 1, 'ControlValue': False, 'Comment': 'why'{treatments}}}")
    };
    for treatments in ["", ", 'Treatments': None", ", 'Treatments': ''"] {
        let refused = run_config(&dir, "REVISION", &cells(treatments));
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        for says in [
            LEFT_OUT,
            "everybody gets the control value",
            "[]",
            "add --yes-i-mean",
        ] {
            assert!(stderr(&refused).contains(says), "{}", stderr(&refused));
        }
    }
    assert_eq!(percents(&dir), ["20"]);
    check_done(&run_config(&dir, "REVISION", &cells(", 'Treatments': []")));
    assert_eq!(percents(&dir), [""; 0]);
    let nothing_to_take = run_config(&dir, "REVISION", &cells(""));
    check_done(&nothing_to_take);
    let says = "warning: Treatments is missing: everybody gets the control value\n";
    assert!(stderr(&nothing_to_take).contains(says));
}

#[test]
fn a_run_configuration_without_treatments_replaces_what_cannot_be_read_only_by_name() {
    let dir = broken();
    let cells = "{'FormatVersion': 2, 'HashAlgorithm': 'md5', 'Salt': 'multi_step_api_router', \
        'ControlValue': False, 'Comment': 'why'}";
    let refused = run_config(&dir, "REVISION", cells);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains(LEFT_OUT), "{}", stderr(&refused));
}

#[test]
fn a_file_takes_treatments_away_only_if_it_says_so() {
    let dir = at_20_percent();
    let file = dir.path().join("flags.yaml");
    let apply = |treatments: &str, options: &[&str]| {
        let text = format!(
            "file_version: 1\nproject: csr-assistant\nflags:\n- flag_type: feature\n  name: {NAME}\n  revision:\n    control: false\n{treatments}"
        );
        fs::write(&file, text).unwrap();
        let command = ["apply", "-f", file.to_str().unwrap(), "--yes"];
        flagctl(&dir, &[&command, options].concat())
    };
    for left_out in ["", "    treatments:\n"] {
        let refused = apply(left_out, &[]);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains(LEFT_OUT), "{}", stderr(&refused));
    }
    assert_eq!(percents(&dir), ["20"]);
    check_done(&apply("    treatments: []\n", &[]));
    assert_eq!(percents(&dir), [""; 0]);
    check_done(&apply("", &[]));
}

#[test]
fn a_run_configuration_replaces_a_revision_that_cannot_be_read() {
    let dir = broken();
    let cells = "{'FormatVersion': 1, 'ControlValue': False, 'Comment': 'Back', 'Treatments': [{'PercentRollout': 5, 'Value': True}]}";
    let replaced = run_config(&dir, "REVISION", cells);
    check_done(&replaced);
    let says =
        "warning: the revision that this replaces cannot be read: row PROJECT#csr-assistant#";
    assert!(stderr(&replaced).contains(says), "{}", stderr(&replaced));
    assert_eq!(percents(&dir), ["5"]);
}

#[test]
fn a_revision_of_all_that_is_said_replaces_one_that_cannot_be_read() {
    let dir = broken();
    check_failed(
        &revise(&dir, "--percent 30"),
        5,
        &[
            "give every option of the next one, --control too",
            "140 is invalid",
        ],
    );
    check_unconfirmed(&revise(&dir, "--control false --percent 30"));
    check_done(&revise(
        &dir,
        &format!("--control false --percent 30 --yes-i-mean {NAME}"),
    ));
    assert_eq!(percents(&dir), ["30"]);
    assert_eq!(placing(&dir).0, 1, "as the row says that was replaced");
}

#[test]
fn a_version_that_cannot_be_read_is_that_of_the_revision_before() {
    let dir = with_revision();
    check_done(&revise(
        &dir,
        "--resalt other --yes-i-mean multi_step_api_router",
    ));
    let mut row = left_behind(&soon(), "[]");
    row.cells.set("FormatVersion", "9");
    write(dir.path(), row);
    let typed = format!("--control false --percent 30 --yes-i-mean {NAME}");
    check_done(&revise(&dir, &typed));
    let latest = json(&on_flag(&dir, "latest", &["-ojson"]));
    assert_eq!(latest["revision"]["salt"], "other");
}

/// A store whose only revision was written by the Python framework, with these cells in addition, and cannot be read.
fn only_broken(cells: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    let mut row = left_behind("2024-09-25 19:15:28", "[]");
    for (column, cell) in cells {
        row.cells.set(column, *cell);
    }
    write(dir.path(), row);
    check_failed(&on_flag(&dir, "latest", &[]), 5, &["error"]);
    dir
}

/// Version and digest of the revision in force.
fn placing(dir: &TempDir) -> (Value, Value) {
    let latest = json(&on_flag(dir, "latest", &["-ojson"]));
    let mut revision = latest["revision"].clone();
    let version = revision["format_version"].take();
    (version, revision["hash_algorithm"].take())
}

#[test]
fn what_cannot_be_read_is_replaced_in_the_version_that_it_tells() {
    let typed = format!("--control false --percent 40 --yes-i-mean {NAME}");
    let sha256: &[_] = &[("Treatments", BROKEN), ("HashAlgorithm", "sha256")];
    for (cells, digest) in [
        (&[("Treatments", BROKEN)][..], None),
        (&[("ControlValue", "maybe")], None),
        (&[("Type", "DATA")], None),
        (&[("Treatments", BROKEN), ("FormatVersion", "")], None),
        (sha256, Some("sha256")),
    ] {
        let dir = only_broken(cells);
        check_done(&revise(&dir, &typed));
        assert_eq!(placing(&dir), (1.into(), digest.into()), "{cells:?}");
    }
    let dir = only_broken(&[("FormatVersion", "9")]);
    check_failed(&revise(&dir, &typed), 2, &["--format-version is required"]);
    check_done(&revise(&dir, &format!("{typed} --format-version 1")));
    assert_eq!(placing(&dir).0, 1);
}

#[test]
fn a_file_replaces_what_cannot_be_read_in_the_version_that_it_tells() {
    let dir = only_broken(&[("Treatments", BROKEN), ("HashAlgorithm", "sha256")]);
    let file = dir.path().join("flags.yaml");
    let text = format!(
        "file_version: 1\nproject: csr-assistant\nflags:\n- flag_type: feature\n  name: {NAME}\n  revision:\n    control: false\n    treatments: [{{percent: 7, value: true}}]\n"
    );
    fs::write(&file, text).unwrap();
    let apply = ["apply", "-f", file.to_str().unwrap(), "--yes-i-mean", NAME];
    check_done(&flagctl(&dir, &apply));
    assert_eq!(placing(&dir), (1.into(), "sha256".into()));
}

#[test]
fn a_rollback_passes_over_what_cannot_be_read() {
    let dir = broken();
    let older = json(&on_flag(&dir, "history", &["-ojson"]))["revisions"][1]["created"].take();
    leave_behind(
        &dir,
        &SystemClock
            .now()
            .saturating_add(Duration::from_secs(30))
            .to_string(),
        BROKEN,
    );
    check_done(&on_flag(&dir, "rollback", &["--yes-i-mean", NAME]));
    assert_eq!(percents(&dir), ["20"]);
    let latest = json(&on_flag(&dir, "latest", &["-ojson"]));
    assert_eq!(latest["revision"]["rollback_of"], older);
}

#[test]
fn a_file_replaces_a_revision_that_cannot_be_read() {
    let dir = broken();
    let file = dir.path().join("flags.yaml");
    let text = format!(
        "file_version: 1\nproject: csr-assistant\nflags:\n- flag_type: feature\n  name: {NAME}\n  revision:\n    format_version: 2\n    control: false\n    treatments: [{{percent: 7, value: true}}]\n"
    );
    fs::write(&file, text).unwrap();
    let apply = |more: &[&str]| {
        flagctl(
            &dir,
            &[&["apply", "-f", file.to_str().unwrap()], more].concat(),
        )
    };
    check_unconfirmed(&apply(&[]));
    check_done(&apply(&["--yes-i-mean", NAME]));
    assert_eq!(percents(&dir), ["7"]);
}

#[test]
fn metadata_that_cannot_be_read_is_replaced() {
    let dir = with_revision();
    let key = format!("PROJECT#csr-assistant#ROWTYPE#FLAG#FLAGTYPE#feature#FLAGNAME#{NAME}#TIME#");
    let break_it = || {
        let cells = Cells::default()
            .with("Name", "other")
            .with("Description", "x");
        let key = format!("{key}{}", SystemClock.now()).into();
        write(dir.path(), Row { key, cells });
        let got = on_flag(&dir, "get", &[]);
        assert_eq!(got.status.code(), Some(5));
        assert!(stderr(&got).contains("column Name"), "{}", stderr(&got));
    };
    break_it();
    check_failed(
        &on_flag(&dir, "update", &["--ticket=x"]),
        2,
        &["--description too"],
    );
    check_done(&on_flag(&dir, "update", &["--description=New"]));
    break_it();
    check_done(&run_config(&dir, "FLAG", "{'Description': 'Newer'}"));
    let metadata = json(&on_flag(&dir, "get", &["-ojson"]))["metadata"].take();
    assert_eq!(metadata["description"], "Newer");
}

#[test]
fn whatever_is_served_is_listed_and_exported_and_what_cannot_be_read_is_named() {
    let dir = broken();
    let bare = left_behind("2024-09-25 19:15:28", "[]");
    for name in ["my flag", "_bare"] {
        let key = String::from_utf8(bare.key.clone())
            .unwrap()
            .replace(NAME, name);
        let cells = bare.cells.clone().with("Name", name);
        write(
            dir.path(),
            Row {
                key: key.into(),
                cells,
            },
        );
    }
    let foreign = String::from_utf8(bare.key.clone())
        .unwrap()
        .replace(NAME, "_bare");
    let foreign = foreign.replace("2024-09-25 19:15:28", "zzzz");
    write(
        dir.path(),
        Row {
            key: foreign.into(),
            cells: bare.cells,
        },
    );
    for args in [&["list"][..], &["list", "--with-latest"], &["export"]] {
        let output = flagctl(&dir, &[&args[..1], &["csr-assistant"], &args[1..]].concat());
        assert_eq!(output.status.code(), Some(5));
        for name in [NAME, "my flag", "_bare"] {
            assert!(stdout(&output).contains(name), "{}", stdout(&output));
        }
        let says = "error: row PROJECT#csr-assistant#ROWTYPE#REVISION#";
        assert!(stderr(&output).starts_with(says), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
}

#[test]
fn a_flag_that_is_served_without_metadata_gets_some_whatever_its_name() {
    let dir = TempDir::new().unwrap();
    let bare = left_behind("2024-09-25 19:15:28", "[]");
    let key = String::from_utf8(bare.key)
        .unwrap()
        .replace(NAME, "My flag");
    write(
        dir.path(),
        Row {
            key: key.into(),
            cells: bare.cells.with("Name", "My flag"),
        },
    );
    let on = |args: &[&str]| {
        let flag = ["csr-assistant", "feature", "My flag"];
        flagctl(&dir, &[&args[..1], &flag, &args[1..]].concat())
    };
    check_failed(
        &on(&["update", "--description=x"]),
        2,
        &["has no metadata yet: `flagctl add` adds it"],
    );
    check_done(&on(&["add", "--description=x"]));
    check_done(&on(&["update", "--description=y"]));
    check_done(&on(&["revise", "--percent=5", "--comment=x"]));
}

#[test]
fn a_new_flag_has_any_name_only_if_that_is_said() {
    let dir = TempDir::new().unwrap();
    let add = |more: &[&str]| {
        flagctl(
            &dir,
            &[
                &[
                    "add",
                    "csr-assistant",
                    "feature",
                    "My-Flag",
                    "--description=x",
                ],
                more,
            ]
            .concat(),
        )
    };
    check_failed(
        &add(&[]),
        5,
        &["expected snake_case: ", "; --any-name takes it as it is"],
    );
    check_done(&add(&["--any-name"]));
    let file = dir.path().join("flags.yaml");
    let exported = flagctl(&dir, &["export", "csr-assistant"]);
    fs::write(&file, stdout(&exported).replace("My-Flag", "Your-Flag")).unwrap();
    let apply = |more: &[&str]| {
        flagctl(
            &dir,
            &[&["apply", "-f", file.to_str().unwrap()], more].concat(),
        )
    };
    check_failed(
        &apply(&[]),
        5,
        &["expected snake_case: ", "; --any-name takes it as it is"],
    );
    check_done(&apply(&["--any-name"]));
}
