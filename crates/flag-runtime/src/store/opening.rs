//! Opens the store in the background, and tries again until it works.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{Backoff, Jitter};
use flag_settings::{OpenStoreError, StoreSettings};
use flag_store::{AppendError, BoxFuture, ExposureLog, FlagStore, RowStore, SystemClock};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::deferred::DeferredStore;
use crate::causes::with_causes;

/// How long the start waits for the store, so that the first request usually finds it open.
const START_WAITS: Duration = Duration::from_secs(1);

/// How long the start waits for a store that is seeded: its flags are usually requested at once.
const SEED_WAITS: Duration = Duration::from_secs(10);

/// Pauses between attempts to open the store.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    most: Duration::from_secs(1),
    jitter: Jitter::between(0.75, 1.0),
};

/// Adds sample flags to a store before it is used.
pub type Seed = fn(&FlagStore) -> BoxFuture<'_, Result<(), AppendError>>;

/// The connections to the store; each is unavailable until it is opened.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// The flags.
    pub rows: Arc<DeferredStore<dyn RowStore>>,
    /// The exposure log, for writes that a request waits for.
    pub log: Arc<DeferredStore<dyn ExposureLog>>,
    /// The exposure log, for writes in the background.
    pub background: Arc<DeferredStore<dyn ExposureLog>>,
}

/// Why the store can never be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store itself could not be opened.
    #[error(transparent)]
    Store(#[from] OpenStoreError),
    /// The sample flags could not be added.
    #[error("cannot add the sample flags")]
    Seed(#[source] AppendError),
    /// The task that opens the store panicked.
    #[error("cannot open the store")]
    Panicked(#[from] JoinError),
}

/// A store that is being opened in the background.
#[derive(Debug)]
pub struct Opening {
    patience: Duration,
    tried: Option<oneshot::Receiver<()>>,
    /// Ends when the store is open, or after a permanent failure.
    trying: Option<JoinHandle<Result<(), OpenError>>>,
}

impl Opening {
    /// Begins to open the store of these settings, and seeds it before anything reads it. The connection for writes in
    /// the background belongs to the runtime `background`.
    pub fn begin(
        settings: StoreSettings,
        seed: Option<Seed>,
        background: Handle,
    ) -> (Stores, Self) {
        let stores = Stores::default();
        let (sender, tried) = oneshot::channel();
        let trying = tokio::spawn(open(settings, seed, background, stores.clone(), sender));
        let opening = Self {
            patience: if seed.is_some() {
                SEED_WAITS
            } else {
                START_WAITS
            },
            tried: Some(tried),
            trying: Some(trying),
        };
        (stores, opening)
    }

    /// Waits for the first attempt, but only a moment; an error if no attempt can succeed.
    pub async fn tried_once(&mut self) -> Result<(), OpenError> {
        if let Some(tried) = self.tried.take() {
            // The sender is also dropped after a permanent failure.
            let _ = timeout(self.patience, tried).await;
        }
        match &self.trying {
            Some(trying) if trying.is_finished() => self.ended().await,
            _ => Ok(()),
        }
    }

    /// Returns why the store can never be opened; pending for ever while it is open or may still be opened.
    pub async fn failed(&mut self) -> OpenError {
        match self.ended().await {
            Ok(()) => std::future::pending().await,
            Err(error) => error,
        }
    }

    async fn ended(&mut self) -> Result<(), OpenError> {
        let Some(trying) = &mut self.trying else {
            return Ok(());
        };
        let ended = trying.await;
        self.trying = None;
        ended?
    }
}

async fn open(
    settings: StoreSettings,
    seed: Option<Seed>,
    background: Handle,
    stores: Stores,
    first_attempt: oneshot::Sender<()>,
) -> Result<(), OpenError> {
    let foreground = open_foreground(&settings, seed, &stores, first_attempt);
    tokio::try_join!(foreground, open_background(&settings, &background, &stores))?;
    Ok(())
}

/// Opens rows, and the log for callers who wait, as often as it takes.
async fn open_foreground(
    settings: &StoreSettings,
    seed: Option<Seed>,
    stores: &Stores,
    first_attempt: oneshot::Sender<()>,
) -> Result<(), OpenError> {
    let mut retries = 0;
    let mut first_attempt = Some(first_attempt);
    while let Err(error) = open_once(settings, seed, stores).await {
        if !error.is_transient() {
            return Err(error);
        }
        if let Some(first_attempt) = first_attempt.take() {
            let _ = first_attempt.send(());
            warn!(problem = %with_causes(&error), "store cannot be opened, trying on");
        }
        sleep(BACKOFF.delay(retries, fastrand::f64())).await;
        retries = retries.saturating_add(1);
    }
    if let Some(first_attempt) = first_attempt {
        let _ = first_attempt.send(());
    } else {
        info!("store opened");
    }
    Ok(())
}

async fn open_once(
    settings: &StoreSettings,
    seed: Option<Seed>,
    stores: &Stores,
) -> Result<(), OpenError> {
    let rows = settings.open().await?;
    let log = settings.open_log().await?;
    let flags = FlagStore::new(Arc::clone(&rows), Arc::new(SystemClock));
    if let Some(seed) = seed {
        seed(&flags).await.map_err(OpenError::Seed)?;
    }
    // Only once both are open: an attempt that fails half-way must not serve anything.
    stores.rows.open(rows);
    if let StoreSettings::Embedded(_) = settings {
        // It has a thread for exposures as it is.
        stores.background.open(Arc::clone(&log));
    }
    stores.log.open(log);
    tokio::spawn(warn_if_empty(flags, settings.display_name()));
    Ok(())
}

/// Opens the log for the writer, as often as it takes. Its threads run when no others want the processor, so nothing else
/// waits for it.
async fn open_background(
    settings: &StoreSettings,
    background: &Handle,
    stores: &Stores,
) -> Result<(), OpenError> {
    if let StoreSettings::Embedded(_) = settings {
        return Ok(());
    }
    let mut retries = 0;
    loop {
        let settings = settings.clone();
        let opening = background.spawn(async move { settings.open_log().await });
        match opening.await?.map_err(OpenError::from) {
            Ok(log) => {
                stores.background.open(log);
                return Ok(());
            }
            Err(error) if error.is_transient() => {
                sleep(BACKOFF.delay(retries, fastrand::f64())).await;
                retries = retries.saturating_add(1);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Warns about a store without flags, which is usually the wrong store.
async fn warn_if_empty(flags: FlagStore, store: String) {
    if flags.is_empty().await.is_ok_and(|is_empty| is_empty) {
        warn!(
            store,
            "the store holds no flags; whatever is asked for is not found"
        );
    }
}

impl OpenError {
    /// Whether another attempt may succeed.
    fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Seed(AppendError::Store(error) | AppendError::Unknown { source: error, .. }) => {
                error.is_transient()
            }
            Self::Seed(_) | Self::Panicked(_) => false,
        }
    }
}
