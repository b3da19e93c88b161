//! Measures a hit of the flag cache, and a bucket from the bucket cache beside a new hash:
//! `cargo bench -p flag-runtime [-- PART OF A NAME]`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "benches")]

mod warm;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use flag_model::{BucketScheme, HashAlgorithm, InstanceId, Salt};
use flag_runtime::{BucketCache, BucketCacheSettings};
use tokio::runtime::Runtime;
use tokio::time::Instant;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    hit(&mut criterion);
    buckets(&mut criterion);
    criterion.final_summary();
}

/// A hit, as a request looks it up.
fn hit(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let cache = runtime.block_on(warm::cache());
    criterion.bench_function("flag cache hit", |bencher| {
        bencher.iter(|| cache.get_fresh(warm::KNOWN, Instant::now()).unwrap());
    });
}

/// A bucket, hashed and remembered, for few instances and many, which are asked for at random.
fn buckets(criterion: &mut Criterion) {
    let md5 = BucketScheme::v1(HashAlgorithm::Md5);
    let sha256 = BucketScheme::V2 {
        algorithm: HashAlgorithm::Sha256,
        salt: Salt::new("one").unwrap(),
    };
    for (name, format) in [("md5", md5), ("sha256", sha256)] {
        let mut group = criterion.benchmark_group(format!("bucket {name}"));
        for instances in [1_000, 100_000, 1_000_000] {
            let ids: Vec<_> = (0..instances).map(instance).collect();
            for (how, entries) in [("hashed", 0), ("remembered", 2 * instances)] {
                let lifetime = Duration::from_hours(48);
                let buckets = BucketCache::new(BucketCacheSettings { lifetime, entries });
                for id in &ids {
                    black_box(buckets.bucket(&format, id));
                }
                let mut random = fastrand::Rng::with_seed(0);
                group.bench_function(BenchmarkId::new(how, instances), |bencher| {
                    bencher.iter(|| buckets.bucket(&format, &ids[random.usize(..instances)]));
                });
            }
        }
        group.finish();
    }
}

fn instance(n: usize) -> InstanceId<'static> {
    InstanceId::new(format!("instance-{n}")).unwrap()
}
