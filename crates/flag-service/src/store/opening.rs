//! Opening the store, in the background and until it works.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use flag_model::{Backoff, Jitter};
use flag_settings::{OpenStoreError, StoreSettings};
use flag_store::{AppendError, ExposureLog, FlagStore, RowStore, StoreError, SystemClock};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::deferred::Deferred;
use crate::config::Demo;
use crate::demo;

/// How long the start waits for a store, so that as a rule the first request finds it open.
const START_WAITS: Duration = Duration::from_secs(1);

/// How long it waits for the sample flags too, which whoever wants them will ask for at once.
const DEMO_WAITS: Duration = Duration::from_secs(10);

/// Pauses between attempts to open the store.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    most: Duration::from_secs(1),
    jitter: Jitter::between(0.75, 1.0),
};

/// What is opened, as those have it who don't wait for that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stores {
    /// The flags.
    pub(crate) rows: Arc<Deferred<dyn RowStore>>,
    /// The exposure log, for whoever waits for what he writes.
    pub(crate) log: Arc<Deferred<dyn ExposureLog>>,
    /// The exposure log, for what is written in the background.
    pub(crate) background: Arc<Deferred<dyn ExposureLog>>,
}

/// A store on its way to be open.
#[derive(Debug)]
pub(crate) struct Opening {
    patience: Duration,
    tried: Option<oneshot::Receiver<()>>,
    /// Ends when the store is open, or never can be.
    trying: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Opening {
    /// Begins to open the store that the settings name; the sample flags are in it before anybody sees it. What exposures
    /// are written to in the background belongs to the runtime `background`.
    pub(crate) fn begin(settings: StoreSettings, demo: Demo, background: Handle) -> (Stores, Self) {
        let stores = Stores::default();
        let (tell, tried) = oneshot::channel();
        let trying = tokio::spawn(open(settings, demo, background, stores.clone(), tell));
        let opening = Self {
            patience: match demo {
                Demo::On => DEMO_WAITS,
                Demo::Off => START_WAITS,
            },
            tried: Some(tried),
            trying: Some(trying),
        };
        (stores, opening)
    }

    /// Waits for the first attempt, for a moment; an error if none can ever succeed.
    pub(crate) async fn tried_once(&mut self) -> anyhow::Result<()> {
        if let Some(tried) = self.tried.take() {
            // Whoever tells is gone as well when the attempt ended all attempts.
            let _ = timeout(self.patience, tried).await;
        }
        match &self.trying {
            Some(trying) if trying.is_finished() => self.ended().await,
            _ => Ok(()),
        }
    }

    /// Why the store can never be opened; waits for ever while it is open or may yet be.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match self.ended().await {
            Ok(()) => std::future::pending().await,
            Err(error) => error,
        }
    }

    async fn ended(&mut self) -> anyhow::Result<()> {
        let Some(trying) = &mut self.trying else {
            return Ok(());
        };
        let ended = trying.await;
        self.trying = None;
        ended.context("cannot open the store")?
    }
}

async fn open(
    settings: StoreSettings,
    demo: Demo,
    background: Handle,
    stores: Stores,
    tell: oneshot::Sender<()>,
) -> anyhow::Result<()> {
    let mut retries = 0;
    let mut first = Some(tell);
    while let Err(error) = open_once(&settings, demo, &background, &stores).await {
        if !is_transient(&error) {
            return Err(error);
        }
        if let Some(tell) = first.take() {
            let _ = tell.send(());
            warn!(problem = %format!("{error:#}"), "store cannot be opened, trying on");
        }
        sleep(BACKOFF.delay(retries, fastrand::f64())).await;
        retries = retries.saturating_add(1);
    }
    if let Some(tell) = first {
        let _ = tell.send(());
    } else {
        info!("store opened");
    }
    Ok(())
}

async fn open_once(
    settings: &StoreSettings,
    demo: Demo,
    background: &Handle,
    stores: &Stores,
) -> anyhow::Result<()> {
    let rows = settings.open().await?;
    let (log, background) = open_logs(settings, background).await?;
    let flags = FlagStore::new(Arc::clone(&rows), Arc::new(SystemClock));
    if demo == Demo::On {
        let filled = demo::fill(&flags).await;
        filled.context("cannot add the sample flags")?;
    }
    // Only once all of it is open, so that nothing is served of what is opened again or given up.
    stores.rows.open(rows);
    stores.log.open(log);
    stores.background.open(background);
    tokio::spawn(warn_if_empty(flags, settings.place()));
    Ok(())
}

/// The log for answers, and the one for the writer.
async fn open_logs(
    settings: &StoreSettings,
    background: &Handle,
) -> anyhow::Result<(Arc<dyn ExposureLog>, Arc<dyn ExposureLog>)> {
    if let StoreSettings::Embedded(_) = settings {
        // It has a thread for exposures as it is.
        let log = settings.open_log().await?;
        return Ok((Arc::clone(&log), log));
    }
    let of_writer = settings.clone();
    let opening = background.spawn(async move { of_writer.open_log().await });
    let log = settings.open_log().await?;
    Ok((log, opening.await??))
}

/// A store without flags is most often the wrong one.
async fn warn_if_empty(flags: FlagStore, store: String) {
    if flags.is_empty().await.is_ok_and(|is_empty| is_empty) {
        warn!(
            store,
            "the store holds no flags; whatever is asked for is not found"
        );
    }
}

/// Whether another attempt may succeed.
fn is_transient(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        if let Some(error) = cause.downcast_ref::<OpenStoreError>() {
            return error.is_transient();
        }
        let store = match cause.downcast_ref::<AppendError>() {
            Some(AppendError::Store(error)) => Some(error),
            _ => cause.downcast_ref::<StoreError>(),
        };
        store.is_some_and(StoreError::is_transient)
    })
}
