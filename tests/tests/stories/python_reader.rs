//! Rows in version 1 are read by the Python framework, and decided equally: by a reader in Python that does what the
//! reference does.

use std::collections::BTreeMap;
use std::path::Path;

use flag_model::{FlagKey, FlagName, FlagType, FlagValue, InstanceId, ProjectName};
use flag_rollout::{Plan, decide};
use flag_store::{FlagRowKey, Row, RowOptions, RowType, Scan, decode_revision};
use flag_tests::{Reference, TestStore, flagctl, on_both_stores};
use serde_json::{Value, json};

on_both_stores!(every_row_of_version_1_is_decided_by_python_as_by_us);

const PROJECT: &str = "csr-assistant";

/// Ids and texts with whatever quotes and escapes may get wrong.
const TRICKY: [&str; 8] = [
    "A12345",
    "O'Brien",
    "say \"hi\"",
    "it's \"both\"",
    "back\\slash",
    "日本語 é 🚀",
    "tab\there",
    "zero\u{200b}width",
];

#[track_caller]
fn done(store: &TestStore, arguments: &[&str]) {
    let output = flagctl(store, arguments);
    assert_eq!(output.code, 0, "{arguments:?}: {output:?}");
}

/// A flag of each type, of version 1, that `flagctl` has made and changed.
fn add_and_revise(store: &TestStore) {
    for (flag_type, name, control, value) in [
        ("feature", "router", "false", "true"),
        (
            "data",
            "provider",
            "it's \"control\"\\",
            "it's \"other\"\n日本",
        ),
    ] {
        let described = ["--description", "What it switches"];
        done(
            store,
            &[&["add", PROJECT, flag_type, name], &described[..]].concat(),
        );
        let mut first = vec!["revise", PROJECT, flag_type, name, "--comment", "first"];
        first.extend(["--format-version", "1", "--control", control]);
        first.extend(["--percent", "40", "--value", value, "--yes"]);
        first.extend(TRICKY.iter().flat_map(|id| ["--override", id]));
        done(store, &first);
        let second = ["revise", PROJECT, flag_type, name, "--comment", "second"];
        let options = ["--percent", "0", "--remove-override", "A12345", "--yes"];
        done(store, &[&second[..], &options].concat());
        let third = ["revise", PROJECT, flag_type, name, "--comment", "third"];
        let options = [
            "--treatment",
            "new",
            "--percent",
            "33",
            "--value",
            value,
            "--yes",
        ];
        done(store, &[&third[..], &options].concat());
    }
}

fn run_config(store: &TestStore, folder: &Path) {
    let cells = "{'Name': 'router', 'Type': 'FEATURE', 'FormatVersion': 1, 'ControlValue': False, 'Comment': 'DAG', \
        'Treatments': [{'OverrideList': ['A12345', \"O'Brien\"], 'PercentRollout': 45, 'Value': True}]}";
    let config = json!({
        "row_key_prefix_PROJECT": PROJECT,
        "row_key_prefix_ROWTYPE": "REVISION",
        "row_key_prefix_FLAGTYPE": "feature",
        "row_key_prefix_FLAGNAME": "router",
        "row_cell_value": cells,
        "add_new_feature_flag": false,
    });
    let path = folder.join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    done(
        store,
        &["run-config", "--file", path.to_str().unwrap(), "--yes"],
    );
}

