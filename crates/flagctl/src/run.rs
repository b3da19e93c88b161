//! Reads what was said, and does it.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use flag_model::FlagKey;
use flag_settings::{Reader, StoreSettings};
use flag_store::{FlagStore, SystemClock};

use crate::args::{self, Command, Variables};
use crate::commands;
use crate::failure::Failure;
use crate::near::near;

/// How long it is looked for names that were perhaps meant.
const LOOK_FOR_NAMES: Duration = Duration::from_secs(2);

/// What a command works with besides what was typed for it.
#[derive(Debug)]
pub(crate) struct Context {
    /// The variables of the environment.
    pub(crate) variables: Variables,
    settings: StoreSettings,
}

/// Does what the command line says.
pub(crate) fn run(
    typed: impl IntoIterator<Item = OsString>,
    variables: Variables,
) -> Result<(), Failure> {
    let (command, sources) = args::read(typed, variables.clone())?;
    let mut reader = Reader::new(sources);
    let settings = StoreSettings::read(&mut reader);
    let settings = reader.finish(settings)?;
    let context = Context {
        variables,
        settings,
    };
    runtime()?.block_on(async {
        match command {
            Command::Add(typed) => commands::add(&context, &typed).await,
            Command::Revise(typed) => commands::revise(&context, &typed).await,
            Command::Get(typed) => commands::get(&context, &typed).await,
            Command::History(typed) => commands::history(&context, &typed).await,
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
    /// Opens the store that the settings name.
    pub(crate) async fn open(&self) -> Result<FlagStore, Failure> {
        let rows = self.settings.open().await?;
        Ok(FlagStore::new(rows, Arc::new(SystemClock)))
    }

    /// Where the store is, for people.
    pub(crate) fn place(&self) -> String {
        self.settings.place()
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
        let flags = match tokio::time::timeout(LOOK_FOR_NAMES, flags).await {
            Ok(Ok(flags)) => flags,
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        let near = near(&flag, flags.iter().map(|entry| &entry.flag));
        Failure::NotFound {
            near: near.into_iter().cloned().collect(),
            place: self.place(),
            advice,
            flag,
        }
    }
}
