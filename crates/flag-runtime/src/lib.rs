//! Keeps flags fresh in memory, and writes exposures to their log.
//!
//! Knows no HTTP and no settings of a process, and opens no store. It has errors of its own; its callers translate them.
//! - `store/` guards the store: reads have a deadline, a limit and a circuit breaker; writes of exposures a circuit breaker.
//! - `flags/` keeps the newest revisions, compiled: cache, negative cache, change watcher, snapshot file.
//! - `events/` notifies subscribers of changed flags.
//! - `exposures/` queues what was served and writes it in batches.
//! - `replica` reports which revisions this replica serves.
//! - `sample_ratios` compares what was served with the percentages of the flags.
mod causes;
mod events;
mod exposures;
mod flags;
#[cfg(test)]
mod log_lines;
mod replica;
mod sample_ratios;
mod store;

pub use crate::events::{Event, Events, SubscribeError, Subscription};
pub use crate::exposures::{
    COUNTS_RETENTION, CreatedBounds, DedupSettings, ExposureFormat, ExposureHandled,
    ExposureRecorder, ExposureSettings, Overflow, QueueFull, Recording, WaitForRoom,
    expire_exposures, exposure_runtime,
};
pub use crate::flags::{
    BucketCache, BucketCacheSettings, CacheError, CacheStats, FlagCache, FlagCacheSettings,
    FlagKeyRef, ServedPlan, Snapshot, Source, watch_changes,
};
pub use crate::replica::ReplicaReporter;
pub use crate::sample_ratios::SampleRatios;
pub use crate::store::{Circuit, DeferredStore, GuardSettings, StoreGuard};
