//! The context of a command besides its arguments: the settings, and the stores that it opens.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use flag_model::{FlagKey, Timestamp};
use flag_settings::{
    OpenStoreError, Origin, Reader, Sources, StoreSettings, read_row_options, table,
};
use flag_store::{ExposureLog, FlagStore, RowOptions, RowStore, StoreError, SystemClock};
use flag_store_embedded::{EmbeddedLog, EmbeddedStore, OpenError};
use tokio::time::Instant;

use crate::environment::Variables;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure, StoreFailure};
use crate::output::{self, with_progress};

/// The context of a command besides its arguments.
#[derive(Debug)]
pub(crate) struct Context {
    /// The variables of the environment.
    pub(crate) variables: Variables,
    /// Where settings are read from.
    pub(crate) sources: Sources,
    /// How rows are read and written.
    pub(crate) row_options: RowOptions,
    settings: StoreSettings,
    /// What is closed at the end.
    to_close: Mutex<Vec<OpenStore>>,
    /// The revisions that were written.
    written: Mutex<Vec<WrittenRevision>>,
}

/// A revision that was written.
#[derive(Debug)]
pub(crate) struct WrittenRevision {
    pub(crate) store: FlagStore,
    pub(crate) flag: FlagKey,
    pub(crate) created: Timestamp,
    /// When its append returned, a moment after it was published.
    pub(crate) at: Instant,
}

/// Something that is closed at the end.
#[derive(Debug)]
enum OpenStore {
    Rows(Arc<dyn RowStore>),
    Log(Arc<dyn ExposureLog>),
}

/// Which parts of a store a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Only the flags.
    Flags,
    /// The flags and the exposure log.
    FlagsAndLog,
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreNotOpened {
    /// There is no such store yet, and the command creates none.
    #[error("there is no {display_name} yet; `flagctl init` creates it")]
    Missing {
        /// Its name in messages.
        display_name: String,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenStoreError),
    /// Bigtable cannot be used, and no setting has named it as the store.
    #[error(
        "the store is Bigtable {because}; for local files use --store embedded, or set FLAG_STORE=embedded"
    )]
    ImpliedBigtable {
        /// Which setting implies Bigtable.
        because: String,
        /// Why it cannot be used.
        source: OpenStoreError,
    },
}

impl CommandError for StoreNotOpened {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Missing { .. } => ExitCode::StoreUnavailable,
            Self::Open(error) | Self::ImpliedBigtable { source: error, .. } => error.exit_code(),
        }
    }
}

impl From<OpenError> for StoreNotOpened {
    fn from(error: OpenError) -> Self {
        Self::Open(error.into())
    }
}

/// Refuses a folder that lacks a part that is needed.
pub(crate) fn ensure_exists(settings: &StoreSettings, needs: Needs) -> Result<(), StoreNotOpened> {
    let StoreSettings::Embedded(folder) = settings else {
        return Ok(());
    };
    if !EmbeddedStore::is_there(folder)? {
        let display_name = settings.display_name();
        return Err(StoreNotOpened::Missing { display_name });
    }
    if needs == Needs::FlagsAndLog && !EmbeddedLog::is_there(folder)? {
        let [left, path] = EmbeddedStore::files(folder);
        return Err(OpenError::Gone { path, left }.into());
    }
    Ok(())
}

/// Whether no file of the store exists; Bigtable has none.
pub(crate) fn is_missing(settings: &StoreSettings) -> bool {
    matches!(
        ensure_exists(settings, Needs::Flags),
        Err(StoreNotOpened::Missing { .. })
    )
}

fn can_be_created(folder: &Path) -> bool {
    folder.is_dir() || !folder.exists()
}

impl Context {
    /// Reads the settings of the store.
    pub(crate) fn new(variables: Variables, sources: Sources) -> Result<Self, Failure> {
        let mut reader = Reader::new(sources.clone());
        let settings = StoreSettings::read(&mut reader);
        let row_options = read_row_options(&mut reader);
        let (settings, row_options) = reader.finish(settings.zip(row_options))?;
        Ok(Self {
            variables,
            sources,
            row_options,
            settings,
            to_close: Mutex::default(),
            written: Mutex::default(),
        })
    }

    /// The settings of the store.
    pub(crate) fn settings(&self) -> &StoreSettings {
        &self.settings
    }

    /// The name of the store in messages.
    pub(crate) fn store_display_name(&self) -> String {
        self.settings.display_name()
    }

    /// Opens the flags; a store that does not exist is an error.
    pub(crate) async fn open(&self) -> Result<FlagStore, Failure> {
        ensure_exists(&self.settings, Needs::Flags)?;
        self.open_flags().await
    }

