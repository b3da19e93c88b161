//! Plans the rows that bring a past state back; pure.

use flag_model::{FlagKey, Metadata, MetadataParts, OwnerId, RETIRED_TAG, Revision, RevisionParts};
use flag_rollout::{Risk, are_equivalent, switched_off};
use flag_store::FlagEntry;

use crate::apply::{ApplyPlan, PlannedFlag};
use crate::failure::Failure;
use crate::maybe_readable::{MaybeReadable, UnreadableRows};
use crate::write::{NextMetadata, NextRevision, WriteError};

/// What is restored, and by whom.
pub(super) struct Restoring {
    pub(super) comment: String,
    pub(super) owner: OwnerId,
    pub(super) newer: Newer,
}

/// What becomes of flags that had no revision yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newer {
    Leave,
    Retire,
}

/// A flag as it is, and what of it was in force.
pub(super) struct FlagThen {
    pub(super) entry: FlagEntry,
    pub(super) revision: Option<MaybeReadable<Revision>>,
    pub(super) metadata: Option<MaybeReadable<Metadata>>,
}

/// The rows to append.
#[derive(Default)]
pub(super) struct RestorePlan {
    pub(super) plan: ApplyPlan,
    /// The flags that had no revision yet and stay as they are.
    pub(super) newer: Vec<FlagKey>,
}

impl RestorePlan {
    /// Compares each flag with what it was. A revision of then that cannot be read is an error, as it decided nothing.
    pub(super) fn of(flags: Vec<FlagThen>, how: &Restoring) -> Result<Self, Failure> {
        // What is in force now must be readable to give everybody its control value.
        let is_retired = |flag: &&FlagThen| flag.revision.is_none() && how.newer == Newer::Retire;
        let newer = flags.iter().filter(is_retired);
        let newer = newer.filter_map(|flag| flag.entry.revision.as_ref()?.as_ref().err());
        let unreadable = flags
            .iter()
            .filter_map(|flag| flag.revision.as_ref()?.as_ref().err())
            .chain(newer);
        UnreadableRows::check(unreadable.cloned().collect())?;
        let mut planned = Self::default();
        for flag in flags {
            planned.add(flag, how)?;
        }
        Ok(planned)
    }

    fn add(&mut self, then: FlagThen, how: &Restoring) -> Result<(), WriteError> {
        let FlagThen {
            entry,
            revision,
            metadata,
        } = then;
        let Some(newest) = &entry.revision else {
            return Ok(());
        };
        let (revision, is_retired) = match revision {
            Some(Ok(then)) => {
                let was_retired = metadata.and_then(Result::ok).map(|then| then.is_retired());
                (restored(then, newest, how)?, was_retired)
            }
            _ if how.newer == Newer::Leave => {
                self.newer.push(entry.flag);
                return Ok(());
            }
            _ => (controlled(newest, how)?, Some(true)),
        };
        let metadata = is_retired.zip(entry.metadata.as_ref());
        let metadata = metadata.and_then(|(is_retired, newest)| tagged(newest, is_retired, how));
        if revision.is_none() && metadata.is_none() {
            self.plan.unchanged += 1;
            return Ok(());
        }
        self.plan.flags.push(PlannedFlag {
            flag: entry.flag,
            metadata,
            revision,
            conflicts: Vec::new(),
        });
        Ok(())
    }
}

/// A copy of a revision; none if the newest decides the same.
fn restored(
    then: Revision,
    newest: &MaybeReadable<Revision>,
    how: &Restoring,
) -> Result<Option<NextRevision>, WriteError> {
    if newest
        .as_ref()
        .is_ok_and(|newest| are_equivalent(newest, &then))
    {
        return Ok(None);
    }
    let made = then.created();
    let parts = RevisionParts {
        comment: how.comment.clone(),
        owner: Some(how.owner.clone()),
        rollback_of: Some(made),
        ..then.into_parts()
    };
    let mut next = NextRevision::on(Some(newest), parts)?;
    next.success_message = Some(format!(
        "restored {} to the revision of {made}",
        next.parts.flag
    ));
    Ok(Some(next))
}

/// The newest revision with nobody in a treatment; none if that is so already, or if it cannot be read.
fn controlled(
    newest: &MaybeReadable<Revision>,
    how: &Restoring,
) -> Result<Option<NextRevision>, WriteError> {
    let Ok(newest) = newest else {
        return Ok(None);
    };
    let mut parts = switched_off(newest, true);
    parts.comment.clone_from(&how.comment);
    parts.owner = Some(how.owner.clone());
    if parts.treatments == newest.treatments {
        return Ok(None);
    }
    let mut next = NextRevision::on(Some(&Ok(newest.clone())), parts)?;
    // Control for everybody is what --strict asks for.
    next.change
        .risks
        .retain(|risk| *risk != Risk::EveryValueChanges);
    Ok(Some(next))
}

/// The newest metadata with the tag of retired flags, or without it; none if it is so already, or cannot be read.
fn tagged(
    newest: &MaybeReadable<Metadata>,
    is_retired: bool,
    how: &Restoring,
) -> Option<NextMetadata> {
    let readable = newest.as_ref().ok()?;
    if readable.is_retired() == is_retired {
        return None;
    }
    let mut parts: MetadataParts = readable.clone().into_parts();
    parts.tags.retain(|tag| tag != RETIRED_TAG);
    if is_retired {
        parts.tags.push(RETIRED_TAG.to_owned());
    }
    parts.edited_by = Some(how.owner.clone());
    Some(NextMetadata::on(Some(newest), parts))
}
