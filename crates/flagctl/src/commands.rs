//! What each command does: one file per command.
mod add;
mod get;
mod history;
mod revise;

use flag_model::{FlagKey, Metadata, Revision};
use flag_store::{FlagStore, ReadError};

pub(crate) use self::add::add;
pub(crate) use self::get::get;
pub(crate) use self::history::history;
pub(crate) use self::revise::revise;
use crate::failure::Failure;

/// The metadata that counts.
async fn metadata(store: &FlagStore, flag: &FlagKey) -> Result<Option<Metadata>, Failure> {
    let read = store.latest_metadata(flag).await;
    read.map_err(|error| unread("metadata", flag, error))
}

/// The revision in force.
async fn newest(store: &FlagStore, flag: &FlagKey) -> Result<Option<Revision>, Failure> {
    let read = store.latest_revision(flag).await;
    read.map_err(|error| unread("newest revision", flag, error))
}

fn unread(what: &'static str, flag: &FlagKey, error: ReadError) -> Failure {
    Failure::Read {
        what,
        flag: flag.clone(),
        source: Box::new(error),
    }
}
