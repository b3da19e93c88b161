//! Flags in memory, ready to decide.
mod bucket_cache;
mod cache;
mod collector;
mod entry;
mod existing_flags;
mod key_ref;
mod metrics;
mod negative_cache;
mod project_flag_keys;
mod project_reports;
mod read_task;
mod reconcile;
mod restored_projects;
mod snapshot;
mod stats;
#[cfg(test)]
mod tests;
mod token_bucket;
mod watched_projects;
mod watcher;

use std::time::Duration;

pub use self::bucket_cache::{BucketCache, BucketCacheSettings};
pub use self::cache::{CacheError, FlagCache};
pub(crate) use self::entry::CacheEntry;
pub use self::entry::{ServedPlan, Source};
pub use self::key_ref::FlagKeyRef;
pub use self::snapshot::Snapshot;
pub use self::stats::CacheStats;
#[cfg(test)]
pub(crate) use self::tests::settings as test_settings;
pub use self::watcher::watch_changes;

/// Settings of the flag cache.
#[derive(Clone, Copy, Debug)]
pub struct FlagCacheSettings {
    /// How long a flag is served without reading it again.
    pub lifetime: Duration,
    /// How long it is served after that while the store cannot be reached.
    pub max_stale: Duration,
    /// The most flags in memory.
    pub entries: usize,
    /// Deadline of a read.
    pub read_timeout: Duration,
    /// Whether a change watcher runs.
    pub watches_changes: bool,
    /// Whether the cache keeps the stored row of each flag, for the snapshot.
    pub keeps_rows: bool,
}
