//! Guards the store: limits its calls, and stops them while it fails.
mod circuit;
mod deferred;
mod guard;
mod metrics;

pub use self::circuit::Circuit;
pub use self::deferred::DeferredStore;
pub use self::guard::{GuardSettings, StoreGuard};
