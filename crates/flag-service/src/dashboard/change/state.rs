//! A flag as it is, on which a change is made.

use flag_model::{FlagKey, Revision, Timestamp};
use flag_rollout::are_equivalent;
use flag_store::{FlagStore, ReadError, RollbackPath, RowAhead, StoreError, UnreadableRow};
use futures_util::future::try_join;

/// How many of the newest revisions are read. Each may have thousands of ids, and several pages are made at a time.
pub(in crate::dashboard) const SEARCHED: usize = 200;

/// A flag as it is.
#[derive(Debug)]
pub(in crate::dashboard) struct FlagState {
    pub(in crate::dashboard) flag: FlagKey,
    /// The newest first, at most [`SEARCHED`].
    pub(in crate::dashboard) history: Vec<Result<Revision, UnreadableRow>>,
    /// An older revision that is to come into force again.
    pub(super) older: Option<Revision>,
    /// A revision ahead of the clock, which comes into force later.
    pub(super) ahead: Option<RowAhead>,
}

impl FlagState {
    /// Reads it, with the revision that is to come into force again.
    pub(in crate::dashboard) async fn read(
        store: &FlagStore,
        flag: FlagKey,
        target: Option<Timestamp>,
    ) -> Result<Self, StoreError> {
        let reads = try_join(store.history(&flag, SEARCHED), store.revision_ahead(&flag));
        let (history, ahead) = reads.await?;
        let is_read = |target| history.iter().any(|row| created(row) == Some(target));
        let older = match target {
            Some(target) if !is_read(target) => revision_created_at(store, &flag, target).await?,
            _ => None,
        };
        Ok(Self {
            flag,
            history,
            older,
            ahead,
        })
    }

    /// The revision made at this time, if it can be read.
    pub(super) fn revision(&self, at: Timestamp) -> Option<&Revision> {
        let mut readable = self.history.iter().flatten().chain(&self.older);
        readable.find(|revision| revision.created() == at)
    }

    /// The newest revision, unless it cannot be read.
    pub(in crate::dashboard) fn in_force(&self) -> Option<&Revision> {
        self.history.first()?.as_ref().ok()
    }

    /// When the newest revision was created, even if it cannot be read.
    pub(in crate::dashboard) fn newest_created(&self) -> Option<Timestamp> {
        created(self.history.first()?)
    }

    /// The flag as it was when the revision made at `base` was the newest.
    pub(in crate::dashboard) fn as_of(&self, base: Timestamp) -> Self {
        let newer = self.since(base).count();
        Self {
            flag: self.flag.clone(),
            history: self.history.iter().skip(newer).cloned().collect(),
            older: self.older.clone(),
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
            .take_while(move |revision| created(revision).is_none_or(|created| created > base));
        let count = newer.count();
        (0..count).filter_map(|at| {
            let end = (at + 2).min(self.history.len());
            self.history.get(at..end)
        })
    }
}

/// The revision created at exactly this time, if there is one that can be read.
async fn revision_created_at(
    store: &FlagStore,
    flag: &FlagKey,
    at: Timestamp,
) -> Result<Option<Revision>, StoreError> {
    match store.revision_at(flag, at).await {
        Ok(found) => Ok(found.filter(|revision| revision.created() == at)),
        Err(ReadError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// When a revision was created, even if it cannot be read.
pub(super) fn created(revision: &Result<Revision, UnreadableRow>) -> Option<Timestamp> {
    match revision {
        Ok(revision) => Some(revision.created()),
        Err(unreadable) => unreadable.created(),
    }
}
