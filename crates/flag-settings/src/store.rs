//! Which store to open, and opening it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flag_store::{ExposureLog, RowStore, StoreError};
use flag_store_bigtable::{
    BigtableLog, BigtableSettings, BigtableStore, BigtableTables, ConnectError, is_host_and_port,
};
use flag_store_embedded::{
    EmbeddedLog, EmbeddedStore, OpenError, WriterPriority, remove_counts_before,
    remove_exposures_before,
};

use crate::endpoint::{read_endpoint, suggest_address};
use crate::environment::is_production;
use crate::reader::Reader;
use crate::table;

/// How long an emulator's exposures are kept; its data never outlives it.
const EMULATOR_RETENTION: Duration = Duration::from_hours(90 * 24);

/// How many attempts a read from Bigtable has within its deadline, if nothing is heard in any.
const READ_ATTEMPTS: u32 = 3;

/// Which store to open.
#[derive(Clone, Debug)]
pub enum StoreSettings {
    /// Local files in this directory.
    Embedded(PathBuf),
    /// Bigtable.
    Bigtable(Box<BigtableSettings>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoreKind {
    Embedded,
    Bigtable,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenStoreError {
    /// The embedded store.
    #[error("cannot open the embedded store")]
    Embedded(#[from] OpenError),
    /// Bigtable.
    #[error(transparent)]
    Bigtable(#[from] ConnectError),
    /// The emulator is there, but doesn't take our tables.
    #[error("cannot create the tables in the Bigtable emulator at {emulator}")]
    Emulator {
        /// Its address.
        emulator: String,
        /// What it said.
        #[source]
        source: StoreError,
    },
    /// The thread that opened it died.
    #[error("cannot open the embedded store")]
    Died,
}

impl OpenStoreError {
    /// Whether trying again may help: true if the network, a lock or a source of credentials failed, false for a setting.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Embedded(error) => matches!(error, OpenError::Busy { .. }),
            Self::Bigtable(error) => error.is_transient(),
            Self::Emulator { source, .. } => source.is_transient(),
            Self::Died => false,
        }
    }
}

impl StoreSettings {
    /// Makes reads from Bigtable end within `read_timeout`, in attempts short enough that a connection that is dead
    /// doesn't use it up. A read from the embedded store ends when its caller gives up.
    #[must_use]
    pub fn with_read_timeout(self, read_timeout: Duration) -> Self {
        match self {
            Self::Embedded(directory) => Self::Embedded(directory),
            Self::Bigtable(settings) => Self::Bigtable(Box::new(BigtableSettings {
                read_attempt: read_timeout / READ_ATTEMPTS,
                read_timeout,
                ..*settings
            })),
        }
    }

    /// Reads the settings of [`table::OF_STORE`]; those of Bigtable only if that is the store.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let kind = reader.parse(&table::STORE, |text| match text {
            "embedded" => Some(StoreKind::Embedded),
            "bigtable" => Some(StoreKind::Bigtable),
            _ => None,
        });
        reader.check_store();
        let environment = reader.parse(&table::ENVIRONMENT, name);
        let emulator = read_emulator(reader, environment.as_deref());
        // If the store is unknown, the errors of both are reported.
        let data_dir = (kind != Some(StoreKind::Bigtable))
            .then(|| read_data_dir(reader))
            .flatten();
        let bigtable = (kind != Some(StoreKind::Embedded))
            .then(|| read_bigtable(reader, environment.as_deref(), emulator.as_deref()))
            .flatten();
        let emulator = emulator?;
        match kind? {
            StoreKind::Embedded => data_dir.map(Self::Embedded),
            StoreKind::Bigtable => bigtable.map(|settings| {
                let emulator = (!emulator.is_empty()).then_some(emulator);
                Self::Bigtable(Box::new(BigtableSettings {
                    emulator,
                    ..settings
                }))
            }),
        }
    }

    /// Opens the flags. An emulator starts empty, so its tables are made if they are missing.
    pub async fn open(&self) -> Result<Arc<dyn RowStore>, OpenStoreError> {
        Ok(match self {
            Self::Embedded(directory) => Arc::new(blocking(directory, EmbeddedStore::open).await?),
            Self::Bigtable(settings) => {
                let store = BigtableStore::connect(BigtableSettings::clone(settings)).await?;
                make_tables(settings).await?;
                Arc::new(store)
            }
        })
    }

    /// Opens the flags of a store that somebody else keeps, to read them: makes no file and no table.
    pub async fn open_existing(&self) -> Result<Arc<dyn RowStore>, OpenStoreError> {
        Ok(match self {
            Self::Embedded(directory) => {
                Arc::new(blocking(directory, EmbeddedStore::existing).await?)
            }
            Self::Bigtable(settings) => {
                Arc::new(BigtableStore::connect(BigtableSettings::clone(settings)).await?)
            }
        })
    }

    /// Opens the exposure log as [`Self::open`] does; over connections of its own, which belong to the runtime that this is called in.
    pub async fn open_log(&self) -> Result<Arc<dyn ExposureLog>, OpenStoreError> {
        self.open_log_at(WriterPriority::Normal).await
    }

