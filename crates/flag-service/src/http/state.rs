//! The state of the application, shared by all workers.

use std::sync::Arc;

use flag_runtime::{BucketCache, ExposureRecorder, FlagCache};

use super::cors::Cors;
use super::explain_reader::ExplainReader;
use super::failure_log::FailureLog;
use super::failure_pages::FailurePages;
use super::limits::Limits;
use super::ofrep_settings::OfrepSettings;
use super::readiness::Readiness;
use crate::access::Authenticator;
use crate::telemetry::Telemetry;
use crate::telemetry::metrics::Metrics;

/// The state of the application.
#[derive(Debug)]
pub(crate) struct AppState {
    /// The flag cache.
    pub(crate) flags: FlagCache,
    /// The bucket cache.
    pub(crate) buckets: BucketCache,
    /// Whether flags can be served.
    pub(crate) readiness: Readiness,
    /// Authenticates callers.
    pub(crate) authenticator: Authenticator,
    /// Limits of requests.
    pub(crate) limits: Limits,
    /// Metrics.
    pub(crate) metrics: Metrics,
    /// Records exposures.
    pub(crate) exposures: ExposureRecorder,
    /// Reads old revisions and exposures for `explain`.
    pub(crate) explain_reader: ExplainReader,
    /// Log lines of failed requests.
    pub(crate) failure_log: FailureLog,
    /// Makes pages of failures, if there is a dashboard.
    pub(crate) failure_pages: Option<Arc<dyn FailurePages>>,
    /// Traces.
    pub(crate) telemetry: Telemetry,
    /// The largest body, in bytes.
    pub(crate) max_body: usize,
    /// Settings of OFREP.
    pub(crate) ofrep: OfrepSettings,
    /// The other origins whose pages may send requests, if there are any.
    pub(crate) cors: Option<Cors>,
    /// Whether there are event streams.
    pub(crate) has_event_streams: bool,
}

#[cfg(test)]
impl AppState {
    /// The state of a service with default settings and an empty store in memory.
    pub(crate) fn for_tests() -> Self {
        Self::over(Arc::new(flag_store::memory::MemoryStore::default()))
    }

    /// The same with a store of the test's own.
    pub(crate) fn over(rows: Arc<dyn flag_store::RowStore>) -> Self {
        use flag_runtime::{DeferredStore, StoreGuard};
        use flag_store::memory::MemoryLog;
        use flag_store::{ExposureLog, FlagStore, SystemClock};
        use tokio::runtime::Handle;

        let config = crate::config::Config::of_defaults();
        let mut registry = crate::telemetry::metrics::registry();
        let rows = Arc::new(DeferredStore::from(rows));
        let guard = StoreGuard::new(rows, config.cache.guard(), &mut registry);
        let circuit = guard.read_circuit();
        let store = FlagStore::new(Arc::new(guard), Arc::new(SystemClock));
        let flags = FlagCache::new(
            store.clone(),
            Arc::clone(&circuit),
            config.cache.flags,
            Handle::current(),
            &mut registry,
        );
        let log: Arc<dyn ExposureLog> = Arc::new(MemoryLog::default());
        let exposures = ExposureRecorder::start(
            Arc::clone(&log),
            (Arc::clone(&log), &Handle::current()),
            &config.exposures,
            &mut registry,
        );
        let id_mode = flag_store::InstanceIdMode::Plain;
        Self {
            explain_reader: ExplainReader::new(
                store.clone(),
                Arc::clone(&log),
                id_mode,
                &Handle::current(),
            ),
            readiness: Readiness::new(store, log, circuit, flags.clone()),
            flags,
            buckets: BucketCache::new(config.cache.buckets),
            authenticator: Authenticator::open(&config.access, &Handle::current(), &mut registry),
            limits: Limits::new(config.limits, &mut registry),
            exposures,
            metrics: Metrics::new(registry, &crate::openapi::route_labels()),
            failure_log: FailureLog::default(),
            failure_pages: None,
            telemetry: Telemetry::off(),
            max_body: config.http.max_body,
            ofrep: config.ofrep,
            cors: config.cors,
            has_event_streams: config.push,
        }
    }
}
