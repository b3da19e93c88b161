//! Opens the store, serves, drains.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use flag_store::{FlagStore, SystemClock};
use tokio::runtime::{Builder, Handle};
use tracing::info;

use crate::cache::FlagCache;
use crate::config::{Config, Demo};
use crate::demo;
use crate::health::Readiness;
use crate::metrics::{self, Metrics};
use crate::routes::routes;
use crate::site::Site;

/// Threads that read the store; requests have workers of their own.
const STORE_THREADS: usize = 2;

/// How long requests under way may take after the signal to stop.
const DRAIN_SECONDS: u64 = 8;

/// How long a connection may stay open without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(STORE_THREADS)
        .enable_all()
        .build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let rows = config.store.open().await?;
    let store = FlagStore::new(rows, Arc::new(SystemClock));
    if config.demo == Demo::On {
        demo::fill(&store)
            .await
            .context("cannot add the sample flags")?;
    }
    let site = Data::new(Site {
        flags: FlagCache::new(store.clone(), config.cache, Handle::current()),
        readiness: Readiness::new(store, config.cache.deadline),
        metrics: Metrics::new(metrics::registry()),
    });
    let app = move || App::new().app_data(site.clone()).configure(routes);
    let server = HttpServer::new(app)
        .workers(config.workers)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(DRAIN_SECONDS)
        .bind(config.listen)
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let addresses = server.addrs();
    announce(config, &addresses)?;
    server.run().await.context("cannot serve")?;
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
