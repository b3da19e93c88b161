//! Reads what was said, and does it.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use flag_model::{FlagKey, ProjectName};
use flag_settings::{Reader, Sources, StoreSettings};
use flag_store::{ExposureStore, FlagStore, RowStore, StoreError, SystemClock};
use flag_store_embedded::EmbeddedStore;

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
    settings: StoreSettings,
}

/// Does what the command line says.
pub(crate) fn run(
    typed: impl IntoIterator<Item = OsString>,
    variables: Variables,
) -> Result<(), Failure> {
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
    let settings = reader.finish(settings)?;
    let context = Context {
        variables,
        sources,
        settings,
    };
    runtime()?.block_on(async {
        match command {
            Command::Add(typed) => commands::add(&context, &typed).await,
            Command::Revise(typed) => commands::revise(&context, &typed).await,
            Command::Update(typed) => commands::update(&context, &typed).await,
            Command::Remove { .. } => Err(Failure::NothingIsRemoved),
            Command::RunConfig(typed) => commands::run_config(&context, &typed).await,
            Command::Rollback(typed) => commands::rollback(&context, &typed).await,
            Command::Get(typed) => commands::get(&context, &typed).await,
            Command::History(typed) => commands::history(&context, &typed).await,
            Command::Latest(typed) => commands::latest(&context, &typed).await,
            Command::List(typed) => commands::list(&context, &typed).await,
            Command::Diff(typed) => commands::diff(&context, &typed).await,
            Command::Explain(typed) => commands::explain(&context, &typed).await,
            Command::Exposures(typed) => commands::exposures(&context, &typed).await,
            Command::Forget(typed) => commands::forget(&context, &typed).await,
            Command::Init(typed) => commands::init(&context, &typed).await,
            Command::Doctor(typed) => commands::doctor(&context, &typed).await,
            Command::Export(typed) => commands::export(&context, &typed).await,
            Command::Apply(typed) => commands::apply(&context, &typed).await,
            Command::Copy(typed) => commands::copy(&context, &typed).await,
            // They need no store, and were done before one was looked for.
            Command::Keys(_) | Command::Sql(_) | Command::Completions(_) | Command::Manual(_) => {
                Ok(())
            }
        }
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built: io::Result<_> = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.map_err(Failure::Start)
}

impl Context {
    /// Opens the store that the settings name; a folder without one is a mistake in the settings.
    pub(crate) async fn open(&self) -> Result<FlagStore, Failure> {
        self.check_exists()?;
        self.open_or_make().await
    }

    /// Opens the store that the settings name, and makes one in a folder that has none.
    pub(crate) async fn open_or_make(&self) -> Result<FlagStore, Failure> {
        Ok(FlagStore::new(self.rows().await?, Arc::new(SystemClock)))
    }

    fn check_exists(&self) -> Result<(), Failure> {
        match &self.settings {
            StoreSettings::Embedded(folder)
                if EmbeddedStore::files(folder)
                    .iter()
                    .any(|file| !file.exists()) =>
            {
                Err(Failure::NoStore {
                    place: self.place(),
                })
            }
            _ => Ok(()),
        }
    }

    async fn rows(&self) -> Result<Arc<dyn RowStore>, Failure> {
        let opening = format!("opening the {}", self.place());
        Ok(noted(opening, Box::pin(self.settings.open())).await?)
    }

    /// Which store the settings name.
    pub(crate) fn settings(&self) -> &StoreSettings {
        &self.settings
    }

    /// Where the store is, for people.
    pub(crate) fn place(&self) -> String {
        self.settings.place()
    }

    /// Opens the store, and the exposure log that is kept in it.
    pub(crate) async fn open_with_exposures(&self) -> Result<(FlagStore, ExposureStore), Failure> {
        self.check_exists()?;
        let rows = self.rows().await?;
        let flags = FlagStore::new(Arc::clone(&rows), Arc::new(SystemClock));
        Ok((flags, ExposureStore::new(rows)))
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
