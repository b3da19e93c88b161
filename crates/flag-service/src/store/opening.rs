//! Opening the store, in the background and until it works.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use flag_model::{Backoff, Jitter};
use flag_settings::{OpenStoreError, StoreSettings};
use flag_store::{AppendError, FlagStore, RowStore, StoreError, SystemClock};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::lazy::Lazy;
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

/// A store on its way to be open.
#[derive(Debug)]
pub(crate) struct Opening {
    patience: Duration,
    tried: Option<oneshot::Receiver<()>>,
    /// Ends when the store is open, or never can be.
    trying: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Opening {
    /// Begins to open the store that the settings name; the sample flags are in it before anybody sees it. Connections
    /// for exposures belong to the runtime `writes`.
    pub(crate) fn begin(settings: StoreSettings, demo: Demo, writes: Handle) -> (Arc<Lazy>, Self) {
        let lazy = Arc::new(Lazy::default());
        let (tell, tried) = oneshot::channel();
        let trying = tokio::spawn(open(settings, demo, writes, Arc::clone(&lazy), tell));
        let opening = Self {
            patience: match demo {
                Demo::On => DEMO_WAITS,
                Demo::Off => START_WAITS,
            },
            tried: Some(tried),
            trying: Some(trying),
        };
        (lazy, opening)
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
    writes: Handle,
    lazy: Arc<Lazy>,
    tell: oneshot::Sender<()>,
) -> anyhow::Result<()> {
    let mut retries = 0;
    let mut first = Some(tell);
    while let Err(error) = open_once(&settings, demo, &lazy).await {
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
    // Local files have a thread for exposures as it is.
    if let StoreSettings::Bigtable(_) = settings {
        let runtime = writes.id();
        writes.spawn(async move { lazy.open_background(runtime, reopened(&settings).await) });
    }
    Ok(())
}

/// The store over other connections, however long it takes.
async fn reopened(settings: &StoreSettings) -> Arc<dyn RowStore> {
    loop {
        match settings.open().await {
            Ok(rows) => return rows,
            Err(error) => debug!(problem = %error, "no connections for exposures alone yet"),
        }
        sleep(BACKOFF.most).await;
    }
}

async fn open_once(settings: &StoreSettings, demo: Demo, lazy: &Lazy) -> anyhow::Result<()> {
    let rows = settings.open().await?;
    if demo == Demo::On {
        demo::fill(&FlagStore::new(Arc::clone(&rows), Arc::new(SystemClock)))
            .await
            .context("cannot add the sample flags")?;
    }
    let flags = FlagStore::new(Arc::clone(&rows), Arc::new(SystemClock));
    lazy.open(rows);
    tokio::spawn(warn_if_empty(flags, settings.place()));
    Ok(())
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
