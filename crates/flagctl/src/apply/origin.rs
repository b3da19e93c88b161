//! Whether a flag has changed in the store since it was exported, and what an apply does then.

use flag_model::{FlagKey, Metadata, Revision, Timestamp};

use crate::change::Change;

/// What is done with a flag that has changed in the store since it was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnConflict {
    /// Nothing is written.
    Refuse,
    /// Both changes are merged, unless they overlap.
    Rebase,
    /// The file counts, and takes the other change back.
    Force,
}

/// The rows that a flag was exported from, as far as the store has them and they are not the newest.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExportedRows {
    pub(crate) metadata: Option<Metadata>,
    pub(crate) revision: Option<Revision>,
}

/// The row that a flag was exported from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origin<'r, R> {
    /// The newest one; or the file does not name it, or the store has none.
    Newest,
    /// An older one; nothing if there was none then.
    Older(Option<&'r R>),
    /// One that the store does not have, or that cannot be read.
    Unknown(Timestamp),
}

// Derived, they would ask the same of `R`.
impl<R> Clone for Origin<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Origin<'_, R> {}

/// A flag that has changed in the store since it was exported, so that the file would take that back.
#[derive(Clone, Debug)]
pub(crate) struct ChangedSince {
    /// `metadata` or `revision`.
    pub(crate) what: &'static str,
    /// The newest row: its time, and who wrote it why.
    pub(crate) newest: String,
    /// Why it cannot be merged; empty if that was not tried.
    pub(crate) obstacle: Option<String>,
    /// What changed in the store, as far as the exported row is known.
    pub(crate) in_store: Option<Change>,
    /// What the file changes of the exported row, or of the newest one if that is not known.
    pub(crate) in_file: Option<Change>,
}

impl<'r, R> Origin<'r, R> {
    /// From the times of the exported and the newest row; `found` is the exported row if the store has it.
    #[expect(
        clippy::option_option,
        reason = "a flag may have been exported without a row"
    )]
    pub(super) fn new(
        exported: Option<Option<Timestamp>>,
        newest: Option<Timestamp>,
        found: Option<&'r R>,
    ) -> Self {
        match exported {
            None => Self::Newest,
            Some(time) if newest.is_none() || time == newest => Self::Newest,
            Some(None) => Self::Older(None),
            Some(Some(time)) => found.map_or(Self::Unknown(time), |found| Self::Older(Some(found))),
        }
    }
}

impl ChangedSince {
    /// The change with a warning that it takes back what changed in the store.
    pub(super) fn taken_back_by(&self, change: Change) -> Change {
        let Self { what, newest, .. } = self;
        change.with_warning(&format!(
            "this takes back the {what} of {newest}, which is newer than the file"
        ))
    }

    /// The change with a note that it keeps what changed in the store.
    pub(super) fn kept_by(&self, change: Change) -> Change {
        let Self { what, newest, .. } = self;
        change.with_note(format!("rebased on the {what} of {newest}"))
    }

    /// What happened, and both changes below it.
    pub(crate) fn message(&self, flag: &FlagKey) -> String {
        let Self { what, newest, .. } = self;
        let obstacle = self.obstacle.as_deref().map(|why| format!(" ({why})"));
        let mut message = format!(
            "{flag}: the {what} in the store is newer than the file{}: {newest}",
            obstacle.unwrap_or_default()
        );
        for (change, side) in [
            (&self.in_store, "in the store"),
            (&self.in_file, "in the file"),
        ] {
            let differences = change.as_ref().and_then(|change| change.differences(side));
            if let Some(differences) = differences {
                message += "\n";
                message += differences.uncoloured().trim_end();
            } else if change.is_some() {
                message.push_str("\n  nothing differs ");
                message.push_str(side);
            }
        }
        message
    }
}
