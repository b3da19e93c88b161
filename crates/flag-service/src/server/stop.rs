//! Shutdown within ten seconds (`watchdog.rs`): not ready, no new requests, exposures written.

use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::Data;
use anyhow::{Context as _, bail};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, info, warn};

use crate::http::AppState;

/// When requests in flight are cut off, after the signal; includes the drain delay.
pub(crate) const REQUESTS_WITHIN: Duration = Duration::from_secs(6);

/// Until when exposures are written, after the signal.
const EXPOSURES_WITHIN: Duration = Duration::from_secs(9);

/// Serves until a signal, then for `delay` without being ready, then stops; an error if exposures could not be written in
/// time.
pub(crate) async fn serve_until(
    signals: impl Future<Output = &'static str>,
    mut server: Server,
    state: &Data<AppState>,
    delay: Duration,
) -> anyhow::Result<()> {
    let (signalled_at, ended) = tokio::select! {
        ended = &mut server => (Instant::now(), ended.context("cannot serve")),
        signal = signals => {
            let signalled_at = Instant::now();
            info!(signal, "stopping");
            state.readiness.begin_draining();
            state.flags.events().close();
            (signalled_at, drain(server, signalled_at, delay).await)
        }
    };
    flush(state, signalled_at + EXPOSURES_WITHIN).await?;
    ended
}

/// Serves for `delay`, then accepts no connections and waits for the requests in flight.
async fn drain(mut server: Server, signalled_at: Instant, delay: Duration) -> anyhow::Result<()> {
    if let Ok(ended) = timeout(delay, &mut server).await {
        return ended.context("cannot serve");
    }
    // The handle only sends the command; the server stops while it is polled.
    drop(server.handle().stop(true));
    if let Ok(ended) = timeout_at(signalled_at + REQUESTS_WITHIN, server).await {
        return ended.context("cannot serve");
    }
    warn!("requests in flight are cut off");
    Ok(())
}

/// Writes the pending exposures.
async fn flush(state: &Data<AppState>, until: Instant) -> anyhow::Result<()> {
    let left = state.exposures.drain_and_stop(until).await;
    if left > 0 {
        error!(
            exposures = left,
            "stopped with exposures that were not written"
        );
        bail!("{left} exposures were not written: the store did not take them in time");
    }
    Ok(())
}

/// Handles the signals to stop from now on; returns a future that resolves to the name of the first one.
#[cfg(unix)]
pub(crate) fn signals() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A closed terminal sends it; pending exposures are written in that case too.
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            _ = hang_up.recv() => "SIGHUP",
        }
    })
}

/// The same on other systems.
#[cfg(not(unix))]
pub(crate) fn signals() -> std::io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        // Without signals it serves until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    })
}
