//! Facts about rows: what is written, what is read, and what is refused.

use std::borrow::Cow;
use std::sync::Arc;

use flag_model::{
    Bucket, BucketRange, BucketScheme, Date, FlagKey, FlagName, FlagType, FlagValue, HashAlgorithm,
    InstanceId, Metadata, MetadataParts, OwnerId, Percent, ProjectName, Reason, Revision,
    RevisionParts, Salt, Timestamp, Treatment, TreatmentName,
};
use flag_store::memory::{MemoryLog, MemoryStore};
use flag_store::{
    BatchId, CellFormat, Cells, Exposure, ExposureBatch, ExposureLog as _, ExposureScope,
    FlagStore, Insert, Row, RowOptions, SystemClock, TimeRange, check_exposure, encode_metadata,
    encode_revision,
};
use proptest::prelude::*;

const TIME: &str = "2024-09-25 19:15:28.248896";

fn flag(flag_type: FlagType) -> FlagKey {
    FlagKey {
        project: ProjectName::new("p").unwrap(),
        flag_type,
        name: FlagName::new("f").unwrap(),
    }
}

fn time() -> Timestamp {
    Timestamp::parse(TIME).unwrap()
}

fn treatment(value: FlagValue) -> Treatment {
    Treatment {
        name: None,
        overrides: vec![],
        percent: Percent::ZERO,
        value,
        ranges: vec![],
    }
}

fn parts(flag_type: FlagType, control: FlagValue) -> RevisionParts {
    RevisionParts {
        flag: flag(flag_type),
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
        control,
        treatments: vec![],
        comment: "Why".to_owned(),
        owner: Some(OwnerId::new("John Smith").unwrap()),
        rollback_of: None,
    }
}

fn encode(revision: &Revision) -> Row {
    encode_revision(revision, &RowOptions::default()).unwrap()
}

fn text(row: &Row, column: &str) -> String {
    String::from_utf8(row.cells.get(column).unwrap().to_vec()).unwrap()
}

/// The store that holds these rows.
fn store(rows: &[Row]) -> FlagStore {
    let memory = MemoryStore::default();
    memory.put(rows.iter().cloned());
    FlagStore::new(Arc::new(memory), Arc::new(SystemClock))
}

async fn read_back(revision: &Revision) -> Revision {
    let store = store(&[encode(revision)]);
    store
        .newest_revision(&revision.flag)
        .await
        .unwrap()
        .unwrap()
}

/// A version 1 revision of a feature flag as the Python framework writes it, with one cell changed.
fn foreign(column: &str, cell: Option<&[u8]>) -> Row {
    let cells = [
        ("Name", "f"),
        ("Type", "FEATURE"),
        ("FormatVersion", "1"),
        ("ControlValue", "False"),
        ("Comment", "Why"),
        ("OwnerID", "John Smith"),
        ("Treatments", "[]"),
        ("CreatedTime", TIME),
    ];
    let mut kept: Cells = cells
        .into_iter()
        .filter(|(name, _)| *name != column)
        .collect();
    if let Some(cell) = cell {
        kept.set(column, cell);
    }
    let key = format!("PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#f#TIME#{TIME}");
    Row {
        key: key.into(),
        cells: kept,
    }
}

async fn read_foreign(column: &str, cell: Option<&[u8]>) -> Result<Revision, String> {
    let read = store(&[foreign(column, cell)])
        .newest_revision(&flag(FlagType::Feature))
        .await;
    read.map(Option::unwrap).map_err(|error| error.to_string())
}

async fn check_refused(column: &str, cell: &str, problem: &str) {
    let error = read_foreign(column, Some(cell.as_bytes()))
        .await
        .unwrap_err();
    let row = format!("row PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#f#TIME#{TIME}");
    assert_eq!(error, format!("{row}, column {column}: {problem}"));
}

#[test]
fn version_1_is_written_as_the_reference_reads_it() {
    let mut parts = parts(FlagType::Feature, FlagValue::Boolean(false));
    parts.treatments = vec![Treatment {
        overrides: vec![InstanceId::new("A12345").unwrap()],
        percent: Percent::from_buckets(40_000).unwrap(),
        ..treatment(FlagValue::Boolean(true))
    }];
    let row = encode(&Revision::new(time(), parts).unwrap());
    assert_eq!(
        text(&row, "Treatments"),
        "[{'OverrideList': ['A12345'], 'PercentRollout': 40, 'Value': True}]"
    );
    assert_eq!(text(&row, "ControlValue"), "False");
    let columns: Vec<&str> = row
        .cells
        .iter()
        .map(|(column, _)| str::from_utf8(column).unwrap())
        .collect();
    assert_eq!(
        columns,
        [
            "Comment",
            "ControlValue",
            "CreatedTime",
            "FormatVersion",
            "Name",
            "OwnerID",
            "Treatments",
            "Type"
        ]
    );
    assert_eq!(
        (text(&row, "Type"), text(&row, "CreatedTime")),
        ("FEATURE".to_owned(), TIME.to_owned())
    );
}

