//! Reads what was said, and does it.

use std::ffi::OsString;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flag_model::{FlagKey, ProjectName};
use flag_settings::{
    OpenStoreError, Origin, Reader, Sources, StoreSettings, read_row_options, table,
};
use flag_store::{ExposureLog, FlagStore, RowOptions, RowStore, StoreError, SystemClock};
use flag_store_embedded::{EmbeddedLog, EmbeddedStore, OpenError};
use signal_hook::consts::SIGXFSZ;

use crate::args::{self, Command, Variables};
use crate::commands;
use crate::failure::Failure;
use crate::near::{Near, closest, near};
use crate::output::{self, noted};
use crate::owner::with_owner;

/// How long it is looked for names that were perhaps meant.
const LOOK_FOR_NAMES: Duration = Duration::from_secs(2);

/// What a command works with besides what was typed for it.
#[derive(Debug)]
pub(crate) struct Context {
    /// The variables of the environment.
    pub(crate) variables: Variables,
    /// What was said about settings.
    pub(crate) sources: Sources,
    /// How rows are read and written.
    pub(crate) rows: RowOptions,
    settings: StoreSettings,
    /// What is open, to be closed at the end.
    opened: Mutex<Vec<Open>>,
}

/// What is open, and closed at the end.
#[derive(Debug)]
enum Open {
    Rows(Arc<dyn RowStore>),
    Log(Arc<dyn ExposureLog>),
}

/// Which files of a store are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Flags,
    Everything,
}

/// Does what the command line says.
pub(crate) fn run(
    typed: impl IntoIterator<Item = OsString>,
    variables: Variables,
) -> Result<(), Failure> {
    outlive_file_limits()?;
    output::prepare(&variables);
    let variables = with_owner(variables);
    let (command, sources) = args::read(typed, variables.clone())?;
    let mut reader = Reader::new(sources.clone());
    match &command {
        Command::Completions(typed) => return commands::completions(typed),
        Command::Manual(typed) => return commands::manual(typed),
        Command::Keys(typed) => return commands::keys(typed, reader),
        Command::Sql(typed) => return commands::sql(typed, reader),
        _ => {}
    }
    let settings = StoreSettings::read(&mut reader);
    let rows = read_row_options(&mut reader);
    let (settings, rows) = reader.finish(settings.zip(rows))?;
    let context = Context {
        variables,
        sources,
        rows,
        settings,
        opened: Mutex::default(),
    };
    runtime()?.block_on(async {
        let done = perform(&context, command).await;
        context.close().await;
        done
    })
}

async fn perform(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(typed) => commands::add(context, &typed).await,
        Command::Revise(typed) => commands::revise(context, &typed).await,
        Command::Update(typed) => commands::update(context, &typed).await,
        Command::Remove { .. } => Err(Failure::NothingIsRemoved),
        Command::RunConfig(typed) => commands::run_config(context, &typed).await,
        Command::Rollback(typed) => commands::rollback(context, &typed).await,
        Command::Get(typed) => commands::get(context, &typed).await,
        Command::History(typed) => commands::history(context, &typed).await,
        Command::Latest(typed) => commands::latest(context, &typed).await,
        Command::List(typed) => commands::list(context, &typed).await,
        Command::Diff(typed) => commands::diff(context, &typed).await,
        Command::Explain(typed) => commands::explain(context, &typed).await,
        Command::Exposures(typed) => commands::exposures(context, &typed).await,
        Command::Forget(typed) => commands::forget(context, &typed).await,
        Command::Init(typed) => commands::init(context, &typed).await,
        Command::Doctor(typed) => commands::doctor(context, &typed).await,
        Command::Export(typed) => commands::export(context, &typed).await,
        Command::Apply(typed) => commands::apply(context, &typed).await,
        Command::Compare(typed) => commands::compare(context, &typed).await,
        Command::Copy(typed) => commands::copy(context, &typed).await,
        Command::Backup(typed) => commands::backup(context, &typed).await,
        Command::RestoreBackup(typed) => commands::restore_backup(context, &typed).await,
        // They need no store, and were done before one was looked for.
        Command::Keys(_) | Command::Sql(_) | Command::Completions(_) | Command::Manual(_) => Ok(()),
    }
}

/// Refuses a folder without a store, and a store whose files are not all there as far as they are wanted.
pub(crate) fn ensure_there(settings: &StoreSettings, wanted: Part) -> Result<(), Failure> {
    let StoreSettings::Embedded(folder) = settings else {
        return Ok(());
    };
    let failed = |error: OpenError| Failure::Open(error.into());
    if !EmbeddedStore::is_there(folder).map_err(failed)? {
        let place = settings.place();
        return Err(Failure::NoStore { place });
    }
    if wanted == Part::Everything && !EmbeddedLog::is_there(folder).map_err(failed)? {
        let [left, path] = EmbeddedStore::files(folder);
        return Err(failed(OpenError::Gone { path, left }));
    }
    Ok(())
}

/// Whether there is no file of the store; Bigtable has none.
pub(crate) fn is_missing(settings: &StoreSettings) -> bool {
    matches!(
        ensure_there(settings, Part::Flags),
        Err(Failure::NoStore { .. })
    )
}

/// From now on a file that may not grow any more (`RLIMIT_FSIZE`) fails the write, and doesn't end the process.
fn outlive_file_limits() -> Result<(), Failure> {
    let came = Arc::new(AtomicBool::new(false));
    let registered = signal_hook::flag::register(SIGXFSZ, came);
    registered.map(drop).map_err(Failure::Start)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built: io::Result<_> = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.map_err(Failure::Start)
}

