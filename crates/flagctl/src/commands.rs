//! What each command does: one file per command.
mod add;
mod apply;
mod backup;
mod compare;
mod completions;
mod copy;
mod diff;
mod doctor;
mod explain;
mod export;
mod exposures;
mod forget;
mod get;
mod history;
mod init;
mod keys;
mod latest;
mod list;
mod manual;
mod revise;
mod rollback;
mod run_config;
mod sql;
mod update;

use flag_model::{Date, FlagKey, Format, Metadata, Revision, Timestamp};
use flag_store::{Clock as _, FlagStore, ReadError, SystemClock};

pub(crate) use self::add::add;
pub(crate) use self::apply::{ApplyArgs, apply};
pub(crate) use self::backup::{BackupArgs, RestoreBackupArgs, backup, restore_backup};
pub(crate) use self::compare::{CompareArgs, compare};
pub(crate) use self::completions::{CompletionsArgs, completions};
pub(crate) use self::copy::{CopyArgs, copy};
pub(crate) use self::diff::{DiffArgs, diff};
pub(crate) use self::doctor::{DoctorArgs, doctor};
pub(crate) use self::explain::{ExplainArgs, explain};
pub(crate) use self::export::{ExportArgs, export};
pub(crate) use self::exposures::{ExposuresArgs, exposures};
pub(crate) use self::forget::{ForgetArgs, forget};
pub(crate) use self::get::get;
pub(crate) use self::history::history;
pub(crate) use self::init::{InitArgs, init};
pub(crate) use self::keys::{KeysArgs, keys};
pub(crate) use self::latest::{LatestArgs, latest};
pub(crate) use self::list::{ListArgs, list};
pub(crate) use self::manual::{ManualArgs, manual};
pub(crate) use self::revise::revise;
pub(crate) use self::rollback::{RollbackArgs, rollback};
pub(crate) use self::run_config::{RunConfigArgs, run_config};
pub(crate) use self::sql::{SqlArgs, sql};
pub(crate) use self::update::{UpdateArgs, update};
use crate::failure::Failure;
use crate::output::noted;
use crate::run::Context;
use crate::write::Stored;

/// How far back revisions are looked at.
const SEARCHED: usize = 1_000;

/// The day that it is, in UTC.
fn today() -> Option<Date> {
    let now = SystemClock.now().to_string();
    Date::parse(now.split(' ').next()?).ok()
}

/// The metadata that counts.
async fn metadata(store: &FlagStore, flag: &FlagKey) -> Result<Option<Metadata>, Failure> {
    let read = store.latest_metadata(flag);
    let read = noted(format!("reading the metadata of {flag}"), read).await;
    read.map_err(|error| unread("metadata", flag, error))
}

/// The metadata that counts, or why it cannot be read: for commands that show or replace it.
async fn newest_metadata(
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<Stored<Metadata>>, Failure> {
    let read = store.latest_metadata(flag);
    let read = noted(format!("reading the metadata of {flag}"), read).await;
    or_unreadable(read).map_err(|error| unread("metadata", flag, error))
}

/// The revision in force, or why it cannot be read: for commands that show or replace it.
async fn newest_revision(
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<Stored<Revision>>, Failure> {
    let read = store.latest_revision(flag);
    let read = noted(format!("reading the newest revision of {flag}"), read).await;
    or_unreadable(read).map_err(|error| unread("newest revision", flag, error))
}

fn or_unreadable<T>(read: Result<Option<T>, ReadError>) -> Result<Option<Stored<T>>, ReadError> {
    match read {
        Ok(read) => Ok(read.map(Ok)),
        Err(ReadError::Unreadable(row)) => Ok(Some(Err(row))),
        Err(error) => Err(error),
    }
}

/// How a flag places instances: as its newest revision does, of which that may be readable even if the rest is not.
async fn newest_format(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    newest: Option<&Stored<Revision>>,
) -> Result<Option<Format>, Failure> {
    match newest {
        None => Ok(None),
        Some(Ok(newest)) => Ok(Some(newest.format.clone())),
        Some(Err(_)) => {
            let format = store.newest_format(flag, SEARCHED);
            let format = noted(format!("reading the history of {flag}"), format).await;
            format.map_err(|source| context.failed(source))
        }
    }
}

/// The revision in force.
async fn newest(store: &FlagStore, flag: &FlagKey) -> Result<Option<Revision>, Failure> {
    let read = store.latest_revision(flag);
    let read = noted(format!("reading the newest revision of {flag}"), read).await;
    read.map_err(|error| unread("newest revision", flag, error))
}

/// When the first revision was made, even if it cannot be read.
async fn first_made(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<Timestamp>, Failure> {
    let first = store.first_revision_made(flag);
    let first = noted(format!("looking for revisions of {flag}"), first).await;
    first.map_err(|source| context.failed(source))
}

/// The revision in force now, or at an instant; where there is none, a failure that says what there is.
async fn in_force(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    at: Option<Timestamp>,
) -> Result<Revision, Failure> {
    let found = match at {
        None => newest(store, flag).await?,
        Some(at) => {
            let read = store.revision_at(flag, at);
            let read = noted(format!("reading the revision of {flag} at {at}"), read).await;
            read.map_err(|error| unread("revision in force then", flag, error))?
        }
    };
    if let Some(revision) = found {
        return Ok(revision);
    }
    let missing = match (at, first_made(context, store, flag).await?) {
        (Some(at), Some(first)) => {
            format!("had no revision yet at {at}; its first was made at {first}")
        }
        _ if newest_metadata(store, flag).await?.is_none() => {
            return Err(context.not_found(store, flag.clone(), "").await);
        }
        _ => "has no revision yet".to_owned(),
    };
    let flag = flag.clone();
    Err(Failure::NoneInForce { flag, missing })
}

fn unread(what: &'static str, flag: &FlagKey, error: ReadError) -> Failure {
    Failure::Read {
        what,
        flag: flag.clone(),
        source: Box::new(error),
    }
}
