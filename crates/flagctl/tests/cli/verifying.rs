//! `verify`, and `explain` with what was served.

use flag_store::ExposureLog as _;

use crate::administering::on_log;
use crate::world::{Stage, world};
use crate::*;

const VERIFY: [&str; 2] = ["verify", "csr-assistant"];

fn in_world(dir: &TempDir, args: &[&str]) -> Output {
    command(&dir.path().join("flag-data"), args)
        .current_dir(dir)
        .output()
        .unwrap()
}

#[test]
fn what_was_decided_otherwise_is_named_and_ends_with_7() {
    let dir = world(Stage::InUse);
    let output = in_world(&dir, &[&VERIFY[..], &["-ojson"]].concat());
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    let report: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(report["exposures"], 2);
    assert_eq!(report["decided_otherwise"], 2);
    let found = &report["findings"][0];
    assert_eq!(found["what"], "Bucket");
    assert_eq!(found["logged"], "99000");
    assert!(stderr(&output).contains("2 decided otherwise (2 exposures in "));

    let names = in_world(&dir, &[&VERIFY[..], &["-oname"]].concat());
    assert_eq!(stdout(&names), format!("feature/{NAME}\n"));
    let table = in_world(&dir, &VERIFY);
    assert!(stdout(&table).contains("decided otherwise"), "{table:?}");
    let earlier = in_world(
        &dir,
        &[&VERIFY[..], &[NAME, "--until", "2024-09-26"]].concat(),
    );
    check_done(&earlier);
    assert!(stderr(&earlier).contains("nothing is wrong (0 exposures in "));
}

#[test]
fn a_project_or_a_flag_that_does_not_exist_is_not_verified() {
    let dir = world(Stage::InUse);
    check_failed(&in_world(&dir, &["verify", "nothing"]), 3, &["nothing"]);
    let no_flag = in_world(&dir, &[&VERIFY[..], &["feature/none"]].concat());
    check_failed(&no_flag, 3, &["none"]);
    let no_flag = in_world(&dir, &[&VERIFY[..], &["none"]].concat());
    check_failed(&no_flag, 3, &["none"]);
}

#[test]
fn what_was_served_is_explained() {
    let dir = world(Stage::InUse);
    let explain = ["explain", "csr-assistant", "feature", NAME, "B#2"];
    let output = in_world(&dir, &[&explain[..], &["--served", "-ojson"]].concat());
    check_done(&output);
    let explained: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(explained["agrees"], false);
    let served = &explained["served"][0];
    assert_eq!(served["request_id"], "request-of-3");
    let why = served["comparison"].as_str().unwrap();
    assert!(why.starts_with("no: Bucket is 99000, decided "), "{why}");
    let table = in_world(&dir, &[&explain[..], &["--served"]].concat());
    assert!(stdout(&table).contains("no: Bucket is 99000"), "{table:?}");
    let plain = in_world(&dir, &[&explain[..], &["-ojson"]].concat());
    let explained: Value = serde_json::from_str(stdout(&plain)).unwrap();
    assert!(explained["served"].is_null());
}

#[test]
fn a_bug_report_is_written_once_and_can_be_without_ids() {
    let dir = world(Stage::InUse);
    let explain = ["explain", "csr-assistant", "feature", NAME, "A12345"];
    let bundle = |more: &[&str]| in_world(&dir, &[&explain[..], more].concat());
    check_done(&bundle(&["--bundle", "report.json"]));
    let text = std::fs::read_to_string(dir.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["explained"]["served"][0]["value"], "false");
    assert_eq!(report["flagctl"], env!("CARGO_PKG_VERSION"));
    let settings = report["settings"].as_array().unwrap();
    assert!(settings.iter().any(|of| of["option"] == "data-dir"));
    assert_eq!(report["replicas"], Value::Array(Vec::new()));

    check_failed(&bundle(&["--bundle", "report.json"]), 4, &["report.json"]);
    check_done(&bundle(&["--bundle", "hashed.json", "--hash-ids"]));
    let text = std::fs::read_to_string(dir.path().join("hashed.json")).unwrap();
    assert!(!text.contains("A12345"), "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    let explained = &report["explained"];
    let list = &explained["revision"]["treatments"][0]["overrides"];
    assert_eq!(list[0], explained["instance_id"]);
    assert_eq!(
        explained["served"][0]["instance_id"],
        explained["instance_id"]
    );
}

/// What is wrong with a row may name the row key and cells, which have the id.
#[test]
fn an_exposure_that_cannot_be_read_brings_no_id_into_a_bug_report() {
    for (column, value) in [
        ("AssignedValue", "perhaps"),
        ("InstanceID", "ann@example.com, or column x: another"),
        ("Name", "other"),
    ] {
        let dir = world(Stage::InUse);
        let id = "ann@example.com";
        let created = SystemClock.now().to_string();
        let cells = flag_store::Cells::default()
            .with("RequestID", "r-1")
            .with("Name", NAME)
            .with("Type", "FEATURE")
            .with("CreatedTimestamp", created.as_str())
            .with("InstanceID", id)
            .with("AssignedValue", "false")
            .with("AssignedGroup", "control")
            .with("CacheFlag", "True")
            .with(column, value);
        let key = format!(
            "PROJECT#csr-assistant#FLAGTYPE#feature#FLAGNAME#{NAME}#INSTANCEID#{id}#REQUESTID#r-1#TIME#{created}"
        );
        let row = flag_store::Row {
            key: key.into_bytes(),
            cells,
        };
        on_log(&dir.path().join("flag-data"), async |log| {
            log.insert_if_absent(&row.into()).await.unwrap();
        });
        let explain = ["explain", NAME, id, "-pcsr-assistant"];
        let bundle = ["--bundle=report.json", "--hash-ids"];
        check_done(&in_world(&dir, &[&explain[..], &bundle].concat()));
        let text = std::fs::read_to_string(dir.path().join("report.json")).unwrap();
        assert!(!text.contains("ann@"), "{text}");
        let says = format!("no: column {column} is invalid or does not fit the row key");
        assert!(text.contains(&says), "{says}: {text}");
    }
}

#[test]
fn times_that_are_reversed_are_refused() {
    let dir = world(Stage::InUse);
    for command in [&VERIFY[..], &["exposures", NAME, "-pcsr-assistant"]] {
        let times = ["--since", "1h", "--until", "2h"];
        let refused = in_world(&dir, &[command, &times].concat());
        check_failed(&refused, 2, &["is not before --until"]);
    }
}

#[test]
fn no_secret_is_in_a_bug_report() {
    let dir = world(Stage::InUse);
    let key = "a secret that nobody may see";
    let words = [
        "explain",
        NAME,
        "A12345",
        "-pcsr-assistant",
        "--bundle=report.json",
    ];
    let output = command(&dir.path().join("flag-data"), &words)
        .current_dir(&dir)
        .env("FLAG_LOG_INSTANCE_ID", "hashed")
        .env("FLAG_LOG_INSTANCE_ID_KEY", key)
        .output()
        .unwrap();
    check_done(&output);
    let text = std::fs::read_to_string(dir.path().join("report.json")).unwrap();
    assert!(!text.contains(key) && text.contains("(hidden)"), "{text}");
}
