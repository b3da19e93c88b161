//! Run configurations of the Python framework's DAG.

use std::fs;

use super::changing::{assert_code, revisions};
use super::*;

pub(super) fn run_config(dir: &TempDir, config: &serde_json::Value) -> Output {
    let file = dir.path().join("run-config.json");
    fs::write(&file, config.to_string()).unwrap();
    flagctl(dir, &["run-config", "-f", file.to_str().unwrap()])
}

/// A run configuration that says what this flag is for.
pub(super) fn describing(name: &str, description: &str) -> serde_json::Value {
    serde_json::json!({
        "row_key_prefix_PROJECT": "csr-assistant",
        "row_key_prefix_ROWTYPE": "FLAG",
        "row_key_prefix_FLAGTYPE": "feature",
        "row_key_prefix_FLAGNAME": name,
        "row_cell_value": {"Name": name, "Type": "FEATURE", "Description": description},
        "add_new_feature_flag": true,
    })
}

#[test]
fn a_run_configuration_takes_any_name_that_the_reference_stored_and_warns() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["Beta", "my flag", "_a"] {
        let configured = run_config(&dir, &describing(name, "x"));
        check_done(&configured);
        let warning = format!("warning: flag name: found \"{name}\", expected ");
        assert!(
            stderr(&configured).contains(&warning),
            "{}",
            stderr(&configured)
        );
    }
    let plain = run_config(&dir, &describing("beta", "x"));
    assert!(!stderr(&plain).contains("warning"), "{}", stderr(&plain));
}

#[test]
fn a_run_configuration_that_is_triggered_again_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        check_done(&run_config(&dir, &describing(NAME, "x")));
    }
    let metadata = json(&on_flag(&dir, "history", &["--metadata", "-ojson"]));
    assert_eq!(metadata["metadata"].as_array().unwrap().len(), 2);
    let revision = serde_json::json!({
        "row_key_prefix_PROJECT": "csr-assistant",
        "row_key_prefix_ROWTYPE": "REVISION",
        "row_key_prefix_FLAGTYPE": "feature",
        "row_key_prefix_FLAGNAME": NAME,
        "row_cell_value": format!("{{'Name': '{NAME}', 'Type': 'FEATURE', 'FormatVersion': 1, 'ControlValue': False, 'Comment': 'Off', 'OwnerID': 'ann', 'Treatments': []}}"),
        "add_new_feature_flag": false,
    });
    for _ in 0..2 {
        check_done(&run_config(&dir, &revision));
    }
    assert_eq!(revisions(&dir).len(), 2);
}

#[test]
fn a_run_configuration_may_begin_with_a_byte_order_mark() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("marked");
    fs::write(&file, format!("\u{feff}{}", describing(NAME, "x"))).unwrap();
    check_done(&flagctl(
        &dir,
        &["run-config", "-f", file.to_str().unwrap()],
    ));
    let exported = flagctl(&dir, &["export", "csr-assistant"]);
    fs::write(&file, format!("\u{feff}{}", stdout(&exported))).unwrap();
    check_done(&flagctl(&dir, &["apply", "-f", file.to_str().unwrap()]));
}

#[test]
fn a_character_by_its_name_is_refused_with_what_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = describing(NAME, "x");
    let cells = format!("{{'Name': '{NAME}', 'Type': 'FEATURE', 'Description': '\\N{{EM DASH}}'}}");
    config["row_cell_value"] = cells.into();
    let says = "a character by its code, such as \\u2014 for \\N{EM DASH}";
    check_failed(&run_config(&dir, &config), 5, &[says]);
}

#[test]
fn a_run_configuration_updates_flags_that_the_reference_named() {
    let dir = tempfile::tempdir().unwrap();
    let row = left_behind("2024-09-25 19:15:28", "[]");
    let key = String::from_utf8(row.key).unwrap().replace(NAME, "Beta");
    let row = Row {
        key: key.into(),
        cells: row.cells.with("Name", "Beta"),
    };
    crate::administering::write(dir.path(), row);
    check_done(&run_config(&dir, &describing("Beta", "x")));
    check_done(&run_config(&dir, &describing("Beta", "y")));
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let dir = with_revision();
    let file = dir.path().join("latin-1");
    fs::write(&file, b"{'Description': 'caf\xe9'}").unwrap();
    for command in ["run-config", "apply"] {
        let refused = flagctl(&dir, &[command, "-f", file.to_str().unwrap()]);
        check_failed(&refused, 5, &["cannot read ", "valid UTF-8"]);
    }
    let missing = flagctl(&dir, &["run-config", "-f", "/nowhere"]);
    check_failed(&missing, 1, &["cannot read /nowhere"]);
}

#[test]
fn a_run_configuration_of_the_reference_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let config = |row_type: &str, cell: &str| {
        serde_json::json!({
            "row_key_prefix_PROJECT": "csr-assistant",
            "row_key_prefix_ROWTYPE": row_type,
            "row_key_prefix_FLAGTYPE": "feature",
            "row_key_prefix_FLAGNAME": NAME,
            "row_cell_value": cell,
            "add_new_feature_flag": row_type == "FLAG",
        })
    };
    let cell = |percent: &str| {
        format!(
            "{{'Name': '{NAME}', 'Type': 'FEATURE', 'FormatVersion': 1, 'ControlValue': False, 'Comment': 'Rollout', 'OwnerID': 'John Smith', 'Treatments': [{{'OverrideList': ['A12345'], 'PercentRollout':{percent}, 'Value': True}}]}}"
        )
    };
    check_done(&flagctl(&dir, &["init"]));
    let early = run_config(&dir, &config("REVISION", &cell("40")));
    assert_code(&early, 3);
    let metadata = format!("{{'Name': '{NAME}', 'Type': 'FEATURE', 'Description': 'It\\'s new'}}");
    assert_code(&run_config(&dir, &config("FLAG", &metadata)), 0);
    for percent in ["40", "100"] {
        let written = run_config(&dir, &config("REVISION", &cell(percent)));
        assert_code(&written, 0);
        let stdout = String::from_utf8(written.stdout).unwrap();
        let said = format!("revised csr-assistant/feature/{NAME} to r");
        assert!(stdout.starts_with(&said), "{stdout}");
        let latest = json(&on_flag(&dir, "latest", &["-ojson"]));
        assert_eq!(latest["revision"]["owner"], "John Smith");
    }
    let refused = run_config(&dir, &config("REVISION", &cell("140")));
    assert_code(&refused, 5);
    let stderr = stderr(&refused);
    assert!(
        stderr.contains("row_cell_value, line 1, column ")
            && stderr.contains("\n  ")
            && stderr.contains('^'),
        "{stderr}"
    );
    assert_eq!(revisions(&dir).len(), 2);
}
