//! Measures decisions beside the digest alone of the same bytes, and how long plans take to compile:
//! `cargo bench -p flag-rollout [-- PART OF A NAME]`.
//!
//! A decision without a treatment (`static`) takes a digest too, as it tells the bucket; an override takes none.
#![allow(clippy::unwrap_used, reason = "benches")]

#[path = "../tests/it/flags.rs"]
mod flags;

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use digest::Digest;
use flag_model::{BucketScheme, HashAlgorithm, InstanceId, Revision};
use flag_rollout::{Plan, decide};

use crate::flags::{Share, id, plan, revision, v2};

/// How many ids are asked for in turn: more than a branch predictor learns by heart.
const INSTANCES: usize = 10_000;

/// As long as the name of a flag, which is the usual salt.
const SALT: &str = "multi_step_api_router";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let v2 = |algorithm| v2(algorithm, SALT);
    decisions::<md5::Md5>(
        &mut criterion,
        "v1 md5",
        &BucketScheme::v1(HashAlgorithm::Md5),
    );
    decisions::<md5::Md5>(&mut criterion, "v2 md5", &v2(HashAlgorithm::Md5));
    decisions::<sha1::Sha1>(&mut criterion, "v2 sha1", &v2(HashAlgorithm::Sha1));
    decisions::<sha2::Sha256>(&mut criterion, "v2 sha256", &v2(HashAlgorithm::Sha256));
    compiling(&mut criterion);
    criterion.final_summary();
}

/// One group per bucket scheme, the digest first.
fn decisions<D: Digest>(criterion: &mut Criterion, scheme_name: &str, scheme: &BucketScheme) {
    let ids = texts("A", INSTANCES);
    let hashed: Vec<String> = match scheme {
        BucketScheme::V1 { .. } => ids.clone(),
        BucketScheme::V2 { .. } => ids.iter().map(|id| format!("{SALT}#{id}")).collect(),
    };
    let mut group = criterion.benchmark_group(format!("decide {scheme_name}"));
    group.bench_function("digest alone", |bencher| {
        let mut hashed = hashed.iter().cycle();
        bencher.iter(|| see(&D::digest(hashed.next().unwrap())));
    });
    deciding(&mut group, "static", &plan(scheme.clone(), &[]), &ids);
    let forty_percent = |overrides: &[&str]| {
        let buckets = 40_000;
        plan(scheme.clone(), &[Share { buckets, overrides }])
    };
    deciding(&mut group, "percentage", &forty_percent(&[]), &ids);
    let others = texts("B", INSTANCES);
    let others = forty_percent(&borrowed(&others));
    deciding(
        &mut group,
        "percentage beside 10,000 overrides",
        &others,
        &ids,
    );
    let all = forty_percent(&borrowed(&ids));
    deciding(&mut group, "override, 1 of 10,000", &all, &ids);
    group.finish();
}

fn deciding(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, plan: &Plan, ids: &[String]) {
    let ids: Vec<InstanceId<'_>> = ids.iter().map(|text| id(text)).collect();
    group.bench_function(name, |bencher| {
        let mut ids = ids.iter().cycle();
        bencher.iter(|| see(&decide(black_box(plan), ids.next().unwrap())));
    });
}

/// Keeps a result from being optimised away, where it stands: handed on, it would be copied, at a cost.
fn see<T>(result: &T) {
    black_box(result);
}

fn compiling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile, by overrides");
    for count in [10, 10_000, 100_000] {
        let revision = overriding(count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_batched(|| revision.clone(), Plan::compile, BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn overriding(count: usize) -> Revision {
    let overrides = texts("A", count);
    let overrides = &borrowed(&overrides);
    let buckets = 40_000;
    revision(
        BucketScheme::v1(HashAlgorithm::Md5),
        &[Share { buckets, overrides }],
    )
}

/// Ids of sixteen bytes.
fn texts(first: &str, count: usize) -> Vec<String> {
    (0..count).map(|id| format!("{first}{id:015}")).collect()
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
