//! What the handlers answer from; one for all workers.

use flag_runtime::{Exposures, FlagCache, Positions};

use crate::access::Door;
use crate::health::Readiness;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::telemetry::Telemetry;

/// What the handlers answer from.
#[derive(Debug)]
pub(crate) struct Site {
    /// The flags, compiled.
    pub(crate) flags: FlagCache,
    /// Where instances stand on the rollout line.
    pub(crate) positions: Positions,
    /// Whether flags can be served.
    pub(crate) readiness: Readiness,
    /// Who may come in.
    pub(crate) door: Door,
    /// How much is too much.
    pub(crate) limits: Limits,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// The exposure log.
    pub(crate) exposures: Exposures,
    /// What is said of requests elsewhere.
    pub(crate) telemetry: Telemetry,
    /// The largest body, in bytes.
    pub(crate) max_body: usize,
}

#[cfg(test)]
impl Site {
    /// A site over an empty store in memory, as a service without settings has it.
    pub(crate) fn for_tests() -> Self {
        use std::sync::Arc;

        use flag_runtime::{DeferredStore, StoreGuard};
        use flag_store::memory::{MemoryLog, MemoryStore};
        use flag_store::{ExposureLog, FlagStore, RowStore, SystemClock};
        use tokio::runtime::Handle;

        let config = crate::config::Config::of_defaults();
        let mut registry = crate::metrics::registry();
        let rows: Arc<dyn RowStore> = Arc::new(MemoryStore::default());
        let rows = Arc::new(DeferredStore::from(rows));
        let guard = StoreGuard::new(rows, config.cache.guard(), &mut registry);
        let circuit = guard.circuit();
        let store = FlagStore::new(Arc::new(guard), Arc::new(SystemClock));
        let flags = FlagCache::new(
            store.clone(),
            Arc::clone(&circuit),
            config.cache.flags,
            Handle::current(),
            &mut registry,
        );
        let log: Arc<dyn ExposureLog> = Arc::new(MemoryLog::default());
        let exposures = Exposures::start(
            Arc::clone(&log),
            (Arc::clone(&log), &Handle::current()),
            &config.exposures,
            &mut registry,
        );
        Self {
            readiness: Readiness::new(store, log, circuit, flags.clone()),
            flags,
            positions: Positions::new(config.cache.positions),
            door: Door::open(&config.access, &Handle::current(), &mut registry),
            limits: Limits::new(config.limits, &mut registry),
            exposures,
            metrics: Metrics::new(registry),
            telemetry: Telemetry::off(),
            max_body: config.http.max_body,
        }
    }
}
