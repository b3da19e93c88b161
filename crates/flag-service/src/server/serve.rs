//! Starts everything, serves, and stops everything.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::absolute;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::web::Data;
use anyhow::Context as _;
use flag_runtime::{
    Exposures, FlagCache, Opening, Positions, Seed, Snapshot, StoreGuard, expire_exposures,
    exposure_runtime, watch_changes,
};
use flag_settings::StoreSettings;
use flag_store::{ExposureLog, FlagStore, RowStore, SystemClock};
use tokio::runtime::{Builder, Handle};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::{info, warn};

use super::listen::listen;
use super::stop;
use super::watchdog;
use crate::access::Authenticator;
use crate::config::{Config, Demo};
use crate::demo;
use crate::http::AppState;
use crate::http::Limits;
use crate::http::Readiness;
use crate::telemetry::metrics::{self, Metrics};
use crate::telemetry::{LogWriter, Telemetry};

/// Threads that read the store; requests have workers of their own.
const STORE_THREADS: usize = 2;

/// How long the last snapshot may take.
const LAST_SNAPSHOT: Duration = Duration::from_secs(2);

/// How long the last traces may take when everything else has ended.
const LAST_TRACES: Duration = Duration::from_millis(500);

/// How long the store may take to close; the rest stays in its write-ahead log.
const CLOSING: Duration = Duration::from_millis(500);

/// Serves until SIGTERM, SIGINT or SIGHUP.
pub(crate) fn run(config: &Config, log: &LogWriter) -> anyhow::Result<()> {
    watchdog::start(log.clone())?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(STORE_THREADS)
        .enable_all()
        .build()?;
    let background = exposure_runtime()?;
    let served = runtime.block_on(serve(config, log, background.handle()));
    // What a store still does must not hold up the end.
    runtime.shutdown_background();
    background.shutdown_background();
    served
}

async fn serve(config: &Config, log: &LogWriter, background: &Handle) -> anyhow::Result<()> {
    stop::outlive_file_limits()?;
    // From the start: the watchdog has taken them from the system, which would have ended the process.
    let signals = stop::signals()?;
    introduce(config);
    let mut registry = metrics::registry();
    log.register(&mut registry);
    let settings = config.store.clone();
    let settings = settings.with_read_deadline(config.cache.flags.deadline);
    let seed = (config.demo == Demo::On).then_some(demo::fill as Seed);
    let (stores, mut opening) = Opening::begin(settings, seed, background.clone());
    let guard = StoreGuard::new(stores.rows, config.cache.guard(), &mut registry);
    let guard = Arc::new(guard);
    let store = FlagStore::new(
        Arc::clone(&guard) as Arc<dyn RowStore>,
        Arc::new(SystemClock),
    )
    .with_options(config.rows);
    let flags = FlagCache::new(
        store.clone(),
        guard.circuit(),
        config.cache.flags,
        Handle::current(),
        &mut registry,
    );
    let snapshot = start_snapshot(config, &flags).await;
    opening.tried_once().await?;
    let period = config.cache.poll;
    let looking =
        period.map(|period| tokio::spawn(watch_changes(store.clone(), flags.clone(), period)));
    let telemetry = Telemetry::start(&config.telemetry, &mut registry)?;
    let log: Arc<dyn ExposureLog> = Arc::new(guard.for_log(stores.log));
    let exposures = Exposures::start(
        Arc::clone(&log),
        (Arc::new(guard.for_log(stores.background)), background),
        &config.exposures,
        &mut registry,
    );
    tokio::spawn(expire_exposures(
        config.store.clone(),
        config.exposures.retention,
    ));
    let state = Data::new(AppState {
        readiness: Readiness::new(store, Arc::clone(&log), guard.circuit(), flags.clone()),
        flags,
        positions: Positions::new(config.cache.positions),
        authenticator: Authenticator::open(&config.access, &Handle::current(), &mut registry),
        limits: Limits::new(config.limits, &mut registry),
        exposures,
        metrics: Metrics::new(registry),
        telemetry,
        max_body: config.http.max_body,
    });
    let probed = Arc::clone(&guard);
    tokio::spawn(async move { probed.probe().await });
    let (server, address) = listen(config.listen, config.workers, &state)
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    announce(config, address);
    let until_told = stop::serve_until(signals, server, &state, config.http.drain_delay);
    let ended = tokio::select! {
        ended = until_told => ended,
        error = opening.failed() => return Err(error.into()),
    };
    // Also where exposures were not written: a store that is away is what the snapshot is for.
    if let Some(snapshot) = snapshot {
        let _ = timeout(LAST_SNAPSHOT, snapshot.write()).await;
    }
    spawn_blocking(move || state.telemetry.shutdown(LAST_TRACES)).await?;
    looking.inspect(JoinHandle::abort);
    let closing = async {
        log.close().await;
        guard.close().await;
    };
    let _ = timeout(CLOSING, closing).await;
    ended?;
    info!("stopped");
    Ok(())
}

/// Restores the snapshot, if one is kept, and keeps it up to date from now on.
async fn start_snapshot(config: &Config, flags: &FlagCache) -> Option<Arc<Snapshot>> {
    let path = config.cache.snapshot.clone()?;
    let snapshot = Snapshot::new(path, &config.store, &config.deployment, flags.clone());
    let snapshot = Arc::new(snapshot);
    snapshot.restore().await;
    tokio::spawn(Arc::clone(&snapshot).keep());
    Some(snapshot)
}

/// Logs which store is used and why, as the first line.
fn introduce(config: &Config) {
    let directory = match &config.store {
        StoreSettings::Embedded(directory) => absolute(directory).ok(),
        StoreSettings::Bigtable(_) => None,
    };
    let directory = directory.map(|directory| directory.display().to_string());
    info!(store = config.store.display_name(), because = %config.store_origin, directory, "starting");
    for variable in &config.unknown_variables {
        warn!(variable, "no setting has this variable");
    }
}

/// Logs the address, and prints it without waiting for a reader of standard output.
fn announce(config: &Config, address: SocketAddr) {
    info!(%address, workers = config.workers, store = config.store.display_name(), "listening");
    let greeting = format!(
        "flag-service serves http://{address} from the {}\n",
        config.store.display_name()
    );
    let hint = match config.demo {
        Demo::On => format!("Try:\n  {}\n", demo::curl(address)),
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
