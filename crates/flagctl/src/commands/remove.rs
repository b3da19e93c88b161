//! `flagctl remove`: refused, as nothing is ever removed.

use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};

/// An attempt to remove a flag or a revision.
#[derive(Debug, thiserror::Error)]
#[error(
    "nothing is ever removed: `flagctl retire` freezes the value of a flag that is no longer needed, `flagctl kill` gives \
     everybody the control value, `flagctl rollback` goes back to an older revision"
)]
struct NothingIsRemoved;

impl CommandError for NothingIsRemoved {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Usage
    }
}

/// Refuses, with advice.
pub(crate) fn remove() -> Result<(), Failure> {
    Err(NothingIsRemoved.into())
}