fn apply(store: &TestStore, folder: &Path) {
    let file = json!({
        "file_version": 1,
        "project": PROJECT,
        "flags": [{
            "flag_type": "data",
            "name": "provider",
            "revision": {
                "format_version": 1,
                "control": "true",
                "treatments": [{ "percent": 20, "value": "'5'", "overrides": TRICKY }],
            },
        }],
    });
    let path = folder.join("flags.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let meant = ["--yes", "--yes-i-mean", "provider"];
    let file = ["apply", "--file", path.to_str().unwrap()];
    done(store, &[&file[..], &meant].concat());
}

fn copy(from: &TestStore, to: &TestStore) {
    let named = |store: &TestStore| match store {
        TestStore::Embedded(folder) => format!("embedded:{}", folder.path().display()),
        TestStore::Bigtable { instance, .. } => format!("bigtable:test-project/{instance}"),
    };
    let (source, target) = (named(from), named(to));
    done(from, &["copy", PROJECT, "--from", &source, "--to", &target]);
}

/// All revisions, by who wrote them: the comment tells.
async fn revisions(store: &TestStore) -> BTreeMap<(FlagKey, String), Row> {
    let rows = store.rows().await.scan(Scan::prefix("")).await.unwrap();
    let revisions = rows.into_iter().filter_map(|row| {
        let key = FlagRowKey::decode(&row.key).ok()?;
        let comment = String::from_utf8(row.cells.get("Comment")?.to_vec()).unwrap();
        (key.row_type == RowType::Revision).then_some(((key.flag, comment), row))
    });
    revisions.collect()
}

async fn every_row_of_version_1_is_decided_by_python_as_by_us(store: TestStore) {
    let folder = tempfile::tempdir().unwrap();
    add_and_revise(&store);
    run_config(&store, folder.path());
    apply(&store, folder.path());
    for (flag_type, name) in [("feature", "router"), ("data", "provider")] {
        let back = [
            "rollback",
            PROJECT,
            flag_type,
            name,
            "--steps",
            "3",
            "--comment",
            "back",
        ];
        done(
            &store,
            &[&back[..], &["--yes", "--yes-i-mean", name]].concat(),
        );
    }
    let elsewhere = TestStore::embedded();
    copy(&store, &elsewhere);
    let mut python = Reference::start();
    for store in [&store, &elsewhere] {
        let revisions = revisions(store).await;
        let made: Vec<String> = revisions
            .keys()
            .map(|(flag, comment)| format!("{} {comment}", flag.name))
            .collect();
        let expected = [
            "router DAG",
            "router back",
            "router first",
            "router second",
            "router third",
            "provider Applied from flags.json",
            "provider back",
            "provider first",
            "provider second",
            "provider third",
        ];
        assert_eq!(made, expected);
        for ((flag, comment), row) in &revisions {
            assert_eq!(row.cells.get("FormatVersion"), Some(&b"1"[..]), "{comment}");
            check(&mut python, flag, row);
        }
    }
}

/// Decides 1,000 ids by one row, here and there.
fn check(python: &mut Reference, flag: &FlagKey, row: &Row) {
    let many = (0..992).map(|n| format!("A{n:05}"));
    let ids: Vec<String> = many.chain(TRICKY.map(str::to_owned)).collect();
    assert_eq!(ids.len(), 1_000);
    let plan = Plan::compile(decode_revision(row, &RowOptions::default()).unwrap());
    let theirs = python.decide(&[row], flag, &ids);
    let theirs = theirs.unwrap_or_else(|error| panic!("{error}: {row:?}"));
    for (id, theirs) in ids.iter().zip(theirs) {
        let ours = decide(&plan, &InstanceId::new(id.as_str()).unwrap());
        assert_eq!(
            (json_of(ours.value), ours.rollout_group.to_owned()),
            theirs,
            "{id}: {row:?}"
        );
    }
}

fn json_of(value: &FlagValue) -> Value {
    match value {
        FlagValue::Boolean(value) => Value::from(*value),
        FlagValue::Text(text) => Value::from(&**text),
    }
}

/// The re-created reader is right: it gives the recorded answers of the Python framework to its own rows, except those
/// that hold JSON, which `ast.literal_eval` doesn't read.
#[test]
fn the_reader_in_python_answers_as_the_reference() {
    let lines = |text: &str| -> Vec<Value> {
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    };
    let rows: Vec<Row> = lines(include_str!("../../fixtures/rows.jsonl"))
        .iter()
        .map(row)
        .collect();
    let rows: Vec<&Row> = rows.iter().collect();
    let mut python = Reference::start();
    let mut alike = 0;
    for answer in lines(include_str!("../../fixtures/answers.jsonl")) {
        let query = |field: &str| answer["query"][field].as_str().unwrap();
        let Ok(flag_type) = FlagType::parse(query("flag_type")) else {
            continue;
        };
        let flag = FlagKey {
            project: ProjectName::new(query("project_name")).unwrap(),
            flag_type,
            name: FlagName::new(query("flag_name")).unwrap(),
        };
        let ids = [query("instance_id").to_owned()];
        match python.decide(&rows, &flag, &ids) {
            Ok(found) if answer["status"] == 200 => {
                let group = Value::from(found[0].1.as_str());
                assert_eq!(group, answer["rollout_group"], "{answer}");
                assert_eq!(found[0].0, answer["flag_value"], "{answer}");
                alike += 1;
            }
            // The Python framework knows no versions.
            Ok(_) => assert_eq!(query("flag_name"), "from_the_future"),
            Err(error) => {
                let told = match answer["status"].as_u64().unwrap() {
                    404 => "NoFlagData: ".to_owned(),
                    400 => format!("InvalidPercentage: {}", answer["detail"].as_str().unwrap()),
                    500 if error.starts_with("SyntaxError") => "SyntaxError".to_owned(),
                    _ => "ValueError: malformed node or string".to_owned(),
                };
                assert!(error.starts_with(&told), "{error}: {answer}");
            }
        }
    }
    assert!(alike > 60, "only {alike}");
}

fn row(line: &Value) -> Row {
    let cells = line["cells"].as_object().unwrap().iter();
    Row {
        key: line["key"].as_str().unwrap().into(),
        cells: cells
            .map(|(column, text)| (column.as_str(), text.as_str().unwrap()))
            .collect(),
    }
}
