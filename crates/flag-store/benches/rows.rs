//! Measures what rows cost: `cargo bench -p flag-store --bench rows [-- PART OF A NAME]`.
//!
//! Rows of revisions as either is spelled: as Python literals, which the Python framework writes and reads, and as JSON. What is
//! built is freed within the time, as it is wherever rows are used.
#![allow(clippy::unwrap_used, reason = "benches")]

use std::borrow::Cow;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use flag_model::{
    Bucket, BucketScheme, FlagKey, FlagValue, HashAlgorithm, InstanceId, OwnerId, Percent, Reason,
    Revision, RevisionParts, Timestamp, Treatment,
};
use flag_store::{
    CellFormat, Exposure, ExposureRecord, RowOptions, decode_revision, encode_revision,
};

const TIME: &str = "2024-09-25 19:15:28.248896";

/// How many exposures the service writes together.
const BATCH: u64 = 500;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    revisions(&mut criterion, "1 override", 1);
    revisions(&mut criterion, "10,000 overrides", 10_000);
    exposures(&mut criterion);
    criterion.final_summary();
}

fn revisions(criterion: &mut Criterion, name: &str, overrides: usize) {
    let revision = revision(overrides);
    let python = RowOptions::default();
    let json = RowOptions {
        v1_cells: CellFormat::Json,
        ..python
    };
    let [json, python] =
        [json, python].map(|options| encode_revision(&revision, &options).unwrap());
    let options = RowOptions::default();
    assert_eq!(decode_revision(&json, &options).unwrap(), revision);
    assert_eq!(decode_revision(&python, &options).unwrap(), revision);
    let mut group = criterion.benchmark_group(format!("revision of {name}"));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| encode_revision(black_box(&revision), &options));
    });
    for (name, row) in [("decode JSON", json), ("decode Python", python)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| decode_revision(black_box(&row), &options));
        });
    }
    group.finish();
}

fn exposures(criterion: &mut Criterion) {
    let flag = flag();
    let exposures: Vec<Exposure<'_>> = (0..BATCH).map(|n| exposure(&flag, n)).collect();
    let mut group = criterion.benchmark_group("exposures");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("encode 500", |bencher| {
        bencher.iter(|| -> Vec<ExposureRecord> {
            let exposures = black_box(&exposures).iter();
            exposures
                .map(|exposure| exposure.to_record(CellFormat::Json).unwrap())
                .collect()
        });
    });
    group.finish();
}

fn flag() -> FlagKey {
    "csr-assistant/feature/multi_step_api_router"
        .parse()
        .unwrap()
}

fn revision(overrides: usize) -> Revision {
    let ids = (0..overrides).map(|n| InstanceId::new(format!("A{n:05}")).unwrap());
    let parts = RevisionParts {
        flag: flag(),
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
        control: FlagValue::Boolean(false),
        treatments: vec![Treatment {
            name: None,
            overrides: ids.collect(),
            percent: Percent::from_buckets(40_000).unwrap(),
            value: FlagValue::Boolean(true),
            ranges: vec![],
        }],
        comment: "Rollout to 40%".to_owned(),
        owner: Some(OwnerId::new("John Smith").unwrap()),
        rollback_of: None,
    };
    Revision::new(Timestamp::parse(TIME).unwrap(), parts).unwrap()
}

/// As the service makes them, nothing missing.
fn exposure(flag: &FlagKey, number: u64) -> Exposure<'_> {
    Exposure {
        request_id: format!("0192f2a4-7c11-7e3a-9d52-{number:012x}").into(),
        flag: Cow::Borrowed(flag),
        instance: InstanceId::new(format!("A{number:05}")).unwrap(),
        value: Cow::Borrowed(&FlagValue::Boolean(true)),
        rollout_group: "treatment_1".into(),
        reason: Some(Reason::Rollout),
        bucket: Bucket::new(31_444),
        revision: Some(Timestamp::parse(TIME).unwrap()),
        from_cache: Some(true),
        created: Timestamp::parse("2026-11-21 10:00:00.123456").unwrap(),
    }
}
