//! Starts everything, serves, and stops everything.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::absolute;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::web::Data;
use anyhow::Context as _;
use flag_model::Timestamp;
use flag_runtime::{
    BucketCache, COUNTS_RETENTION, DeferredStore, ExposureRecorder, FlagCache, SampleRatios,
    Snapshot, StoreGuard, expire_exposures, exposure_runtime, watch_changes,
};
use flag_settings::{StoreSettings, ignore_sigxfsz};
use flag_store::{ExposureLog, FlagStore, RowStore, SystemClock};
use tokio::runtime::{Builder, Handle};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::{info, warn};

use super::listen::listen;
use super::notify::notify_systemd_around;
use super::opening::{Opening, Seed};
use super::reporting::Reporting;
use super::stop;
use super::watchdog;
use crate::access::Authenticator;
use crate::config::{Config, Demo};
use crate::dashboard::{self, Dashboard, OtherStore, PageRuntimes, PageThreads};
use crate::demo;
use crate::http::{AppState, ExplainReader, FailureLog, Limits, Readiness};
use crate::openapi::route_labels;
use crate::telemetry::metrics::{self, Metrics};
use crate::telemetry::{LogWriter, Telemetry};
use crate::tls::Tls;

/// Threads that read the store; requests have workers of their own.
const STORE_THREADS: usize = 2;

/// How long writing the last snapshot may take.
const LAST_SNAPSHOT: Duration = Duration::from_secs(2);

/// How long sending the last traces may take.
const LAST_TRACES: Duration = Duration::from_millis(500);

/// How long closing the store may take; what is left stays in its write-ahead log.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Serves until SIGTERM, SIGINT or SIGHUP.
pub(crate) fn run(config: &Config, log_writer: &LogWriter) -> anyhow::Result<()> {
    watchdog::start(log_writer.clone())?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(STORE_THREADS)
        .enable_all()
        .build()?;
    let priority = config.exposures.overflow.writer_priority();
    let background = exposure_runtime(priority)?;
    let pages = PageRuntimes::start()?;
    let served = runtime.block_on(serve(
        config,
        log_writer,
        background.handle(),
        &pages.threads(),
    ));
    // Calls to the store that have not ended must not delay the end.
    runtime.shutdown_background();
    background.shutdown_background();
    pages.shutdown();
    served
}

