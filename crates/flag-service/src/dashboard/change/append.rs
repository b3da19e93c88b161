//! Carries out a planned change, once however often its form is sent.

use std::time::Duration;

use flag_model::{Revision, RevisionParts, Timestamp};
use flag_rollout::are_equivalent;
use flag_store::{AppendError, Base, FlagStore, StoreError};
use tokio::time::timeout;

use super::state::{FlagState, made};

/// How long a page waits for it. Afterwards it goes on, as an append that is cut off would hold up the next one.
const WAITS: Duration = Duration::from_secs(5);

/// Why it was not carried out.
#[derive(Debug)]
pub(in crate::dashboard) enum NotAppended {
    /// The newest revision is another one.
    Changed,
    /// Another writer holds the flag.
    Claimed,
    /// It can never be stored, or a clock is wrong: why.
    Refused(String),
    /// The store failed before anything was written.
    Store(StoreError),
    /// It may have been carried out, or still be.
    Unknown,
}

/// Appends a revision on the one made at `base`, which must be the newest still; returns when it was made. If the same
/// change has already been made on it, that one counts. Tooling that knows no claims may have made another one just then.
pub(in crate::dashboard) async fn append(
    store: &FlagStore,
    base: Timestamp,
    parts: RevisionParts,
) -> Result<Timestamp, NotAppended> {
    let flag = parts.flag.clone();
    let again = parts.clone();
    let appending = store.clone();
    let appending =
        tokio::spawn(async move { appending.append_revision(Base::Row(base), parts).await });
    let Ok(Ok(appended)) = timeout(WAITS, appending).await else {
        return Err(NotAppended::Unknown);
    };
    match appended {
        Ok((revision, _)) => Ok(revision.created()),
        Err(AppendError::Overtaken { appended, .. }) => Ok(appended),
        Err(AppendError::Conflict { .. }) => {
            let state = FlagState::read(store, flag).await;
            let state = state.map_err(NotAppended::Store)?;
            let made = state.made_before(base, &again);
            made.map(Revision::created).ok_or(NotAppended::Changed)
        }
        Err(AppendError::Claimed { .. }) => Err(NotAppended::Claimed),
        Err(AppendError::Store(error)) => Err(NotAppended::Store(error)),
        Err(AppendError::Unknown { .. }) => Err(NotAppended::Unknown),
        Err(error) => Err(NotAppended::Refused(error.to_string())),
    }
}

impl FlagState {
    /// The revision that makes this change on the one made at `base`, if its form was sent before.
    pub(in crate::dashboard) fn made_before(
        &self,
        base: Timestamp,
        parts: &RevisionParts,
    ) -> Option<&Revision> {
        let mut pairs = self.history.iter().zip(self.history.iter().skip(1));
        let (next, _) = pairs.find(|(_, before)| made(before) == Some(base))?;
        let next = next.as_ref().ok()?;
        let same = Revision::new(next.created(), parts.clone()).ok()?;
        let is_same = next.comment == same.comment
            && next.owner == same.owner
            && next.rollback_of == same.rollback_of
            && are_equivalent(next, &same);
        is_same.then_some(next)
    }
}
