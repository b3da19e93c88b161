//! Keeps flags fresh in memory and exposures on their way to the log.
//!
//! Knows no HTTP: neither requests nor statuses. Errors are its own; whoever serves flags says what they mean.
//! - `store/` guards the store: it is opened in the background; reads have a deadline, a limit and a circuit breaker, writes of
//!   exposures a circuit breaker.
//! - `flags/` keeps the newest revisions, compiled: cache, negative cache, change watcher, snapshot file.
//! - `exposures/` queues what was served and writes it in batches.
mod causes;
mod exposures;
mod flags;
mod store;

pub use crate::causes::with_causes;
pub use crate::exposures::{
    CreatedBounds, DedupSettings, ExposureFormat, ExposureSettings, Exposures, Recording,
    expire_exposures, exposure_runtime,
};
pub use crate::flags::{
    CacheError, CacheStats, Current, FlagCache, FlagCacheSettings, FlagKeyRef, PositionSettings,
    Positions, Snapshot, Source, watch_changes,
};
pub use crate::store::{
    Circuit, DeferredStore, GuardSettings, OpenError, Opening, Seed, StoreGuard, Stores,
};
