//! A flag cache for the benches.
use std::sync::Arc;
use std::time::Duration;

use flag_model::{BucketScheme, FlagKey, FlagType, FlagValue, HashAlgorithm, RevisionParts};
use flag_runtime::{
    DeferredStore, FlagCache, FlagCacheSettings, FlagKeyRef, GuardSettings, StoreGuard,
};
use flag_store::memory::MemoryStore;
use flag_store::{Base, FlagStore, RowStore, SystemClock};
use prometheus_client::registry::Registry;

/// The flag that is in memory.
pub(crate) const KNOWN: FlagKeyRef<'static> = FlagKeyRef {
    project: "p",
    flag_type: FlagType::Feature,
    name: "known",
};

/// A cache that has [`KNOWN`] in memory.
pub(crate) async fn cache() -> FlagCache {
    let rows: Arc<dyn RowStore> = Arc::new(MemoryStore::default());
    let read_timeout = Duration::from_millis(280);
    let limits = GuardSettings {
        concurrent_reads: 64,
        read_timeout,
    };
    let mut registry = Registry::default();
    let deferred = Arc::new(DeferredStore::from(rows));
    let guard = Arc::new(StoreGuard::new(deferred, limits, &mut registry));
    let store = FlagStore::new(guard.clone(), Arc::new(SystemClock));
    let settings = FlagCacheSettings {
        lifetime: Duration::from_hours(1),
        max_stale: Duration::from_hours(24),
        entries: 100,
        read_timeout,
        watches_changes: false,
        keeps_rows: false,
    };
    let reads = tokio::runtime::Handle::current();
    let cache = FlagCache::new(
        store.clone(),
        guard.read_circuit(),
        settings,
        reads,
        &mut registry,
    );
    let flag: FlagKey = "p/feature/known".parse().unwrap();
    let revision = RevisionParts {
        flag: flag.clone(),
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
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
    cache.get_or_read(&flag).await.unwrap();
    cache
}
