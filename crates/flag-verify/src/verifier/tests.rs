use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flag_model::{
    Bucket, BucketScheme, FlagValue, HashAlgorithm, Percent, ProjectName, Revision, RevisionParts,
    Salt, Treatment,
};
use flag_rollout::{Plan, decide};
use flag_store::conformance::put;
use flag_store::memory::{MemoryLog, MemoryStore};
use flag_store::scripted::{ScriptedLog, Step};
use flag_store::{
    BatchId, CellFormat, Exposure, ExposureLog, InstanceIdMode, RowOptions, RowStore, SystemClock,
    TimeRange, encode_revision,
};

use super::*;
use crate::lag::Lag;
use crate::suspects::Suspects;
use crate::{Verification, VerificationScope, VerifyError, recheck_around};

/// Alters an exposure.
type Change = fn(&mut Exposure<'_>);

const KEY: &[u8] = b"a key of sixteen bytes";

fn flag() -> FlagKey {
    "p/data/f".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_micros(second * 1_000_000).unwrap()
}

/// A revision with half of the instances in a treatment, and an override.
fn revision(second: i64) -> Revision {
    let treatment = Treatment {
        name: None,
        overrides: vec![InstanceId::new("ann").unwrap()],
        percent: Percent::from_buckets(50_000).unwrap(),
        value: FlagValue::text(&format!("new {second}")).unwrap(),
        ranges: vec![flag_model::BucketRange::new(0, 50_000).unwrap()],
    };
    let parts = RevisionParts {
        flag: flag(),
        scheme: BucketScheme::V2 {
            algorithm: HashAlgorithm::Sha256,
            salt: Salt::new("f").unwrap(),
        },
        control: FlagValue::text(&format!("old {second}")).unwrap(),
        treatments: vec![treatment],
        comment: String::new(),
        owner: None,
        rollback_of: None,
    };
    Revision::new(at(second), parts).unwrap()
}

/// A store with revisions of seconds 10 and 20.
async fn store() -> FlagStore {
    let rows: Arc<dyn RowStore> = Arc::new(MemoryStore::default());
    let options = RowOptions::default();
    let revisions = [10, 20].map(|second| encode_revision(&revision(second), &options).unwrap());
    put(&rows, &revisions).await;
    FlagStore::new(rows, Arc::new(SystemClock))
}

/// What is served to an instance by a revision at a time.
fn served(instance: &str, by: i64, second: i64) -> Exposure<'static> {
    let plan = Plan::compile(revision(by));
    let instance = InstanceId::new(instance.to_owned()).unwrap();
    let decision = decide(&plan, &instance);
    Exposure {
        request_id: format!("request {second}").into(),
        flag: std::borrow::Cow::Owned(flag()),
        value: std::borrow::Cow::Owned(decision.value.clone()),
        rollout_group: decision.rollout_group.to_owned().into(),
        reason: Some(decision.reason),
        bucket: decision.bucket,
        revision: Some(decision.revision),
        from_cache: Some(true),
        created: at(second),
        instance,
    }
}

