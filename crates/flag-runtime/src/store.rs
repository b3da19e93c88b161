//! Guards the store: opened in the background, bounded calls, and none while it fails.
mod circuit;
mod deferred;
mod guard;
mod metrics;
mod opening;

pub use self::circuit::Circuit;
pub use self::deferred::DeferredStore;
pub use self::guard::{GuardSettings, StoreGuard};
pub use self::opening::{OpenError, Opening, Seed, Stores};