impl Context {
    /// Opens the flags of the store that the settings name; a folder without one is a mistake in the settings.
    pub(crate) async fn open(&self) -> Result<FlagStore, Failure> {
        ensure_there(&self.settings, Part::Flags)?;
        self.open_flags().await
    }

    /// Opens the flags of the store that the settings name, and makes one where there is none.
    pub(crate) async fn open_or_make(&self) -> Result<FlagStore, Failure> {
        let is_new = is_missing(&self.settings);
        let store = self.open_flags().await?;
        if is_new {
            self.open_log(&self.settings).await?;
            output::talk(&format!(
                "there was no {} yet; it is made now",
                self.place()
            ));
        }
        Ok(store)
    }

    /// Opens the flags of the store that the settings name, unless its folder has nothing of one.
    pub(crate) async fn open_if_there(&self) -> Result<Option<FlagStore>, Failure> {
        match &self.settings {
            StoreSettings::Embedded(folder)
                if is_missing(&self.settings) && (folder.is_dir() || !folder.exists()) =>
            {
                Ok(None)
            }
            _ => self.open_or_make().await.map(Some),
        }
    }

    /// The flags that are kept in `rows`.
    fn flags(&self, rows: Arc<dyn RowStore>) -> FlagStore {
        FlagStore::new(rows, Arc::new(SystemClock)).with_options(self.rows)
    }

    async fn open_flags(&self) -> Result<FlagStore, Failure> {
        let opening = format!("opening the {}", self.place());
        let rows = noted(opening, self.open_rows(&self.settings)).await?;
        Ok(self.flags(rows))
    }

    /// Opens the rows of a store.
    pub(crate) async fn open_rows(
        &self,
        settings: &StoreSettings,
    ) -> Result<Arc<dyn RowStore>, Failure> {
        let rows = Box::pin(settings.open()).await;
        let rows = rows.map_err(|source| self.not_opened(settings, source))?;
        self.will_close(Open::Rows(Arc::clone(&rows)));
        Ok(rows)
    }

    /// Opens the exposure log of a store.
    pub(crate) async fn open_log(
        &self,
        settings: &StoreSettings,
    ) -> Result<Arc<dyn ExposureLog>, Failure> {
        let log = Box::pin(settings.open_log()).await;
        let log = log.map_err(|source| self.not_opened(settings, source))?;
        self.will_close(Open::Log(Arc::clone(&log)));
        Ok(log)
    }

    /// What it means that the store cannot be opened, and why it is this one where nobody has said so.
    pub(crate) fn not_opened(&self, settings: &StoreSettings, source: OpenStoreError) -> Failure {
        let because = Reader::new(self.sources.clone()).origin(&table::STORE);
        let is_named = settings.place() != self.place();
        match (settings, &because) {
            (StoreSettings::Bigtable(_), Origin::Implied { .. }) if !is_named => {
                Failure::NoBigtable {
                    because: because.to_string(),
                    source,
                }
            }
            _ => source.into(),
        }
    }

    fn will_close(&self, open: Open) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.push(open);
    }

    /// Closes what is open, so that local files hold what was written to them.
    async fn close(&self) {
        let opened =
            std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        for open in opened {
            match open {
                Open::Rows(rows) => rows.close().await,
                Open::Log(log) => log.close().await,
            }
        }
    }

    /// Which store the settings name.
    pub(crate) fn settings(&self) -> &StoreSettings {
        &self.settings
    }

    /// Where the store is, for people.
    pub(crate) fn place(&self) -> String {
        self.settings.place()
    }

    /// Opens the store that the settings name, and its exposure log.
    pub(crate) async fn open_with_log(&self) -> Result<(FlagStore, Arc<dyn ExposureLog>), Failure> {
        ensure_there(&self.settings, Part::Everything)?;
        let flags = self.open_flags().await?;
        Ok((flags, self.open_log(&self.settings).await?))
    }

    /// The project that was perhaps meant, as far as the store tells it soon.
    pub(crate) async fn near_project(
        store: &FlagStore,
        typed: &ProjectName,
    ) -> Option<ProjectName> {
        let projects = tokio::time::timeout(LOOK_FOR_NAMES, store.projects());
        let projects = noted(format!("looking for projects like {typed}"), projects).await;
        let projects = projects.ok()?.ok()?.names;
        let names = projects.iter().map(ProjectName::as_str);
        let others = names.filter(|name| *name != typed.as_str());
        ProjectName::new(closest(typed.as_str(), others)?).ok()
    }

    /// What it means that the store failed.
    pub(crate) fn failed(&self, source: StoreError) -> Failure {
        let place = self.place();
        Failure::Store { place, source }
    }

    /// Says that a flag is not there, what to do about it, and which ones were perhaps meant, as far as the store
    /// tells them soon.
    pub(crate) async fn not_found(
        &self,
        store: &FlagStore,
        flag: FlagKey,
        advice: &'static str,
    ) -> Failure {
        let flags = store.flags_with_latest(&flag.project);
        let flags = tokio::time::timeout(LOOK_FOR_NAMES, flags);
        let near = match noted(format!("looking for flags like {flag}"), flags).await {
            Ok(Ok(flags)) if flags.is_empty() => {
                Near::Project(Self::near_project(store, &flag.project).await)
            }
            Ok(Ok(flags)) => {
                let near = near(&flag, flags.iter().map(|entry| &entry.flag));
                Near::Flags(near.into_iter().cloned().collect())
            }
            Ok(Err(_)) | Err(_) => Near::Flags(Vec::new()),
        };
        Failure::NotFound {
            near,
            place: self.place(),
            advice,
            flag,
        }
    }
}
