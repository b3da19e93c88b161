//! Rows as a store has them: readable or not.

use flag_model::{Revision, Timestamp};
use flag_store::{FlagEntry, UnreadableRow};

use crate::exit_code::ExitCode;
use crate::failure::CommandError;

/// What a row holds, or why it cannot be read.
pub(crate) type MaybeReadable<T> = Result<T, UnreadableRow>;

/// Rows in force cannot be read; there is at least one.
#[derive(Debug, thiserror::Error)]
#[error("rows in force cannot be read")]
pub(crate) struct UnreadableRows(pub(crate) Vec<UnreadableRow>);

/// When a revision was made, even if its row cannot be read.
pub(crate) fn created(revision: &MaybeReadable<Revision>) -> Option<Timestamp> {
    created_by(revision, Revision::created)
}

/// When a row was made, even if it cannot be read.
pub(crate) fn created_by<T>(
    row: &MaybeReadable<T>,
    created: impl Fn(&T) -> Timestamp,
) -> Option<Timestamp> {
    match row {
        Ok(row) => Some(created(row)),
        Err(unreadable) => unreadable.created(),
    }
}

impl UnreadableRows {
    /// An error unless every row can be read.
    pub(crate) fn check(rows: Vec<UnreadableRow>) -> Result<(), Self> {
        if rows.is_empty() {
            Ok(())
        } else {
            Err(Self(rows))
        }
    }

    /// An error unless the newest rows of every flag can be read.
    pub(crate) fn check_flags(flags: &[FlagEntry]) -> Result<(), Self> {
        let rows = flags.iter().flat_map(|entry| {
            let metadata = entry.metadata.as_ref().and_then(|row| row.as_ref().err());
            let revision = entry.revision.as_ref().and_then(|row| row.as_ref().err());
            metadata.into_iter().chain(revision).cloned()
        });
        Self::check(rows.collect())
    }
}

impl CommandError for UnreadableRows {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Refused
    }

    fn problems(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}