async fn serve(
    config: &Config,
    log_writer: &LogWriter,
    background: &Handle,
    pages: &PageThreads,
) -> anyhow::Result<()> {
    ignore_sigxfsz()?;
    // From the start: since the watchdog handles these signals, the system no longer ends the process.
    let signals = stop::signals()?;
    log_start(config);
    let mut registry = metrics::registry();
    log_writer.register(&mut registry);
    let settings = config.store.clone();
    let settings = settings.with_read_timeout(config.cache.flags.read_timeout);
    let seed = (config.demo == Demo::On).then_some(demo::fill as Seed);
    let priority = config.exposures.overflow.writer_priority();
    let (stores, mut opening) = Opening::begin(settings, seed, background.clone(), priority);
    let guard = StoreGuard::new(stores.rows, config.cache.guard(), &mut registry);
    let guard = Arc::new(guard);
    let (explain_reader, dashboard) =
        explain_and_dashboard(config, &guard, Arc::clone(&stores.log), pages);
    let store = FlagStore::new(
        Arc::clone(&guard) as Arc<dyn RowStore>,
        Arc::new(SystemClock),
    )
    .with_options(config.row_options);
    let circuit = guard.read_circuit();
    let flags = FlagCache::new(
        store.clone(),
        Arc::clone(&circuit),
        config.cache.flags,
        Handle::current(),
        &mut registry,
    );
    let snapshot = start_snapshot(config, &flags).await;
    opening.first_attempt().await?;
    let period = config.cache.poll;
    let watching =
        period.map(|period| tokio::spawn(watch_changes(store.clone(), flags.clone(), period)));
    let tls = config.tls.as_ref();
    let tls = tls.map(|tls| Tls::start(tls, &mut registry)).transpose()?;
    let telemetry = Telemetry::start(&config.telemetry, &mut registry)?;
    let exposure_log: Arc<dyn ExposureLog> = Arc::new(guard.for_log(stores.log));
    let background_writer_log: Arc<dyn ExposureLog> =
        Arc::new(guard.for_log(stores.background_writer_log));
    let exposures = ExposureRecorder::start(
        Arc::clone(&exposure_log),
        (Arc::clone(&background_writer_log), background),
        &config.exposures,
        &mut registry,
    );
    let reporting = Reporting::start(config, &exposure_log, &flags);
    start_expiry(config);
    let sample_ratios = SampleRatios::register(&mut registry);
    tokio::spawn(sample_ratios.watch(
        flags.clone(),
        Arc::clone(&exposure_log),
        Arc::new(SystemClock),
    ));
    let state = Data::new(AppState {
        readiness: Readiness::new(store, Arc::clone(&exposure_log), circuit, flags.clone()),
        flags,
        buckets: BucketCache::new(config.cache.buckets),
        authenticator: Authenticator::open(&config.access, &Handle::current(), &mut registry),
        limits: Limits::new(config.limits, &mut registry),
        exposures,
        explain_reader,
        metrics: Metrics::new(registry, &route_labels()),
        failure_log: FailureLog::default(),
        failure_pages: config.dashboard.clone().map(dashboard::failure_pages),
        telemetry,
        max_body: config.http.max_body,
        ofrep: config.ofrep.clone(),
        cors: config.cors.clone(),
        has_event_streams: config.push,
    });
    let probing = Arc::clone(&guard);
    tokio::spawn(async move { probing.probe().await });
    let (server, address) = listen(config.listen, config.workers, &state, dashboard, tls)
        .with_context(|| format!("cannot listen on {} (--listen, FLAG_LISTEN)", config.listen))?;
    log_listening(config, address);
    let signals = notify_systemd_around(config.notify_socket.clone(), &state, signals);
    let serving = stop::serve_until(signals, server, &state, config.http.drain_delay);
    let ended = tokio::select! {
        ended = serving => ended,
        error = opening.failed() => return Err(error.into()),
    };
    // Also if exposures were not written: a snapshot is for outages of the store.
    if let Some(snapshot) = snapshot {
        let _ = timeout(LAST_SNAPSHOT, snapshot.write()).await;
    }
    spawn_blocking(move || state.telemetry.shutdown(LAST_TRACES)).await?;
    watching.inspect(JoinHandle::abort);
    reporting.stop().await;
    let closing = async {
        background_writer_log.close().await;
        exposure_log.close().await;
        guard.close().await;
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
    ended?;
    info!("stopped");
    Ok(())
}

/// Makes the reader for `explain`, and the dashboard, if there is one. Of the embedded store's two reading threads they use one at most.
fn explain_and_dashboard(
    config: &Config,
    guard: &StoreGuard<dyn RowStore>,
    log: Arc<DeferredStore<dyn ExposureLog>>,
    pages: &PageThreads,
) -> (ExplainReader, Option<Data<Dashboard>>) {
    let settings = dashboard::guard_settings(&config.store);
    let reads = settings.concurrent_reads;
    let guard = guard.with_separate_limits(settings);
    let log: Arc<dyn ExposureLog> = Arc::new(guard.for_log(log));
    let store =
        FlagStore::new(Arc::new(guard), Arc::new(SystemClock)).with_options(config.row_options);
    let id_mode = config.exposures.format.id_mode.clone();
    let explain_reader = ExplainReader::new(
        store.clone(),
        Arc::clone(&log),
        id_mode.clone(),
        pages.normal(),
    );
    let dashboard = config.dashboard.clone().map(|settings| {
        let logged = (id_mode, config.exposures.recording);
        let other = config.other_store.clone();
        let other =
            other.map(|other| OtherStore::new(other, config.row_options, Handle::current()));
        let dashboard = Dashboard::new(settings, store, log, logged, (pages, reads), other);
        Data::new(dashboard)
    });
    (explain_reader, dashboard)
}

/// Starts to remove old exposures from the embedded store; a table in Bigtable has an expiry rule.
fn start_expiry(config: &Config) {
    let StoreSettings::Embedded(_) = config.store else {
        return;
    };
    let (store, retention) = (config.store.clone(), config.exposures.retention);
    let remove = move |before: Timestamp| {
        let store = store.clone();
        let counts_before = before.saturating_add(retention.saturating_sub(COUNTS_RETENTION));
        async move {
            store
                .remove_counts_before(&counts_before.to_string())
                .await?;
            store.remove_exposures_before(&before.to_string()).await
        }
    };
    tokio::spawn(expire_exposures(retention, remove));
}

/// Loads the snapshot, if one is configured, and keeps it up to date from now on.
async fn start_snapshot(config: &Config, flags: &FlagCache) -> Option<Arc<Snapshot>> {
    let path = config.cache.snapshot.clone()?;
    let store = config.store.identity(&config.deployment);
    let snapshot = Snapshot::new(path, store, flags.clone());
    let snapshot = Arc::new(snapshot);
    snapshot.load().await;
    tokio::spawn(Arc::clone(&snapshot).keep_up_to_date());
    Some(snapshot)
}

/// Logs, as the first line, which store is used, and which setting chose it.
fn log_start(config: &Config) {
    let directory = match &config.store {
        StoreSettings::Embedded(directory) => absolute(directory).ok(),
        StoreSettings::Bigtable(_) => None,
    };
    let directory = directory.map(|directory| directory.display().to_string());
    info!(store = config.store.display_name(), because = %config.store_origin, directory, "starting");
    for variable in &config.unknown_variables {
        let (variable, similar) = (&variable.name, variable.similar);
        warn!(variable, similar, "no setting has this variable");
    }
}

/// Logs the address, and prints it without waiting for a reader of standard output.
fn log_listening(config: &Config, address: SocketAddr) {
    info!(%address, workers = config.workers, store = config.store.display_name(), "listening");
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let greeting = format!(
        "flag-service serves {scheme}://{address} from the {}\n",
        config.store.display_name()
    );
    let hint = match config.demo {
        Demo::On => format!("Try:\n  {}\n", demo::curl(scheme, address)),
        Demo::Off => String::new(),
    };
    let greet = move || {
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all((greeting + &hint).as_bytes());
        let _ = stdout.flush();
    };
    let _ = thread::Builder::new()
        .name("greeting".to_owned())
        .spawn(greet);
}
