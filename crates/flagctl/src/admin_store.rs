//! A store for work on all its rows, with long deadlines.

use std::sync::Arc;
use std::time::Duration;

use flag_model::ProjectName;
use flag_settings::StoreSettings;
use flag_store::{
    ExposureLog, FlagStore, RowOptions, RowStore, StoreError, SystemClock, project_rows,
};
use flag_store_bigtable::{
    BigtableLog, BigtableSettings, BigtableStore, BigtableTables, Table, TableState,
};

use crate::context::{Context, Needs, StoreNotOpened, ensure_exists, is_missing};
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure, StoreFailure};
use crate::missing::{Missing, missing_project};

/// How long a page of rows may take, which can be many megabytes.
const LONG: Duration = Duration::from_secs(30);

/// How long the exposures of an emulator are kept; its data never outlives it.
const EMULATOR_RETENTION: Duration = Duration::from_hours(90 * 24);

/// The store lacks tables.
#[derive(Debug, thiserror::Error)]
#[error("the {display_name} lacks tables: `flagctl init` creates them")]
struct MissingTables {
    display_name: String,
}

impl CommandError for MissingTables {
    fn exit_code(&self) -> ExitCode {
        ExitCode::StoreUnavailable
    }
}

/// An open store and its name.
#[derive(Debug)]
pub(crate) struct AdminStore {
    /// Its rows.
    pub(crate) rows: Arc<dyn RowStore>,
    /// Its name in messages.
    pub(crate) display_name: String,
    options: RowOptions,
}

impl AdminStore {
    /// Opens an existing store.
    pub(crate) async fn open_existing(
        context: &Context,
        settings: &StoreSettings,
    ) -> Result<Self, StoreNotOpened> {
        ensure_exists(settings, Needs::FlagsAndLog)?;
        Self::open_flags(context, settings).await
    }

    /// Opens the flags of an existing store, with or without an exposure log.
    pub(crate) async fn open_flags(
        context: &Context,
        settings: &StoreSettings,
    ) -> Result<Self, StoreNotOpened> {
        let display_name = settings.display_name();
        let rows: Arc<dyn RowStore> = match settings {
            StoreSettings::Embedded(_) => context.open_rows(settings).await?,
            StoreSettings::Bigtable(bigtable) => {
                let store = Box::pin(BigtableStore::connect(patient(bigtable))).await;
                Arc::new(store.map_err(|error| context.not_opened(settings, error.into()))?)
            }
        };
        Ok(Self {
            rows,
            display_name,
            options: context.row_options,
        })
    }

    /// Opens its exposure log, and checks with a short deadline that it can be read.
    pub(crate) async fn log(
        &self,
        context: &Context,
        settings: &StoreSettings,
    ) -> Result<Arc<dyn ExposureLog>, Failure> {
        let log = open_log(context, settings).await?;
        log.ping().await.map_err(|source| self.failed(source))?;
        Ok(log)
    }

    /// Opens a store; creates it if it does not exist, and in an emulator its tables. Creates a missing exposure log if it
    /// is wanted.
    pub(crate) async fn open_or_create(
        context: &Context,
        settings: &StoreSettings,
        wants_log: bool,
    ) -> Result<Self, Failure> {
        if let StoreSettings::Embedded(_) = settings {
            let is_new = is_missing(settings);
            settings.open().await?.close().await;
            if is_new || wants_log {
                settings.open_log().await?.close().await;
            }
        }
        let opened = Self::open_flags(context, settings).await?;
        if let StoreSettings::Bigtable(settings) = settings
            && settings.emulator.is_some()
        {
            let tables = BigtableTables::new(BigtableSettings::clone(settings));
            let made = tables.create(EMULATOR_RETENTION).await;
            made.map_err(|source| opened.failed(source))?;
        }
        Ok(opened)
    }

    /// Checks with a short deadline that it can be read.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.rows.ping().await
    }

    /// Checks that it answers; if it refuses, its tables may be missing.
    pub(crate) async fn ensure_ready(&self, settings: &StoreSettings) -> Result<(), Failure> {
        let Err(error) = self.ping().await else {
            return Ok(());
        };
        let is_refused = matches!(error, StoreError::Misconfigured { .. });
        let absent = self.absent_tables(settings);
        if is_refused && absent.await.is_ok_and(|absent| !absent.is_empty()) {
            let display_name = self.display_name.clone();
            return Err(MissingTables { display_name }.into());
        }
        Err(self.failed(error).into())
    }

    /// The tables of Bigtable that are missing, or lack the column family.
    pub(crate) async fn absent_tables(
        &self,
        settings: &StoreSettings,
    ) -> Result<Vec<Table>, StoreFailure> {
        let StoreSettings::Bigtable(settings) = settings else {
            return Ok(Vec::new());
        };
        let tables = BigtableTables::new(BigtableSettings::clone(settings));
        let mut absent = Vec::new();
        for table in Table::ALL {
            let state = tables.table_state(table).await;
            match state.map_err(|source| self.failed(source))? {
                TableState::Missing | TableState::WithoutFamily => absent.push(table),
                TableState::Ready(_) => {}
            }
        }
        Ok(absent)
    }

    /// Its flags.
    pub(crate) fn flags(&self) -> FlagStore {
        FlagStore::new(Arc::clone(&self.rows), Arc::new(SystemClock)).with_options(self.options)
    }

    /// How its rows are read.
    pub(crate) fn options(&self) -> RowOptions {
        self.options
    }

    /// Whether it holds no row of a project at all.
    pub(crate) async fn has_no_rows(&self, project: &ProjectName) -> Result<bool, StoreFailure> {
        let keys = self.rows.keys(project_rows(project).limit(1)).await;
        Ok(keys.map_err(|source| self.failed(source))?.is_empty())
    }

    /// The error of a project without rows.
    pub(crate) async fn missing_project(&self, project: ProjectName) -> Missing {
        missing_project(&self.flags(), project, self.display_name.clone()).await
    }

    /// The error of a store that failed.
    pub(crate) fn failed(&self, source: StoreError) -> StoreFailure {
        let display_name = self.display_name.clone();
        StoreFailure {
            display_name,
            source,
        }
    }
}

/// Opens the exposure log of a store that is there.
pub(crate) async fn open_log(
    context: &Context,
    settings: &StoreSettings,
) -> Result<Arc<dyn ExposureLog>, StoreNotOpened> {
    let StoreSettings::Bigtable(bigtable) = settings else {
        return context.open_log(settings).await;
    };
    let log = Box::pin(BigtableLog::connect(patient(bigtable))).await;
    let log = log.map_err(|error| context.not_opened(settings, error.into()))?;
    Ok(Arc::new(log))
}

fn patient(settings: &BigtableSettings) -> BigtableSettings {
    BigtableSettings {
        read_attempt: LONG / 6,
        read_timeout: LONG,
        ..settings.clone()
    }
}
