//! Opens the store in the background, and retries until it succeeds.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{Backoff, Jitter, with_causes};
use flag_runtime::DeferredStore;
use flag_settings::{OpenStoreError, StoreSettings, WriterPriority};
use flag_store::{AppendError, BoxFuture, ExposureLog, FlagStore, RowStore, SystemClock};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// How long the start waits for the store, so that the first request usually finds it open.
const START_WAITS: Duration = Duration::from_secs(1);

/// How long the start waits for a store that gets sample flags, as they are usually requested at once.
const SEED_WAITS: Duration = Duration::from_secs(10);

/// Pauses between attempts to open the store.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    max: Duration::from_secs(1),
    jitter: Jitter::between(0.75, 1.0),
};

/// Adds sample flags to a store before it is used.
pub(super) type Seed = fn(&FlagStore) -> BoxFuture<'_, Result<(), AppendError>>;

/// The connections to the store; each is unavailable until it is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Stores {
    /// The flags.
    pub(super) rows: Arc<DeferredStore<dyn RowStore>>,
    /// The exposure log, for all but the background writer: entries of clients, the dashboard, `explain`, readiness, sample ratios and
    /// reports.
    pub(super) log: Arc<DeferredStore<dyn ExposureLog>>,
    /// The exposure log once more, for the background writer alone: the threads of this handle may run at idle priority.
    pub(super) background_writer_log: Arc<DeferredStore<dyn ExposureLog>>,
}

/// Why the store could not be opened; some are tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
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
pub(super) struct Opening {
    /// How long the start waits for the first attempt.
    start_waits: Duration,
    first_attempt: Option<oneshot::Receiver<()>>,
    /// Ends when the store is open, or after a permanent failure.
    task: Option<JoinHandle<Result<(), OpenError>>>,
}

impl Opening {
    /// Begins to open the store of these settings, and seeds it before anything reads it. The connection for writes in
    /// the background belongs to the runtime `background`; a thread that writes exposures runs at this priority.
    pub(super) fn begin(
        settings: StoreSettings,
        seed: Option<Seed>,
        background: Handle,
        priority: WriterPriority,
    ) -> (Stores, Self) {
        let stores = Stores::default();
        let (sender, first_attempt) = oneshot::channel();
        let task = tokio::spawn(open(
            settings,
            seed,
            priority,
            background,
            stores.clone(),
            sender,
        ));
        let opening = Self {
            start_waits: if seed.is_some() {
                SEED_WAITS
            } else {
                START_WAITS
            },
            first_attempt: Some(first_attempt),
            task: Some(task),
        };
        (stores, opening)
    }

    /// Waits for the first attempt, up to a timeout; an error if no attempt can succeed.
    pub(super) async fn first_attempt(&mut self) -> Result<(), OpenError> {
        if let Some(first_attempt) = self.first_attempt.take() {
            // The sender is also dropped after a permanent failure.
            let _ = timeout(self.start_waits, first_attempt).await;
        }
        match &self.task {
            Some(task) if task.is_finished() => self.join().await,
            _ => Ok(()),
        }
    }

    /// Returns why the store can never be opened; pending for ever while it is open or may still be opened.
    pub(super) async fn failed(&mut self) -> OpenError {
        match self.join().await {
            Ok(()) => std::future::pending().await,
            Err(error) => error,
        }
    }

    async fn join(&mut self) -> Result<(), OpenError> {
        let Some(task) = &mut self.task else {
            return Ok(());
        };
        let ended = task.await;
        self.task = None;
        ended?
    }
}

async fn open(
    settings: StoreSettings,
    seed: Option<Seed>,
    priority: WriterPriority,
    background: Handle,
    stores: Stores,
    first_attempt: oneshot::Sender<()>,
) -> Result<(), OpenError> {
    let foreground = open_foreground(&settings, seed, &stores, first_attempt);
    let background = open_background(&settings, &background, priority, &stores);
    tokio::try_join!(foreground, background)?;
    Ok(())
}

/// Opens the flags, and the exposure log for callers who wait; retries until both are open.
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
            warn!(problem = %with_causes(&error), "store cannot be opened; trying again");
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
    // Only when both are open: nothing may be served after an attempt that failed half-way.
    stores.rows.open(rows);
    stores.log.open(log);
    tokio::spawn(warn_if_empty(flags, settings.display_name()));
    Ok(())
}

/// Opens the exposure log for the background writer; retries until it is open. Its threads may run at idle priority, so that
/// the writer does not slow down requests.
async fn open_background(
    settings: &StoreSettings,
    background: &Handle,
    priority: WriterPriority,
    stores: &Stores,
) -> Result<(), OpenError> {
    let mut retries = 0;
    loop {
        let opened = match settings.clone() {
            // It has threads of its own.
            StoreSettings::Embedded(_) => settings.open_log_at(priority).await,
            // Its connections belong to the runtime.
            settings @ StoreSettings::Bigtable(_) => {
                let opening = async move { settings.open_log_at(priority).await };
                background.spawn(opening).await?
            }
        };
        match opened.map_err(OpenError::from) {
            Ok(log) => {
                stores.background_writer_log.open(log);
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
            "the store holds no flags; no requested flag will be found"
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
