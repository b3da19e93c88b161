//! Opens the store, serves, drains.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use flag_store::{ExposureStore, FlagStore, RowStore, SystemClock};
use tokio::runtime::{Builder, Handle};
use tracing::info;

use crate::cache::{FlagCache, Positions};
use crate::changes;
use crate::config::{Config, Demo};
use crate::demo;
use crate::exposures::{Exposures, expire};
use crate::health::Readiness;
use crate::metrics::{self, Metrics};
use crate::routes::routes;
use crate::site::Site;
use crate::snapshot::Snapshot;
use crate::stop;
use crate::store::{Gate, Opening};

/// Threads that read the store; requests have workers of their own.
const STORE_THREADS: usize = 2;

/// How long a connection may stay open without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(STORE_THREADS)
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve(config));
    // What a store still does must not hold up the end.
    runtime.shutdown_background();
    served
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let mut registry = metrics::registry();
    let settings = config.store.clone();
    let settings = settings.with_read_deadline(config.cache.flags.deadline);
    let (rows, mut opening) = Opening::begin(settings, config.demo);
    let gate = Arc::new(Gate::new(rows, config.cache.gate(), &mut registry));
    let store = FlagStore::new(
        Arc::clone(&gate) as Arc<dyn RowStore>,
        Arc::new(SystemClock),
    );
    let flags = FlagCache::new(
        store.clone(),
        gate.circuit(),
        config.cache.flags,
        Handle::current(),
        &mut registry,
    );
    let snapshot = config.cache.snapshot.clone();
    let snapshot = snapshot.map(|path| Arc::new(Snapshot::new(path, flags.clone())));
    if let Some(snapshot) = &snapshot {
        snapshot.restore().await;
        tokio::spawn(Arc::clone(snapshot).keep());
    }
    opening.tried_once().await?;
    if let Some(period) = config.cache.poll {
        tokio::spawn(changes::look(store.clone(), flags.clone(), period));
    }
    let log = ExposureStore::new(Arc::clone(&gate) as Arc<dyn RowStore>);
    let exposures = Exposures::start(log, &config.exposures, &Handle::current(), &mut registry);
    tokio::spawn(expire(config.store.clone(), config.exposures.retention));
    let site = Data::new(Site {
        readiness: Readiness::new(store, gate.circuit(), flags.clone()),
        flags,
        positions: Positions::new(config.cache.positions),
        metrics: Metrics::new(registry),
        exposures,
        max_body: config.http.max_body,
    });
    tokio::spawn(async move { gate.probe().await });
    let of_app = site.clone();
    let app = move || App::new().app_data(of_app.clone()).configure(routes);
    let server = HttpServer::new(app)
        .workers(config.workers)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(stop::REQUESTS_WITHIN.as_secs())
        .disable_signals()
        .bind(config.listen)
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let addresses = server.addrs();
    let signals = stop::signals()?;
    announce(config, &addresses)?;
    let served = stop::serve_until(signals, server.run(), &site, config.http.drain_delay);
    tokio::select! {
        served = served => served?,
        error = opening.failed() => return Err(error),
    }
    if let Some(snapshot) = snapshot {
        snapshot.write().await;
    }
    info!("stopped");
    Ok(())
}

/// Says where the service is, to the log and to whoever started it.
fn announce(config: &Config, addresses: &[SocketAddr]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    for address in addresses {
        info!(%address, workers = config.workers, store = config.store.place(), "listening");
        writeln!(
            stdout,
            "flag-service serves http://{address} from the {}",
            config.store.place()
        )?;
        if config.demo == Demo::On {
            writeln!(stdout, "Try:\n  {}", demo::curl(*address))?;
        }
    }
    stdout.flush()
}