    /// Likewise; a thread of the store that writes exposures runs at this priority.
    pub async fn open_log_at(
        &self,
        priority: WriterPriority,
    ) -> Result<Arc<dyn ExposureLog>, OpenStoreError> {
        Ok(match self {
            Self::Embedded(directory) => {
                let open = move |directory: &Path| EmbeddedLog::open_at(priority, directory);
                Arc::new(blocking(directory, open).await?)
            }
            Self::Bigtable(settings) => {
                let log = BigtableLog::connect(BigtableSettings::clone(settings)).await?;
                make_tables(settings).await?;
                Arc::new(log)
            }
        })
    }

    /// Removes exposures that were written before `time` (spelled as at the end of their keys) where no rule of the store does so, and
    /// returns how many.
    pub async fn remove_exposures_before(&self, time: &str) -> Result<usize, StoreError> {
        match self {
            Self::Embedded(directory) => remove_exposures_before(directory, time).await,
            Self::Bigtable(_) => Ok(0),
        }
    }

    /// Removes counts of exposures that were written before `time`, likewise.
    pub async fn remove_counts_before(&self, time: &str) -> Result<usize, StoreError> {
        match self {
            Self::Embedded(directory) => remove_counts_before(directory, time).await,
            Self::Bigtable(_) => Ok(0),
        }
    }

    /// Where the store is, for people.
    pub fn display_name(&self) -> String {
        match self {
            Self::Embedded(directory) => format!("embedded store in {}", directory.display()),
            Self::Bigtable(settings) => {
                let at = match (&settings.emulator, &settings.endpoint) {
                    (Some(emulator), _) => format!(", emulator at {emulator}"),
                    (None, Some(endpoint)) => format!(" at {endpoint}"),
                    (None, None) => String::new(),
                };
                format!(
                    "Bigtable table {} in {}/{}{at}",
                    settings.flag_table, settings.project, settings.instance
                )
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    directory: &Path,
    open: impl FnOnce(&Path) -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenStoreError> {
    let directory = directory.to_owned();
    let opened = tokio::task::spawn_blocking(move || open(&directory)).await;
    Ok(opened.map_err(|_| OpenStoreError::Died)??)
}

/// Makes the tables of an emulator.
async fn make_tables(settings: &BigtableSettings) -> Result<(), OpenStoreError> {
    let Some(emulator) = &settings.emulator else {
        return Ok(());
    };
    let tables = BigtableTables::new(settings.clone());
    let made = tables.create(EMULATOR_RETENTION).await;
    made.map_err(|source| OpenStoreError::Emulator {
        emulator: emulator.clone(),
        source,
    })
}

/// Reads a name that Bigtable takes.
pub(crate) fn name(text: &str) -> Option<String> {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':');
    (!text.is_empty() && text.bytes().all(allowed)).then(|| text.to_owned())
}

fn read_data_dir(reader: &mut Reader) -> Option<PathBuf> {
    let path = reader.path(&table::DATA_DIR)?;
    if path.as_os_str().is_empty() {
        let origin = reader.origin(&table::DATA_DIR);
        reader.add_error(&format!(
            "data-dir ({origin}): found \"\", expected a directory"
        ));
        return None;
    }
    Some(path)
}

/// The emulator, empty if there is none; one in production is an error, whatever the store.
fn read_emulator(reader: &mut Reader, environment: Option<&str>) -> Option<String> {
    let is_valid = |text: &str| text.is_empty() || is_host_and_port(text);
    let parse = |text: &str| is_valid(text).then(|| text.to_owned());
    let suggest = |text: &str| suggest_address(text, is_host_and_port);
    let emulator = reader.parse_or_suggest(&table::EMULATOR, parse, suggest)?;
    if !emulator.is_empty() && environment.is_some_and(is_production) {
        let origin = reader.origin(&table::EMULATOR);
        let environment = environment.unwrap_or_default();
        reader.add_error(&format!(
            "bigtable-emulator ({origin}): refused in environment {environment:?}, which is production"
        ));
    }
    Some(emulator)
}

/// Reads names of the form that Bigtable takes; `{environment}` and `{tenant}` stand for those settings.
fn read_bigtable(
    reader: &mut Reader,
    environment: Option<&str>,
    emulator: Option<&str>,
) -> Option<BigtableSettings> {
    let tenant = reader.parse(&table::TENANT, name)?;
    let names = [
        ("{environment}", environment?),
        ("{tenant}", tenant.as_str()),
    ];
    let mut resource = |setting| reader.parse_expanded(setting, &names, name);
    let project = resource(&table::BIGTABLE_PROJECT);
    let instance = resource(&table::BIGTABLE_INSTANCE);
    let flag_table = resource(&table::FLAG_TABLE);
    let log_table = resource(&table::LOG_TABLE);
    let app_profile = reader.text(&table::APP_PROFILE);
    let endpoint = read_endpoint(reader, emulator);
    let ca_file = reader.path(&table::CA_FILE);
    let (app_profile, endpoint, ca_file) = (app_profile?, endpoint?, ca_file?);
    let settings = BigtableSettings {
        endpoint: (!endpoint.is_empty()).then_some(endpoint),
        ca_file: (!ca_file.as_os_str().is_empty()).then_some(ca_file),
        app_profile: (!app_profile.is_empty()).then_some(app_profile),
        ..BigtableSettings::new(project?, instance?, flag_table?, log_table?)
    };
    let uses_tls = emulator.is_none_or(str::is_empty);
    if uses_tls && let Err(error) = settings.check_ca_file() {
        reader.add_error(&error.to_string());
        return None;
    }
    Some(settings)
}
