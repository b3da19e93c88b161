//! The end: not ready, no new requests, exposures written, and all of that within ten seconds (`watchdog.rs`).

use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::Data;
use anyhow::{Context as _, bail};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, info, warn};

use crate::site::Site;

/// How long after the signal requests under way may take, a delay before included.
pub(crate) const REQUESTS_WITHIN: Duration = Duration::from_secs(6);

/// How long after the signal exposures may be written.
const EXPOSURES_WITHIN: Duration = Duration::from_secs(9);

/// Serves until a signal, then for `delay` as one that is not ready, then ends; an error if exposures could not be
/// written in time.
pub(crate) async fn serve_until(
    signals: impl Future<Output = &'static str>,
    mut server: Server,
    site: &Data<Site>,
    delay: Duration,
) -> anyhow::Result<()> {
    let (told_at, ended) = tokio::select! {
        ended = &mut server => (Instant::now(), ended.context("cannot serve")),
        signal = signals => {
            let told_at = Instant::now();
            info!(signal, "stopping");
            site.readiness.begin_draining();
            (told_at, drain(server, told_at, delay).await)
        }
    };
    flush(site, told_at + EXPOSURES_WITHIN).await?;
    ended
}

/// Goes on for `delay`, then takes no new connections, and waits for the requests under way.
async fn drain(mut server: Server, told_at: Instant, delay: Duration) -> anyhow::Result<()> {
    if let Ok(ended) = timeout(delay, &mut server).await {
        return ended.context("cannot serve");
    }
    // The server does it while it is polled; the handle only tells it to.
    drop(server.handle().stop(true));
    if let Ok(ended) = timeout_at(told_at + REQUESTS_WITHIN, server).await {
        return ended.context("cannot serve");
    }
    warn!("requests under way are cut off");
    Ok(())
}

/// Writes what waits in the exposure log.
async fn flush(site: &Data<Site>, until: Instant) -> anyhow::Result<()> {
    let left = site.exposures.flush(until).await;
    if left > 0 {
        error!(
            exposures = left,
            "stopped with exposures that were not written"
        );
        bail!("{left} exposures were not written: the store did not take them in time");
    }
    Ok(())
}

/// Listens for the signals to stop from now on; what it gives back is ready when one has come, and names it.
#[cfg(unix)]
pub(crate) fn signals() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A terminal that is closed sends it; what waits is written then too.
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            _ = hang_up.recv() => "SIGHUP",
        }
    })
}

/// From now on a file that may not grow any more (`RLIMIT_FSIZE`) fails the write, and doesn't end the process.
#[cfg(unix)]
pub(crate) fn outlive_file_limits() -> std::io::Result<()> {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};

    // Whoever has listened once is not killed by it ever after.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// Elsewhere there is no such signal.
#[cfg(not(unix))]
pub(crate) fn outlive_file_limits() -> std::io::Result<()> {
    Ok(())
}

/// The same on a system with other signals.
#[cfg(not(unix))]
pub(crate) fn signals() -> std::io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        // Without a way to be told, it serves until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    })
}
