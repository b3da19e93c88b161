//! A folder as an owner of flags has one: a store with flags of several ages, and the files that examples name.

use std::borrow::Cow;

use flag_model::{
    Bucket, FlagKey, FlagName, FlagType, FlagValue, InstanceId, ProjectName, Reason, Timestamp,
};
use flag_store::conformance::put;
use flag_store::{BatchId, CellFormat, Exposure, ExposureBatch, ExposureLog as _, Row};
use tempfile::TempDir;

use crate::administering::{on_log, on_store};
use crate::*;

/// How far the flag [`NAME`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody has heard of it.
    Unknown,
    /// It has been added.
    Added,
    /// It has metadata, three revisions and exposures.
    InUse,
}

/// When the revisions of the flag in use were made.
pub(crate) const MADE: [&str; 3] = [
    "2024-09-25 19:15:28.248896",
    "2024-10-01 08:00:00",
    "2024-10-02 08:00:00.5",
];

/// What the DAG is triggered with.
const RUN_CONFIG: &str = r#"{
  "row_key_prefix_PROJECT": "csr-assistant",
  "row_key_prefix_ROWTYPE": "REVISION",
  "row_key_prefix_FLAGTYPE": "feature",
  "row_key_prefix_FLAGNAME": "multi_step_api_router",
  "row_cell_value": "{'Name': 'multi_step_api_router', 'Type': 'FEATURE', 'FormatVersion': 1, 'ControlValue': False, 'Comment': 'Rollout to 45%', 'OwnerID': 'John Smith', 'Treatments': [{'OverrideList': ['A12345'], 'PercentRollout': 45, 'Value': True}]}",
  "add_new_feature_flag": false
}"#;

/// A folder with a store in its `flag-data`, where the program looks first.
pub(crate) fn world(stage: Stage) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("run-config.json"), RUN_CONFIG).unwrap();
    let export = include_str!("../fixtures/imports/launchdarkly.json");
    std::fs::write(dir.path().join("launchdarkly.json"), export).unwrap();
    let store = dir.path().join("flag-data");
    let greeting = ["csr-assistant", "data", "greeting"];
    let mut done = vec![
        [&["add"], &greeting[..], &["--description=How to greet"]].concat(),
        [
            &["revise"],
            &greeting[..],
            &["--comment=First", "--control=Hi"],
        ]
        .concat(),
    ];
    let router = ["csr-assistant", "feature", NAME];
    if stage != Stage::Unknown {
        done.push(
            [
                &["add"],
                &router[..],
                &["--description=Multi-step API router"],
            ]
            .concat(),
        );
    }
    for args in done {
        check_done(&command(&store, &args).output().unwrap());
    }
    if stage == Stage::InUse {
        leave(&store);
    }
    dir
}

/// Leaves revisions as the Python framework's tooling did, and what the service logged.
fn leave(store: &Path) {
    let treatments = [
        "[]",
        "[{'OverrideList': ['A12345'], 'PercentRollout': 40, 'Value': True}]",
        "[{'OverrideList': ['A12345'], 'PercentRollout': 60, 'Value': True}]",
    ];
    let revisions: Vec<Row> = MADE
        .iter()
        .zip(treatments)
        .map(|(time, treatments)| left_behind(time, treatments))
        .collect();
    on_store(store, async |store| put(store, &revisions).await);
    log(store, &["A12345", "B#2"]);
}

/// Leaves an exposure of each of these instances.
pub(crate) fn log(store: &Path, instances: &[&str]) {
    let exposures: Vec<Exposure<'_>> = instances.iter().map(|id| exposure(id)).collect();
    let id = BatchId(
        instances
            .concat()
            .bytes()
            .fold(0, |id, byte| id << 8 | u128::from(byte)),
    );
    on_log(store, async |log| {
        let written = log
            .append(&ExposureBatch::of(id, CellFormat::Json, &exposures))
            .await;
        assert!(written.iter().all(Result::is_ok));
    });
}

fn exposure(instance: &str) -> Exposure<'_> {
    Exposure {
        request_id: format!("request-of-{}", instance.len()).into(),
        flag: Cow::Owned(FlagKey {
            project: ProjectName::new("csr-assistant").unwrap(),
            flag_type: FlagType::Feature,
            name: FlagName::new(NAME).unwrap(),
        }),
        instance: InstanceId::new(instance).unwrap(),
        value: Cow::Owned(FlagValue::Boolean(false)),
        rollout_group: "control".into(),
        reason: Some(Reason::Control),
        bucket: Bucket::new(99_000),
        revision: Some(Timestamp::parse(MADE[0]).unwrap()),
        from_cache: Some(true),
        created: Timestamp::parse("2024-09-26 10:00:00").unwrap(),
    }
}