/// The report about exposures: in a batch, and then again one by one.
async fn reports(exposures: &[Exposure<'_>], ids: &KnownIds) -> [Report; 2] {
    let batch = ExposureBatch::of(BatchId(1), CellFormat::Json, exposures);
    let records = exposures
        .iter()
        .map(|of| of.to_record(CellFormat::Json).unwrap());
    let records: Vec<_> = records.collect();
    let in_batch = BatchPage {
        batches: vec![batch],
        ..BatchPage::default()
    };
    let alone = BatchPage {
        records,
        ..BatchPage::default()
    };
    [report(&in_batch, ids).await, report(&alone, ids).await]
}

async fn report(page: &BatchPage, ids: &KnownIds) -> Report {
    let store = store().await;
    let fingerprints = Fingerprints::open(tempfile::tempfile().unwrap(), Vec::new());
    let mut verifier = Verifier::new((&store, ids), Report::default(), fingerprints);
    verifier.page(page).await.unwrap();
    verifier.flush_current();
    let mut report = verifier.report;
    let repeated = verifier.fingerprints.repeated().unwrap();
    if let Some(mut suspects) = Suspects::of(repeated) {
        suspects.page(page);
        suspects.add_to(&mut report);
    }
    report
}

fn plain() -> KnownIds {
    KnownIds::new(InstanceIdMode::Plain, [])
}

/// What is found: each kind of fault, with the column or what is wrong.
async fn check(exposures: &[Exposure<'_>], expected: &[(FaultKind, &str)]) {
    for report in reports(exposures, &plain()).await {
        let found = report.findings.iter();
        let found: Vec<_> = found.map(|found| (found.kind, &*found.what)).collect();
        assert_eq!(found, expected);
        assert_eq!(report.exposures(), exposures.len() as u64);
        assert_eq!(report.is_clean(), expected.is_empty());
    }
}

#[tokio::test]
async fn what_was_served_is_decided_the_same_again() {
    let instances = ["ann", "bob", "eve", "A1", "A2", "A3"];
    let exposures = instances.map(|id| served(id, 10, 11));
    check(&exposures, &[]).await;
    for report in reports(&exposures, &plain()).await {
        assert_eq!(report.flags["data/f"].agree, 6);
        assert_eq!(report.flags["data/f"].outdated.count(), 0);
    }
}

#[tokio::test]
async fn an_altered_exposure_is_named_with_its_column() {
    let changes: [(Change, &str); 4] = [
        (
            |of| of.value = std::borrow::Cow::Owned(FlagValue::text("x").unwrap()),
            "AssignedValue",
        ),
        (
            |of| of.rollout_group = "treatment_2".into(),
            "AssignedGroup",
        ),
        (|of| of.reason = Some(Reason::Override), "Reason"),
        (|of| of.bucket = Bucket::new(7), "Bucket"),
    ];
    for (change, column) in changes {
        let mut exposures = ["ann", "bob", "eve"].map(|id| served(id, 10, 11));
        change(&mut exposures[1]);
        check(&exposures, &[(FaultKind::DecidedOtherwise, column)]).await;
    }
    let mut overridden = served("ann", 10, 11);
    overridden.bucket = Bucket::new(7);
    check(&[overridden], &[(FaultKind::DecidedOtherwise, "Bucket")]).await;
}

#[tokio::test]
async fn what_is_not_logged_is_not_compared_and_delivered_is_any_reason() {
    let mut exposures = ["ann", "bob", "eve"].map(|id| served(id, 10, 11));
    exposures[0].reason = Some(Reason::Delivered);
    exposures[1].reason = None;
    exposures[1].bucket = None;
    check(&exposures, &[]).await;
}

#[tokio::test]
async fn a_revision_that_the_flag_does_not_have_is_named_and_none_is_not_verifiable() {
    let mut exposures = ["ann", "bob", "eve"].map(|id| served(id, 10, 11));
    exposures[0].revision = Some(at(15));
    exposures[1].revision = None;
    check(&exposures, &[(FaultKind::UnknownRevision, "Revision")]).await;
    for report in reports(&exposures, &plain()).await {
        let of = &report.flags["data/f"];
        assert_eq!((of.without_revision, of.agree), (1, 1));
    }
}

#[tokio::test]
async fn an_answer_of_an_old_revision_is_outdated_and_no_fault() {
    let exposures = [(10, 19), (10, 21), (10, 24), (20, 30), (20, 18)];
    let exposures = exposures.map(|(by, second)| served("bob", by, second));
    check(&exposures, &[]).await;
    for report in reports(&exposures, &plain()).await {
        let of = &report.flags["data/f"];
        let lag = |of: &Lag| (of.count(), of.worst().as_secs());
        assert_eq!(lag(&of.outdated), (2, 4));
        let worst = of.most_outdated.clone().unwrap();
        assert_eq!(worst, (at(24).to_string(), at(10).to_string()));
        assert_eq!(of.before_revision, 1);
    }
}

#[tokio::test]
async fn what_is_logged_twice_and_an_instance_with_two_values_are_named() {
    let mut exposures = [
        served("bob", 10, 11),
        served("bob", 10, 11),
        served("bob", 10, 12),
        served("eve", 10, 12),
        served("eve", 20, 26),
    ];
    exposures[3].revision = Some(at(15));
    exposures[4].revision = Some(at(15));
    let [in_batch, alone] = reports(&exposures, &plain()).await;
    for report in [in_batch, alone] {
        let named = report.findings.iter();
        let named: Vec<_> = named.map(|of| (of.kind, &*of.instance_id)).collect();
        let expected = [
            (FaultKind::UnknownRevision, "eve"),
            (FaultKind::UnknownRevision, "eve"),
            (FaultKind::Duplicate, "bob"),
            (FaultKind::TwoValues, "eve"),
        ];
        assert_eq!(named, expected);
        assert_eq!(report.count(FaultKind::Duplicate), 1);
        assert_eq!(report.count(FaultKind::TwoValues), 1);
    }
}

/// How many hashed exposures agree, are not verifiable, and are wrong.
async fn check_hashed(ids: &KnownIds, expected: (u64, u64, u64)) {
    let id_mode = InstanceIdMode::hashed(KEY).unwrap();
    let mut exposures = ["ann", "bob", "eve", "bob"].map(|id| id_mode.apply(served(id, 10, 11)));
    exposures[3].value = std::borrow::Cow::Owned(FlagValue::text("x").unwrap());
    exposures[3].created = at(12);
    for report in reports(&exposures, ids).await {
        let of = &report.flags["data/f"];
        assert_eq!((of.agree, of.hashed, of.decided_otherwise), expected);
    }
}

#[tokio::test]
async fn hashed_ids_are_verified_as_far_as_key_and_ids_are_known() {
    let id_mode = || InstanceIdMode::hashed(KEY).unwrap();
    let bob = InstanceId::new("bob").unwrap();
    check_hashed(&plain(), (0, 3, 1)).await;
    check_hashed(&KnownIds::new(id_mode(), []), (1, 2, 1)).await;
    check_hashed(&KnownIds::new(id_mode(), [bob]), (2, 1, 1)).await;
}

#[tokio::test]
async fn an_override_that_no_list_has_is_wrong_if_the_key_is_known() {
    let id_mode = InstanceIdMode::hashed(KEY).unwrap();
    let mut exposure = id_mode.apply(served("ann", 10, 11));
    exposure.instance = id_mode.pseudonym(&InstanceId::new("zoe").unwrap()).unwrap();
    let exposures = [exposure];
    let [report, _] = reports(&exposures, &plain()).await;
    assert!(report.is_clean());
    let [report, _] = reports(&exposures, &KnownIds::new(id_mode, [])).await;
    assert_eq!(report.findings[0].what, "Reason");
}

#[tokio::test]
async fn a_record_whose_cells_do_not_fit_its_key_is_named() {
    let record = served("bob", 10, 11).to_record(CellFormat::Json).unwrap();
    for (column, text) in [
        ("InstanceID", "eve"),
        ("Bucket", "x"),
        ("CreatedTimestamp", "2024-01-01 00:00:00"),
    ] {
        let mut row = record.row().clone();
        row.cells.set(column, text);
        let page = BatchPage {
            records: vec![row.into()],
            ..BatchPage::default()
        };
        let report = report(&page, &plain()).await;
        assert_eq!(report.findings.len(), 1, "{column}");
        assert_eq!(report.findings[0].kind, FaultKind::Unreadable);
        assert!(report.findings[0].what.contains(column), "{report:?}");
        assert_eq!(report.flags["data/f"].unreadable, 1);
    }
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_is_named_and_all_its_exposures_count() {
    let good = ExposureBatch::of(BatchId(1), CellFormat::Json, &[served("bob", 10, 11)]);
    let page = BatchPage {
        batches: vec![good],
        unreadable: vec![UnreadableBatch {
            flag: flag(),
            exposure_count: 250,
            oldest: at(11),
            newest: at(12),
            problem: "block 7: a block ends too early".to_owned(),
        }],
        ..BatchPage::default()
    };
    let report = report(&page, &plain()).await;
    let [named] = report.findings.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!(
        (named.kind, &*named.flag),
        (FaultKind::Unreadable, "data/f")
    );
    assert!(named.what.contains("block 7"), "{named:?}");
    assert_eq!(report.count(FaultKind::Unreadable), 250);
    let of = &report.flags["data/f"];
    assert_eq!((of.exposures, of.agree, of.unreadable), (251, 1, 250));
}

/// What is counted of an exposure of the Python framework whose id is longer than ours may be, and how many faults there are.
#[tokio::test]
async fn an_id_that_only_the_python_framework_could_log_is_not_verifiable() {
    let id = "x".repeat(600);
    let key = format!(
        "PROJECT#p#FLAGTYPE#data#FLAGNAME#f#INSTANCEID#{id}#REQUESTID#r#TIME#2024-09-25 19:15:28.248896"
    );
    let row = |revision: Option<Timestamp>| {
        let mut cells = flag_store::Cells::default()
            .with("RequestID", "r")
            .with("Name", "f")
            .with("Type", "DATA")
            .with("CreatedTimestamp", "2024-09-25 19:15:28.248896")
            .with("InstanceID", &*id)
            .with("AssignedValue", "old 10")
            .with("AssignedGroup", "control")
            .with("CacheFlag", "True");
        if let Some(revision) = revision {
            cells.set("Revision", revision.to_string());
        }
        flag_store::Row {
            key: key.clone().into_bytes(),
            cells,
        }
    };
    for (revision, expected) in [(None, (1, 0, 0)), (Some(at(10)), (0, 1, 1))] {
        let page = BatchPage {
            records: vec![row(revision).into()],
            ..BatchPage::default()
        };
        let report = report(&page, &plain()).await;
        let of = &report.flags["data/f"];
        let faults = report.count(FaultKind::Unreadable);
        assert_eq!((of.without_revision, of.unreadable, faults), expected);
        assert_eq!(of.exposures, 1);
    }
}

/// A log of 2,000 exposures that fit their revision.
async fn log() -> MemoryLog {
    let log = MemoryLog::default();
    let ids: Vec<String> = (0..2_000).map(|id| format!("A{id}")).collect();
    let exposures: Vec<_> = ids.iter().map(|id| served(id, 10, 11)).collect();
    let batch = ExposureBatch::of(BatchId(1), CellFormat::Json, &exposures);
    assert!(log.append(&batch).await.iter().all(Result::is_ok));
    log
}

async fn verified(
    log: &dyn ExposureLog,
    checkpoint: Option<(&Path, VerificationScope)>,
) -> Result<Report, VerifyError> {
    let (store, known, progress) = (store().await, plain(), AtomicU64::new(0));
    let verification = Verification {
        store: &store,
        log,
        ids: &known,
        project: &ProjectName::new("p").unwrap(),
        flag: None,
        within: TimeRange::ALL,
        progress: &progress,
    };
    verification.run(checkpoint).await
}

fn question(project: &str) -> VerificationScope {
    VerificationScope {
        store: "store".to_owned(),
        project: project.to_owned(),
        flag: None,
        since: None,
        until: None,
    }
}

#[tokio::test]
async fn a_whole_log_is_verified_with_its_splits() {
    let report = verified(&log().await, None).await.unwrap();
    assert!(report.is_clean());
    assert_eq!(report.exposures(), 2_000);
    let split = &report.flags["data/f"].sample_ratios[0];
    assert_eq!((split.revision, split.exposures), (at(10), 2_000));
    assert_eq!(split.ratio.result, flag_rollout::RatioResult::Fits);
}

/// The log, which fails once at the third page.
async fn log_that_fails() -> ScriptedLog {
    let log = ScriptedLog::over(Arc::new(log().await));
    let calls = AtomicU64::new(0);
    log.script(move |_| {
        let is_third = calls.fetch_add(1, Ordering::Relaxed) == 2;
        async move {
            if is_third {
                let source = "gone".into();
                return Step::Fail(StoreError::Unavailable { source });
            }
            Step::Pass
        }
    });
    log
}

#[tokio::test]
async fn a_verification_goes_on_from_its_checkpoint() {
    let expected = verified(&log().await, None).await.unwrap();
    let log = log_that_fails().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let failed = verified(&log, Some((&path, question("p")))).await;
    assert!(matches!(failed, Err(VerifyError::Store(_))), "{failed:?}");
    let refused = verified(&log, Some((&path, question("q")))).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("belongs to another verification: p in the store"),
        "{refused}"
    );
    log.take_calls();
    let report = verified(&log, Some((&path, question("p")))).await.unwrap();
    assert_eq!(report, expected);
    assert!(log.take_calls().len() <= 3, "it began anew");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the checkpoint is still there");
}

#[tokio::test]
async fn a_checkpoint_without_all_its_fingerprints_is_refused() {
    let shortened = |path: &Path| {
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    };
    let removed = |path: &Path| std::fs::remove_file(path).unwrap();
    for damage in [&shortened as &dyn Fn(&Path), &removed] {
        let log = log_that_fails().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let failed = verified(&log, Some((&path, question("p")))).await;
        assert!(matches!(failed, Err(VerifyError::Store(_))), "{failed:?}");
        damage(&folder.path().join("checkpoint.fingerprints"));
        let refused = verified(&log, Some((&path, question("p")))).await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("checkpoint.fingerprints is missing or incomplete"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn fingerprints_that_cannot_be_written_are_named_by_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let fingerprints = folder.path().join("checkpoint.fingerprints");
    std::os::unix::fs::symlink("/dev/full", &fingerprints).unwrap();
    let failed = verified(&log().await, Some((&path, question("p")))).await;
    let expected = format!("cannot write fingerprints to {}", fingerprints.display());
    assert_eq!(failed.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn a_file_that_is_no_checkpoint_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = verified(&log().await, Some((file.path(), question("p")))).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("is no checkpoint of this release"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_was_served_around_an_instant_is_decided_again() {
    let (store, log) = (store().await, MemoryLog::default());
    let mut exposures = [11, 12, 13, 14, 25].map(|second| served("bob", 10, second));
    exposures[3].bucket = Bucket::new(7);
    let batch = ExposureBatch::of(BatchId(1), CellFormat::Json, &exposures);
    log.append(&batch).await;
    let bob = InstanceId::new("bob").unwrap();
    let around = async |at| {
        let flag = flag();
        let around = recheck_around((&store, &log), &InstanceIdMode::Plain, &flag, &bob, at, 2);
        let around = around.await.unwrap().into_iter();
        let around = around.map(|of| (of.exposure.created.clone(), of.agrees(), of.outdated_for));
        around.collect::<Vec<_>>()
    };
    let seconds = |second| at(second).to_string();
    let outdated_for = Some(std::time::Duration::from_secs(5));
    let last = [
        (seconds(25), Some(true), outdated_for),
        (seconds(14), Some(false), None),
    ];
    assert_eq!(around(None).await, last);
    let first = [14, 13, 12, 11].map(|second| (seconds(second), Some(second != 14), None));
    assert_eq!(around(Some(at(12))).await, first);
}
