//! Measures a hit of the flag cache, and a bucket from the bucket cache beside a new hash:
//! `cargo bench -p flag-runtime [-- PART OF A NAME]`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "benches")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use flag_model::{FlagType, FlagValue, Format, HashAlgorithm, InstanceId, RevisionParts, Salt};
use flag_runtime::{
    BucketCache, BucketCacheSettings, DeferredPort, FlagCache, FlagCacheSettings, FlagKeyRef,
    GuardSettings, GuardedPort,
};
use flag_store::memory::MemoryStore;
use flag_store::{Base, FlagStore, RowStore, SystemClock};
use prometheus_client::registry::Registry;
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
    let cache = runtime.block_on(warm_cache());
    let key = FlagKeyRef {
        project: "p",
        flag_type: FlagType::Feature,
        name: "known",
    };
    criterion.bench_function("flag cache hit", |bencher| {
        bencher.iter(|| cache.get_fresh(key, Instant::now()).unwrap());
    });
}

/// A cache that has one flag in memory.
async fn warm_cache() -> FlagCache {
    let rows: Arc<dyn RowStore> = Arc::new(MemoryStore::default());
    let deadline = Duration::from_millis(280);
    let limits = GuardSettings {
        concurrent_reads: 64,
        deadline,
    };
    let mut registry = Registry::default();
    let deferred = Arc::new(DeferredPort::from(rows));
    let guard = Arc::new(GuardedPort::new(deferred, limits, &mut registry));
    let store = FlagStore::new(guard.clone(), Arc::new(SystemClock));
    let settings = FlagCacheSettings {
        lifetime: Duration::from_hours(1),
        max_stale: Duration::from_hours(24),
        entries: 100,
        deadline,
        is_polled: false,
        keeps_rows: false,
    };
    let reads = tokio::runtime::Handle::current();
    let cache = FlagCache::new(
        store.clone(),
        guard.circuit(),
        settings,
        reads,
        &mut registry,
    );
    let flag: flag_model::FlagKey = "p/feature/known".parse().unwrap();
    let revision = RevisionParts {
        flag: flag.clone(),
        format: Format::v1(HashAlgorithm::Md5),
        control: FlagValue::Boolean(false),
        treatments: vec![],
        comment: String::new(),
        owner: None,
        rollback_of: None,
    };
    store
        .append_revision(Base::Nothing, revision)
        .await
        .unwrap();
    cache.current(&flag).await.unwrap();
    cache
}

/// A bucket, hashed and remembered, for few instances and many, which are asked for at random.
fn buckets(criterion: &mut Criterion) {
    let md5 = Format::v1(HashAlgorithm::Md5);
    let sha256 = Format::V2 {
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