#[test]
fn version_2_is_written_with_algorithm_salt_and_ranges() {
    let mut parts = parts(FlagType::Data, FlagValue::text("a").unwrap());
    parts.scheme = BucketScheme::V2 {
        algorithm: HashAlgorithm::Sha256,
        salt: Salt::new("s.2").unwrap(),
    };
    parts.treatments = vec![Treatment {
        name: Some(TreatmentName::new("blue").unwrap()),
        percent: Percent::from_buckets(33_125).unwrap(),
        ranges: vec![BucketRange::new(0, 33_125).unwrap()],
        ..treatment(FlagValue::text("b").unwrap())
    }];
    parts.rollback_of = Some(time());
    let row = encode(&Revision::new(time(), parts).unwrap());
    let cells = [
        "FormatVersion",
        "HashAlgorithm",
        "Salt",
        "RollbackOf",
        "Treatments",
    ]
    .map(|column| text(&row, column));
    let treatments = r#"[{"Name":"blue","OverrideList":[],"PercentRollout":33.125,"Ranges":[[0,33125]],"Value":"b"}]"#;
    assert_eq!(cells, ["2", "sha256", "s.2", TIME, treatments]);
}

#[test]
fn more_overrides_than_can_be_read_again_are_refused() {
    let mut parts = parts(FlagType::Feature, FlagValue::Boolean(false));
    let ids = (0..500_000).map(|n| InstanceId::new(n.to_string()).unwrap());
    parts.treatments = vec![Treatment {
        overrides: ids.collect(),
        ..treatment(FlagValue::Boolean(true))
    }];
    let refused = encode_revision(
        &Revision::new(time(), parts).unwrap(),
        &RowOptions::default(),
    )
    .unwrap_err();
    assert_eq!(
        (refused.field.as_str(), refused.expected.as_str()),
        ("Treatments", "at most 500,000 values")
    );
    assert_eq!(refused.found, "`'499997'`");
}

#[test]
fn a_comment_takes_64_kib_at_most() {
    let encode = |bytes: usize| {
        let mut parts = parts(FlagType::Feature, FlagValue::Boolean(false));
        parts.comment = "c".repeat(bytes);
        let revision = Revision::new(time(), parts).unwrap();
        encode_revision(&revision, &RowOptions::default()).map(|row| text(&row, "Comment").len())
    };
    assert_eq!(encode(65_536), Ok(65_536));
    assert_eq!(
        encode(65_537).unwrap_err().to_string(),
        "Comment: found 65537 bytes, expected at most 65536 bytes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollback_reads_back_as_written() {
    let mut parts = parts(FlagType::Feature, FlagValue::Boolean(true));
    parts.rollback_of = Timestamp::parse("2024-09-24 00:00:00").ok();
    let revision = Revision::new(time(), parts).unwrap();
    assert_eq!(read_back(&revision).await, revision);
}

#[tokio::test(start_paused = true)]
async fn the_format_of_a_flag_is_that_of_its_newest_rows_as_far_as_they_can_be_read() {
    let row = |time: &str, cells: &[(&str, &str)]| {
        let mut row = foreign("ControlValue", None);
        row.key = String::from_utf8(row.key)
            .unwrap()
            .replace(TIME, time)
            .into();
        for (column, cell) in cells {
            row.cells.set(column, *cell);
        }
        row
    };
    let version_2 = |salt: &'static str| {
        [
            ("FormatVersion", "2"),
            ("HashAlgorithm", "sha256"),
            ("Salt", salt),
        ]
    };
    let rows = [
        row("2024-01-01 00:00:00", &version_2("old")),
        row("2024-01-02 00:00:00", &version_2("new")),
        row("2024-01-03 00:00:00", &[("FormatVersion", "1")]),
        row("2024-01-04 00:00:00", &version_2("in valid")),
        row("2024-01-05 00:00:00", &[("FormatVersion", "9")]),
    ];
    let flag = flag(FlagType::Feature);
    let scheme = async |rows: &[Row]| store(rows).newest_bucket_scheme(&flag, 10).await.unwrap();
    let newest = BucketScheme::V2 {
        algorithm: HashAlgorithm::Sha256,
        salt: Salt::new("new").unwrap(),
    };
    assert_eq!(scheme(&rows).await, Some(newest));
    let version_1 = BucketScheme::v1(RowOptions::default().v1_algorithm);
    assert_eq!(scheme(&rows[..3]).await, Some(version_1));
    assert_eq!(scheme(&rows[3..]).await, None);
}

