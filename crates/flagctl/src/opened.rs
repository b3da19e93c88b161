//! A store that is opened as it is, for work on all its rows: nothing is made, and waits are long.

use std::sync::Arc;
use std::time::Duration;

use flag_model::ProjectName;
use flag_settings::StoreSettings;
use flag_store::{FlagStore, RowOptions, RowStore, StoreError, SystemClock, Table, project_rows};
use flag_store_bigtable::{BigtableSettings, BigtableStore, TableState};
use flag_store_embedded::EmbeddedStore;

use crate::failure::Failure;
use crate::run::Context;

/// How long a page of rows may take, which can be many megabytes.
const LONG: Duration = Duration::from_secs(30);

/// How long the exposures of an emulator are kept; its data never outlives it.
const EMULATOR_RETENTION: Duration = Duration::from_hours(90 * 24);

/// An open store, and where it is.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Its rows, for whoever has the time to wait for many of them.
    pub(crate) rows: Arc<dyn RowStore>,
    /// The same as Bigtable, if it is, for whoever has not.
    pub(crate) bigtable: Option<BigtableStore>,
    /// Where it is, for people.
    pub(crate) place: String,
    options: RowOptions,
}

impl Opened {
    /// Opens a store that must be there already.
    pub(crate) async fn existing(
        context: &Context,
        settings: &StoreSettings,
    ) -> Result<Self, Failure> {
        if let StoreSettings::Embedded(directory) = settings {
            let files = EmbeddedStore::files(directory);
            if !files.iter().all(|file| file.exists()) {
                let place = settings.place();
                return Err(Failure::NoStore { place });
            }
        }
        Self::flags_of(context, settings).await
    }

    /// Opens a store whose flags must be there already; exposures in local files are opened when they are needed.
    pub(crate) async fn flags_of(
        context: &Context,
        settings: &StoreSettings,
    ) -> Result<Self, Failure> {
        let place = settings.place();
        let (rows, bigtable): (Arc<dyn RowStore>, _) = match settings {
            StoreSettings::Embedded(_) => {
                let rows = settings.open_flags().await?;
                context.will_close(&rows);
                (rows, None)
            }
            StoreSettings::Bigtable(settings) => {
                let rows = connect(patient(settings)).await?;
                let bigtable = connect(BigtableSettings::clone(settings)).await?;
                (Arc::new(rows), Some(bigtable))
            }
        };
        Ok(Self {
            rows,
            bigtable,
            place,
            options: context.rows,
        })
    }

    /// Opens a store; where files are missing, they are made, and in an emulator the tables.
    pub(crate) async fn or_made(
        context: &Context,
        settings: &StoreSettings,
    ) -> Result<Self, Failure> {
        if let StoreSettings::Embedded(_) = settings {
            settings.open().await?.close().await;
        }
        let opened = Self::existing(context, settings).await?;
        if let (Some(bigtable), StoreSettings::Bigtable(settings)) = (&opened.bigtable, settings)
            && settings.emulator.is_some()
        {
            let made = bigtable.create_tables(EMULATOR_RETENTION).await;
            made.map_err(|source| opened.failed(source))?;
        }
        Ok(opened)
    }

    /// Makes sure soon that it can be read.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        match &self.bigtable {
            Some(bigtable) => bigtable.ping().await,
            None => self.rows.ping().await,
        }
    }

    /// Makes sure that it answers; where it refuses, its tables may be missing.
    pub(crate) async fn ensure_ready(&self) -> Result<(), Failure> {
        let Err(error) = self.ping().await else {
            return Ok(());
        };
        let is_refused = matches!(error, StoreError::Refused { .. });
        if is_refused
            && self
                .absent_tables()
                .await
                .is_ok_and(|absent| !absent.is_empty())
        {
            let place = self.place.clone();
            return Err(Failure::NoTables { place });
        }
        Err(self.failed(error))
    }

    /// The tables of Bigtable that are missing, or lack the column family.
    pub(crate) async fn absent_tables(&self) -> Result<Vec<Table>, Failure> {
        let mut absent = Vec::new();
        for table in [Table::Flags, Table::Exposures] {
            if let Some(bigtable) = &self.bigtable {
                let state = bigtable.table_state(table).await;
                match state.map_err(|source| self.failed(source))? {
                    TableState::Missing | TableState::WithoutFamily => absent.push(table),
                    TableState::Ready(_) => {}
                }
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

    /// Whether it holds no row of a project at all, neither a flag nor an exposure.
    pub(crate) async fn has_nothing_of(&self, project: &ProjectName) -> Result<bool, Failure> {
        for table in [Table::Flags, Table::Exposures] {
            let scan = self.rows.keys(table, project_rows(project).limit(1));
            if !scan.await.map_err(|source| self.failed(source))?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What it means that there is nothing of a project.
    pub(crate) async fn no_rows(&self, project: ProjectName) -> Failure {
        Failure::NoRows {
            near: Context::near_project(&self.flags(), &project).await,
            place: self.place.clone(),
            project,
        }
    }

    /// What it means that it failed.
    pub(crate) fn failed(&self, source: StoreError) -> Failure {
        let place = self.place.clone();
        Failure::Store { place, source }
    }
}

/// Prepares the connections to Bigtable.
pub(crate) async fn connect(settings: BigtableSettings) -> Result<BigtableStore, Failure> {
    let store = Box::pin(BigtableStore::connect(settings)).await;
    store.map_err(|error| Failure::Open(error.into()))
}

fn patient(settings: &BigtableSettings) -> BigtableSettings {
    BigtableSettings {
        read_attempt: LONG / 6,
        read_deadline: LONG,
        ..settings.clone()
    }
}
