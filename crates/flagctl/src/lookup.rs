//! Look-ups that several commands share; each has an error that names what is missing.

use flag_model::{FlagKey, Format, Metadata, Revision, Timestamp};
use flag_store::{FlagStore, ReadError};

use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure, StoreFailure, read_exit_code};
use crate::missing::missing_flag;
use crate::output::with_progress;
use crate::stored::Stored;

/// How many of the newest revisions of a flag are searched.
pub(crate) const SEARCHED_REVISIONS: usize = 1_000;

/// Why the newest row was not found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// The row cannot be read.
    #[error("cannot read the {what} of {flag}")]
    Read {
        /// Metadata or revision.
        what: &'static str,
        /// The flag.
        flag: FlagKey,
        /// Why.
        source: Box<ReadError>,
    },
    /// The flag exists, but had no such revision.
    #[error("{flag} {missing}")]
    NoRevision {
        /// The flag.
        flag: FlagKey,
        /// What is missing, and what exists instead.
        missing: String,
    },
}

impl CommandError for LookupError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Read { source, .. } => read_exit_code(source),
            Self::NoRevision { .. } => ExitCode::NotFound,
        }
    }
}

/// The newest metadata.
pub(crate) async fn metadata(
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<Metadata>, LookupError> {
    let read = store.latest_metadata(flag);
    let read = with_progress(format!("reading the metadata of {flag}"), read).await;
    read.map_err(|error| unread("metadata", flag, error))
}

/// The newest metadata, readable or not: for commands that show or replace it.
pub(crate) async fn stored_metadata(
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<Stored<Metadata>>, LookupError> {
    let read = store.latest_metadata(flag);
    let read = with_progress(format!("reading the metadata of {flag}"), read).await;
    or_unreadable(read).map_err(|error| unread("metadata", flag, error))
}

/// The revision in force, readable or not: for commands that show or replace it.
pub(crate) async fn stored_revision(
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<Stored<Revision>>, LookupError> {
    let read = store.latest_revision(flag);
    let read = with_progress(format!("reading the newest revision of {flag}"), read).await;
    or_unreadable(read).map_err(|error| unread("newest revision", flag, error))
}

/// The format of a flag: that of its revision in force, or of an older one if that cannot be read.
pub(crate) async fn stored_format(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    newest: Option<&Stored<Revision>>,
) -> Result<Option<Format>, StoreFailure> {
    match newest {
        None => Ok(None),
        Some(Ok(newest)) => Ok(Some(newest.format.clone())),
        Some(Err(_)) => {
            let format = store.newest_format(flag, SEARCHED_REVISIONS);
            let format = with_progress(format!("reading the history of {flag}"), format).await;
            format.map_err(|source| context.store_failed(source))
        }
    }
}

/// When the first revision was made, even if it cannot be read.
pub(crate) async fn first_revision_made(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<Timestamp>, StoreFailure> {
    let first = store.first_revision_made(flag);
    let first = with_progress(format!("looking for revisions of {flag}"), first).await;
    first.map_err(|source| context.store_failed(source))
}

/// The revision in force now, or at a time.
pub(crate) async fn revision_in_force(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    at: Option<Timestamp>,
) -> Result<Revision, Failure> {
    let found = match at {
        None => {
            let read = store.latest_revision(flag);
            let read = with_progress(format!("reading the newest revision of {flag}"), read).await;
            read.map_err(|error| unread("newest revision", flag, error))?
        }
        Some(at) => {
            let read = store.revision_at(flag, at);
            let reading = format!("reading the revision of {flag} at {at}");
            let read = with_progress(reading, read).await;
            read.map_err(|error| unread("revision in force then", flag, error))?
        }
    };
    if let Some(revision) = found {
        return Ok(revision);
    }
    let missing = match (at, first_revision_made(context, store, flag).await?) {
        (Some(at), Some(first)) => {
            format!("had no revision yet at {at}; its first was made at {first}")
        }
        _ if stored_metadata(store, flag).await?.is_none() => {
            return Err(missing_flag(context, store, flag.clone(), "").await.into());
        }
        _ => "has no revision yet".to_owned(),
    };
    let flag = flag.clone();
    Err(LookupError::NoRevision { flag, missing }.into())
}

fn or_unreadable<T>(read: Result<Option<T>, ReadError>) -> Result<Option<Stored<T>>, ReadError> {
    match read {
        Ok(read) => Ok(read.map(Ok)),
        Err(ReadError::Unreadable(row)) => Ok(Some(Err(row))),
        Err(error) => Err(error),
    }
}

fn unread(what: &'static str, flag: &FlagKey, error: ReadError) -> LookupError {
    LookupError::Read {
        what,
        flag: flag.clone(),
        source: Box::new(error),
    }
}
