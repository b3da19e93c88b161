//! A flag as it is, on which a change is planned.

use flag_model::{FlagKey, Revision, Timestamp};
use flag_rollout::are_equivalent;
use flag_store::{FlagStore, RollbackPath, RowAhead, StoreError, UnreadableRow};
use futures_util::future::try_join;

/// How many of the newest revisions a rollback may go back.
pub(in crate::dashboard) const SEARCHED: usize = 1_000;

/// A flag as it is.
#[derive(Debug)]
pub(in crate::dashboard) struct FlagState {
    pub(in crate::dashboard) flag: FlagKey,
    /// The newest first, at most [`SEARCHED`].
    pub(in crate::dashboard) history: Vec<Result<Revision, UnreadableRow>>,
    /// A revision ahead of the clock, which comes into force later.
    pub(super) ahead: Option<RowAhead>,
}

impl FlagState {
    /// Reads it.
    pub(in crate::dashboard) async fn read(
        store: &FlagStore,
        flag: FlagKey,
    ) -> Result<Self, StoreError> {
        let reads = try_join(store.history(&flag, SEARCHED), store.revision_ahead(&flag));
        let (history, ahead) = reads.await?;
        Ok(Self {
            flag,
            history,
            ahead,
        })
    }

    /// The newest revision, unless it cannot be read.
    pub(in crate::dashboard) fn in_force(&self) -> Option<&Revision> {
        self.history.first()?.as_ref().ok()
    }

    /// When the newest revision was made, even if it cannot be read.
    pub(in crate::dashboard) fn newest_made(&self) -> Option<Timestamp> {
        made(self.history.first()?)
    }

    /// The flag as it was when the revision made at `base` was the newest.
    pub(in crate::dashboard) fn as_of(&self, base: Timestamp) -> Self {
        let newer = self.since(base).count();
        Self {
            flag: self.flag.clone(),
            history: self.history.iter().skip(newer).cloned().collect(),
            ahead: self.ahead,
        }
    }

    /// The path of revisions to the one in force.
    pub(in crate::dashboard) fn path(&self) -> RollbackPath<'_> {
        RollbackPath::of(&self.history, are_equivalent)
    }

    /// The revisions made after this time, the newest first, each with the one before it.
    pub(in crate::dashboard) fn since(
        &self,
        base: Timestamp,
    ) -> impl Iterator<Item = &[Result<Revision, UnreadableRow>]> {
        let newer = self
            .history
            .iter()
            .take_while(move |revision| made(revision).is_none_or(|made| made > base));
        let count = newer.count();
        (0..count).filter_map(|at| {
            let end = (at + 2).min(self.history.len());
            self.history.get(at..end)
        })
    }
}

/// When a revision was made, even if it cannot be read.
pub(super) fn made(revision: &Result<Revision, UnreadableRow>) -> Option<Timestamp> {
    match revision {
        Ok(revision) => Some(revision.created()),
        Err(unreadable) => unreadable.created(),
    }
}