    /// Opens the flags and the exposure log; a store that lacks one of them is an error.
    pub(crate) async fn open_with_log(&self) -> Result<(FlagStore, Arc<dyn ExposureLog>), Failure> {
        ensure_exists(&self.settings, Needs::FlagsAndLog)?;
        let flags = self.open_flags().await?;
        Ok((flags, self.open_log(&self.settings).await?))
    }

    /// Opens the exposure log alone; a store that lacks it is an error.
    pub(crate) async fn open_log_alone(&self) -> Result<Arc<dyn ExposureLog>, Failure> {
        ensure_exists(&self.settings, Needs::FlagsAndLog)?;
        Ok(self.open_log(&self.settings).await?)
    }

    /// Opens the flags; creates a store that does not exist.
    pub(crate) async fn open_or_create(&self) -> Result<FlagStore, Failure> {
        let is_new = is_missing(&self.settings);
        let store = self.open_flags().await?;
        if is_new {
            self.open_log(&self.settings).await?;
            output::notice(&format!("created the {}", self.absolute_name()));
        }
        Ok(store)
    }

    /// The warning that a command creates a store, which is a mistake in the wrong folder.
    pub(crate) fn creation_warning(&self) -> String {
        format!("there is no {} yet; this creates it", self.absolute_name())
    }

    /// The name of the store in messages, with the whole path of its folder.
    fn absolute_name(&self) -> String {
        match &self.settings {
            StoreSettings::Embedded(folder) => {
                let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
                StoreSettings::Embedded(whole).display_name()
            }
            StoreSettings::Bigtable(_) => self.store_display_name(),
        }
    }

    /// Opens the flags; `None` if the store does not exist and can be created later.
    pub(crate) async fn open_if_exists(&self) -> Result<Option<FlagStore>, Failure> {
        match &self.settings {
            StoreSettings::Embedded(folder)
                if is_missing(&self.settings) && can_be_created(folder) =>
            {
                Ok(None)
            }
            _ => self.open_or_create().await.map(Some),
        }
    }

    async fn open_flags(&self) -> Result<FlagStore, Failure> {
        let opening = format!("opening the {}", self.store_display_name());
        let rows = with_progress(opening, self.open_rows(&self.settings)).await?;
        Ok(FlagStore::new(rows, Arc::new(SystemClock)).with_options(self.row_options))
    }

    /// Opens the rows of a store.
    pub(crate) async fn open_rows(
        &self,
        settings: &StoreSettings,
    ) -> Result<Arc<dyn RowStore>, StoreNotOpened> {
        let rows = Box::pin(settings.open()).await;
        let rows = rows.map_err(|source| self.not_opened(settings, source))?;
        self.close_at_end(OpenStore::Rows(Arc::clone(&rows)));
        Ok(rows)
    }

    /// Opens the exposure log of a store.
    pub(crate) async fn open_log(
        &self,
        settings: &StoreSettings,
    ) -> Result<Arc<dyn ExposureLog>, StoreNotOpened> {
        let log = Box::pin(settings.open_log()).await;
        let log = log.map_err(|source| self.not_opened(settings, source))?;
        self.close_at_end(OpenStore::Log(Arc::clone(&log)));
        Ok(log)
    }

    /// The error of a store that cannot be opened; explains why it is Bigtable if no setting has named it.
    pub(crate) fn not_opened(
        &self,
        settings: &StoreSettings,
        source: OpenStoreError,
    ) -> StoreNotOpened {
        let because = Reader::new(self.sources.clone()).origin(&table::STORE);
        let is_default = settings.display_name() == self.store_display_name();
        match (settings, &because) {
            (StoreSettings::Bigtable(_), Origin::Implied { .. }) if is_default => {
                StoreNotOpened::ImpliedBigtable {
                    because: because.to_string(),
                    source,
                }
            }
            _ => source.into(),
        }
    }

    /// The error of a store that failed.
    pub(crate) fn store_failed(&self, source: StoreError) -> StoreFailure {
        let display_name = self.store_display_name();
        StoreFailure {
            display_name,
            source,
        }
    }

    /// Notes that a revision was written.
    pub(crate) fn note_written(&self, revision: WrittenRevision) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.push(revision);
    }

    /// Returns the revisions that were written.
    pub(crate) fn take_written(&self) -> Vec<WrittenRevision> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *written)
    }

    fn close_at_end(&self, store: OpenStore) {
        let mut all = self.to_close.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(store);
    }

    /// Closes the stores, so that all writes are in the local files.
    pub(crate) async fn close(&self) {
        let open =
            std::mem::take(&mut *self.to_close.lock().unwrap_or_else(PoisonError::into_inner));
        for open in open {
            match open {
                OpenStore::Rows(rows) => rows.close().await,
                OpenStore::Log(log) => log.close().await,
            }
        }
    }
}
