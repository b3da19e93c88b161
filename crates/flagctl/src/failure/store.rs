//! The exit codes of errors that a store raises.

use flag_settings::OpenStoreError;
use flag_store::{AppendError, ReadError, StoreError};
use flag_store_bigtable::ConnectError;

use super::CommandError;
use crate::exit_code::ExitCode;

/// An open store failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the {display_name}")]
pub(crate) struct StoreFailure {
    /// Where the store is.
    pub(crate) display_name: String,
    /// Why it failed.
    pub(crate) source: StoreError,
}

impl CommandError for StoreFailure {
    fn exit_code(&self) -> ExitCode {
        store_exit_code(&self.source)
    }
}

impl CommandError for OpenStoreError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Bigtable(ConnectError::Setting { .. } | ConnectError::CaFile { .. }) => {
                ExitCode::Usage
            }
            _ => ExitCode::StoreUnavailable,
        }
    }
}

/// The exit code of a row that was not read.
pub(crate) fn read_exit_code(error: &ReadError) -> ExitCode {
    match error {
        ReadError::Unreadable(_) => ExitCode::Refused,
        ReadError::Store(error) => store_exit_code(error),
        _ => ExitCode::Failed,
    }
}

/// The exit code of a row that was not appended, or not as intended.
pub(crate) fn append_exit_code(error: &AppendError) -> ExitCode {
    match error {
        AppendError::Conflict { .. }
        | AppendError::Overtaken { .. }
        | AppendError::ClockBehind { .. }
        | AppendError::Claimed { .. } => ExitCode::Conflict,
        AppendError::Invalid(_) | AppendError::InvalidRevision(_) => ExitCode::Refused,
        AppendError::Store(error) => store_exit_code(error),
        _ => ExitCode::Failed,
    }
}

fn store_exit_code(error: &StoreError) -> ExitCode {
    match error {
        StoreError::TimedOut { .. }
        | StoreError::Unavailable { .. }
        | StoreError::Misconfigured { .. }
        | StoreError::Refused { .. } => ExitCode::StoreUnavailable,
        _ => ExitCode::Failed,
    }
}
