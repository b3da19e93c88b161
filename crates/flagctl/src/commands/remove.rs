//! `flagctl remove`: refused, as nothing is ever removed.

use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};

/// An attempt to remove a flag or a revision.
#[derive(Debug, thiserror::Error)]
#[error(
    "nothing is ever removed: `flagctl revise` gives everybody the control value, `flagctl rollback` goes back to an \
     older revision, `flagctl update` says when a flag should be gone"
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