#[tokio::test(start_paused = true)]
async fn cells_that_cannot_be_are_named() {
    check_refused("Name", "g", "found \"g\", expected f, as in the row key").await;
    check_refused(
        "Type",
        "DATA",
        "found \"DATA\", expected FEATURE, as in the row key",
    )
    .await;
    check_refused("FormatVersion", "9", "found \"9\", expected 1 or 2").await;
    check_refused(
        "ControlValue",
        "maybe",
        "found \"maybe\", expected true or false",
    )
    .await;
    check_refused(
        "Treatments",
        "{}",
        "found a dict, expected a list of treatments",
    )
    .await;
    check_refused(
        "Treatments",
        "[1]",
        "Treatments[0]: found a number, expected a treatment",
    )
    .await;
    check_refused(
        "Treatments",
        "[{'Value': True}]",
        "Treatments[0].PercentRollout: found no such field, expected one",
    )
    .await;
    check_refused(
        "Treatments",
        "[{'PercentRollout': 1, 'Value': 'on'}]",
        "Treatments[0].Value: found \"on\", expected true or false, as the flag is a feature",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cell_that_is_missing_or_not_utf8_is_named() {
    let missing = read_foreign("ControlValue", None).await.unwrap_err();
    assert!(
        missing.ends_with("column ControlValue: found no such cell, expected one"),
        "{missing}"
    );
    let bytes = read_foreign("ControlValue", Some(b"\xff"))
        .await
        .unwrap_err();
    assert!(
        bytes.contains("column ControlValue: ") && bytes.ends_with("expected UTF-8"),
        "{bytes}"
    );
}

#[tokio::test(start_paused = true)]
async fn percentages_of_other_kinds_are_shown_as_they_stand() {
    for (percent, shown) in [
        ("-5", "-5"),
        ("33.5", "33.5"),
        ("'33.5'", "\"33.5\""),
        ("'forty'", "\"forty\""),
        ("None", "null"),
        ("True", "true"),
    ] {
        let cell =
            format!("[{{'OverrideList': None, 'PercentRollout': {percent}, 'Value': True}}]");
        let error = read_foreign("Treatments", Some(cell.as_bytes()))
            .await
            .unwrap_err();
        let expected = format!(
            "Rollout percentage: {shown} is invalid. Value should be an integer in range [0, 100]."
        );
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_reference_does_not_know_is_left_alone() {
    let cell =
        b"[{'PercentRollout': 100, 'Value': True, 'Name': 'blue', 'Ranges': 7, 'Other': {}}]";
    let revision = read_foreign("Treatments", Some(cell)).await.unwrap();
    assert_eq!(revision.group(0), "treatment_1");
    let empty = read_foreign("OwnerID", Some(b"")).await.unwrap();
    assert_eq!(empty.owner, None);
}

#[tokio::test(start_paused = true)]
async fn a_flag_whose_only_key_tells_no_time_cannot_be_read() {
    let mut row = foreign("Comment", None);
    row.key.extend(b" later");
    let error = store(&[row])
        .newest_revision(&flag(FlagType::Feature))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("{TIME} later, row key.time: found ")),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn unreadable_rows_stand_in_the_history_beside_the_others() {
    let mut newer = foreign("ControlValue", Some(b"maybe"));
    newer.key = String::from_utf8(newer.key)
        .unwrap()
        .replace("2024-", "2025-")
        .into();
    let store = store(&[foreign("Comment", None), newer]);
    let history = store.history(&flag(FlagType::Feature), 10).await.unwrap();
    assert!(history.len() == 2 && history[0].is_err() && history[1].is_ok());
    assert!(
        store
            .newest_revision(&flag(FlagType::Feature))
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn metadata_reads_back_as_written() {
    let parts = MetadataParts {
        flag: flag(FlagType::Data),
        description: "Which provider\nanswers".to_owned(),
        owner: Some(OwnerId::new("John Smith").unwrap()),
        ticket: Some("T-1".to_owned()),
        tags: vec!["a".to_owned(), "é \"b\"".to_owned()],
        expires_on: Some(Date::parse("2025-01-31").unwrap()),
        edited_by: Some(OwnerId::new("bob").unwrap()),
    };
    let metadata = Metadata::new(time(), parts).unwrap();
    let store = store(&[encode_metadata(&metadata)]);
    assert_eq!(
        store
            .newest_metadata(&metadata.flag)
            .await
            .unwrap()
            .unwrap(),
        metadata
    );
}

#[tokio::test(start_paused = true)]
async fn flags_are_listed_with_what_is_newest_of_each() {
    let of = |name: &str, project: &str, created: &str| {
        let mut parts = parts(FlagType::Feature, FlagValue::Boolean(true));
        parts.flag.name = FlagName::new(name).unwrap();
        parts.flag.project = ProjectName::new(project).unwrap();
        encode(&Revision::new(Timestamp::parse(created).unwrap(), parts).unwrap())
    };
    let mut foreign = of("z", "p", "2024-01-01 00:00:00");
    foreign.key = b"PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#zz#oddly#TIME#".to_vec();
    let rows = [
        of("router", "p", "2024-01-01 00:00:00"),
        of("router", "p", "2024-01-02 00:00:00"),
        of("router_v2", "p", "2024-01-03 00:00:00"),
        of("a", "p2", "2024-01-01 00:00:00"),
        foreign,
    ];
    let entries = store(&rows)
        .flag_entries(&ProjectName::new("p").unwrap())
        .await
        .unwrap();
    let found: Vec<(String, String)> = entries
        .iter()
        .map(|entry| {
            (
                entry.flag.name.to_string(),
                entry
                    .revision
                    .as_ref()
                    .unwrap()
                    .as_ref()
                    .unwrap()
                    .created()
                    .to_string(),
            )
        })
        .collect();
    let expected = [
        ("router", "2024-01-02 00:00:00.000000"),
        ("router_v2", "2024-01-03 00:00:00.000000"),
    ];
    assert_eq!(
        found,
        expected.map(|(name, created)| (name.to_owned(), created.to_owned()))
    );
}

fn exposure(instance: &str, request: &str) -> Exposure<'static> {
    Exposure {
        request_id: request.to_owned().into(),
        flag: Cow::Owned(flag(FlagType::Feature)),
        instance: InstanceId::new(instance.to_owned()).unwrap(),
        value: Cow::Owned(FlagValue::Boolean(true)),
        rollout_group: "treatment_1".into(),
        reason: Some(Reason::Override),
        bucket: None,
        revision: Some(time()),
        from_cache: Some(true),
        created: time(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_exposure_that_is_logged_never_changes() {
    let log = MemoryLog::default();
    let flag = flag(FlagType::Feature);
    let of_flag = ExposureScope::Flag(&flag);
    let insert = async |exposure: Exposure<'_>| {
        let record = exposure.to_record(CellFormat::Json).unwrap();
        let inserted = log.insert_or_compare(&record).await;
        inserted.map_err(|error| error.to_string())
    };
    let first = exposure("A", "r");
    assert_eq!(insert(first.clone()).await, Ok(Insert::Inserted));
    let again = insert(first.clone()).await;
    assert_eq!(again, Ok(Insert::AlreadyThere), "sent again");
    let logged = log.page(of_flag, TimeRange::ALL, None, 10).await.unwrap();
    for (changed, column) in [
        (
            Exposure {
                value: Cow::Owned(FlagValue::Boolean(false)),
                ..first.clone()
            },
            "AssignedValue",
        ),
        (
            Exposure {
                reason: None,
                ..first.clone()
            },
            "Reason",
        ),
        (
            Exposure {
                reason: Some(Reason::Control),
                bucket: Bucket::new(7),
                ..first
            },
            "Reason",
        ),
    ] {
        let refused = format!(
            "an exposure with this request id and time is already logged, with another {column}; \
             nothing was changed"
        );
        assert_eq!(insert(changed).await, Err(refused));
        assert_eq!(
            log.page(of_flag, TimeRange::ALL, None, 10).await.unwrap(),
            logged
        );
    }
}

#[test]
fn booleans_of_exposures_are_written_as_told() {
    let row = |boolean_format| {
        let record = exposure("A", "r").to_record(boolean_format).unwrap();
        record.row().clone()
    };
    for (boolean_format, text) in [(CellFormat::Json, "true"), (CellFormat::Python, "True")] {
        let row = row(boolean_format);
        for column in ["AssignedValue", "CacheFlag"] {
            assert_eq!(row.cells.get(column), Some(text.as_bytes()));
        }
        assert_eq!(check_exposure(&row), Ok(()));
    }
    let text = Exposure {
        value: Cow::Owned(FlagValue::Text("true".into())),
        flag: Cow::Owned(flag(FlagType::Data)),
        ..exposure("A", "r")
    };
    let record = text.to_record(CellFormat::Python).unwrap();
    let row = record.row();
    assert_eq!(row.cells.get("AssignedValue"), Some(b"true".as_slice()));
}

#[tokio::test(start_paused = true)]
async fn exposures_are_found_by_flag_and_by_instance() {
    let log = MemoryLog::default();
    let too_long = exposure("A", &"r".repeat(5_000));
    let exposures = [
        exposure("A#1", "r1"),
        too_long,
        exposure("A", "r2"),
        exposure("A", "r3"),
    ];
    let batch = ExposureBatch::of(BatchId(1), CellFormat::Json, &exposures);
    let written = log.append(&batch).await;
    assert_eq!(
        written.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true, true]
    );
    let (flag, instance) = (flag(FlagType::Feature), InstanceId::new("A").unwrap());
    let of_instance = ExposureScope::Instance(&flag, &instance);
    let found = log
        .page(of_instance, TimeRange::ALL, None, 10)
        .await
        .unwrap()
        .records;
    let requests = found.iter().map(|record| record.text().request_id);
    assert_eq!(requests.collect::<Vec<_>>(), ["r2", "r3"]);
    let of_flag = ExposureScope::Flag(&flag);
    assert_eq!(
        log.page(of_flag, TimeRange::ALL, None, 10)
            .await
            .unwrap()
            .records
            .len(),
        3
    );
    let rows = [found[0].row()];
    assert_eq!(
        String::from_utf8(rows[0].key.clone()).unwrap(),
        format!("PROJECT#p#FLAGTYPE#feature#FLAGNAME#f#INSTANCEID#A#REQUESTID#r2#TIME#{TIME}")
    );
    let cells: Vec<String> = rows[0]
        .cells
        .iter()
        .map(|(column, cell)| format!("{}={}", column.escape_ascii(), cell.escape_ascii()))
        .collect();
    let expected = [
        "AssignedGroup=treatment_1",
        "AssignedValue=true",
        "CacheFlag=true",
        &format!("CreatedTimestamp={TIME}"),
        "InstanceID=A",
        "Name=f",
        "Reason=override",
        "RequestID=r2",
        &format!("Revision={TIME}"),
        "Type=FEATURE",
    ];
    assert_eq!(cells, expected);
}

fn any_revision() -> impl Strategy<Value = Revision> {
    let treatment = (
        0..=20_000_u32,
        prop::collection::vec("[^\u{0}]{1,20}", 0..4),
        any::<String>(),
        prop::option::of("[a-z]{3,9}"),
    );
    let scheme = (
        prop::sample::select(HashAlgorithm::ALL),
        "[A-Za-z0-9._-]{1,20}",
    );
    (
        prop::collection::vec(treatment, 0..5),
        scheme,
        any::<String>(),
        any::<String>(),
        any::<bool>(),
    )
        .prop_map(
            |(treatments, (algorithm, salt), control, comment, version_1)| {
                let round = |buckets: u32| {
                    if version_1 {
                        buckets / 1_000 * 1_000
                    } else {
                        buckets
                    }
                };
                let percents: Vec<Percent> = treatments
                    .iter()
                    .map(|t| Percent::from_buckets(round(t.0)).unwrap())
                    .collect();
                let mut to = 0;
                let ranges: Vec<_> = percents
                    .iter()
                    .map(|percent| {
                        let from = to;
                        to += percent.buckets();
                        BucketRange::new(from, to).into_iter().collect()
                    })
                    .collect();
                let treatments = treatments.into_iter().zip(percents).zip(ranges).enumerate();
                let treatments =
                    treatments.map(|(at, (((_, overrides, value, name), percent), ranges))| {
                        let ids = overrides.into_iter().enumerate();
                        Treatment {
                            name: name
                                .filter(|_| !version_1)
                                .map(|name| TreatmentName::new(format!("{name}{at}")).unwrap()),
                            overrides: ids
                                .map(|(n, id)| InstanceId::new(format!("{at}{n}{id}")).unwrap())
                                .collect(),
                            percent,
                            value: FlagValue::text(&value).unwrap(),
                            ranges: if version_1 { vec![] } else { ranges },
                        }
                    });
                let mut parts = parts(FlagType::Data, FlagValue::text(&control).unwrap());
                parts.treatments = treatments.collect();
                parts.comment = comment;
                if !version_1 {
                    parts.scheme = BucketScheme::V2 {
                        algorithm,
                        salt: Salt::new(salt).unwrap(),
                    };
                }
                Revision::new(time(), parts).unwrap()
            },
        )
}

proptest! {
    #[test]
    fn every_revision_reads_back_as_written(revision in any_revision()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assert_eq!(runtime.block_on(read_back(&revision)), revision);
    }
}
