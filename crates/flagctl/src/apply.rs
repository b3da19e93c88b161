//! What a flag file means for a store: from the file and what is stored to the rows that are appended.
//!
//! Pure: no I/O, no clock. Whatever the file doesn't say stays as it is, and nothing is ever removed. Start with
//! [`plan`]. Instances move as little as possible: a treatment keeps the buckets that it has in the store, whatever
//! ranges the file tells; those count only where the store has none.
mod revision;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use flag_model::{FlagKey, HashAlgorithm, Metadata, MetadataParts, NewName, OwnerId, Revision};
use flag_store::{Base, FlagEntry, UnreadableRow};

use crate::change::Change;
use crate::flag_file::{FileMistake, FileMistakes, FlagFile, FlagInFile};
use crate::write::PlannedRevision;

/// What is to be done.
#[derive(Default)]
pub(crate) struct Plan {
    /// The flags that differ.
    pub(crate) flags: Vec<PlannedFlag>,
    /// How many flags of the file are in the store as the file says.
    pub(crate) unchanged: usize,
    /// The flags of the project that the file doesn't name; they are left alone.
    pub(crate) not_in_file: Vec<FlagKey>,
}

/// What is to be done about a flag; at least one of the two.
pub(crate) struct PlannedFlag {
    pub(crate) flag: FlagKey,
    pub(crate) metadata: Option<PlannedMetadata>,
    pub(crate) revision: Option<PlannedRevision>,
}

/// Metadata that shall be appended.
pub(crate) struct PlannedMetadata {
    /// Which metadata it stands on.
    pub(crate) base: Base,
    pub(crate) parts: MetadataParts,
    /// What it changes.
    pub(crate) change: Change,
}

/// What revisions that are appended say of themselves.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) comment: String,
    pub(crate) owner: Option<OwnerId>,
    /// The digest of version 1 where nobody names one.
    pub(crate) v1: HashAlgorithm,
}

/// Compares a file with what is stored of its project.
pub(crate) fn plan(
    file: FlagFile,
    stored: Vec<FlagEntry>,
    signature: &Signature,
) -> Result<Plan, FileMistakes> {
    let stored = stored.into_iter().map(|entry| (entry.flag.clone(), entry));
    let mut stored: BTreeMap<FlagKey, FlagEntry> = stored.collect();
    let mut plan = Plan::default();
    let mut mistakes = Vec::new();
    for wanted in file.flags {
        let entry = stored.remove(&wanted.flag);
        match planned(&wanted, entry, signature) {
            Ok(Some(flag)) => plan.flags.push(flag),
            Ok(None) => plan.unchanged += 1,
            Err(problem) => mistakes.push(FileMistake {
                place: wanted.place,
                message: format!("{}: {problem}", wanted.flag),
            }),
        }
    }
    plan.not_in_file = stored.into_keys().collect();
    if mistakes.is_empty() {
        Ok(plan)
    } else {
        Err(FileMistakes(mistakes))
    }
}

impl Plan {
    /// Every change, in the order in which it is made.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.flags.iter().flat_map(PlannedFlag::changes).collect()
    }
}

impl PlannedFlag {
    /// What changes of it.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let metadata = self.metadata.iter().map(|metadata| &metadata.change);
        let revision = self.revision.iter().map(|revision| &revision.change);
        metadata.chain(revision).cloned().collect()
    }
}

fn planned(
    wanted: &FlagInFile,
    entry: Option<FlagEntry>,
    signature: &Signature,
) -> Result<Option<PlannedFlag>, String> {
    if entry.is_none() {
        let checked = wanted.flag.project.check_new();
        let checked = checked.and_then(|()| wanted.flag.name.check_new(NewName::Any));
        checked.map_err(|invalid| invalid.to_string())?;
    }
    let (metadata, revision) = entry.map_or((None, None), |entry| (entry.metadata, entry.revision));
    let metadata = match &wanted.metadata {
        Some(parts) => planned_metadata(parts, readable(metadata)?.as_ref()),
        None => None,
    };
    let revision = match &wanted.revision {
        Some(revision_in_file) => {
            let newest: Option<Revision> = readable(revision)?;
            revision::planned(&wanted.flag, revision_in_file, newest.as_ref(), signature)?
        }
        None => None,
    };
    Ok(
        (metadata.is_some() || revision.is_some()).then(|| PlannedFlag {
            flag: wanted.flag.clone(),
            metadata,
            revision,
        }),
    )
}

fn readable<T>(row: Option<Result<T, UnreadableRow>>) -> Result<Option<T>, String> {
    let row = row.transpose();
    row.map_err(|error| format!("what is stored cannot be read: {error}"))
}

fn planned_metadata(parts: &MetadataParts, newest: Option<&Metadata>) -> Option<PlannedMetadata> {
    if newest.is_some_and(|newest| **newest == *parts) {
        return None;
    }
    Some(PlannedMetadata {
        base: Base::on(newest.map(Metadata::created)),
        parts: parts.clone(),
        change: Change::of_metadata(newest, parts),
    })
}
