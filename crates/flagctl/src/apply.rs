//! Compares a flag file with the store, and plans the rows to append.
//!
//! Pure: no I/O, no clock. What the file leaves out stays as it is, and nothing is ever removed. Start with
//! `plan`. Instances move as little as possible: a treatment keeps the buckets that it has in the store; the
//! ranges of the file are used only if the store has none.
mod revision;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use flag_model::{FlagKey, Format, HashAlgorithm, NewName, OwnerId};
use flag_store::FlagEntry;

use crate::change::Change;
use crate::flag_file::{FileError, FileErrors, FlagFile, FlagInFile};
use crate::interpret;
use crate::write::{PlannedMetadata, PlannedRevision};

/// The rows to append.
#[derive(Default)]
pub(crate) struct ApplyPlan {
    /// The flags that differ.
    pub(crate) flags: Vec<PlannedFlag>,
    /// How many flags are equal in file and store.
    pub(crate) unchanged: usize,
    /// The flags of the project that are not in the file; they are not changed.
    pub(crate) not_in_file: Vec<FlagKey>,
}

/// The rows to append for a flag; at least one of the two.
pub(crate) struct PlannedFlag {
    pub(crate) flag: FlagKey,
    pub(crate) metadata: Option<PlannedMetadata>,
    pub(crate) revision: Option<PlannedRevision>,
}

/// Values that a file leaves out.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    pub(crate) comment: String,
    pub(crate) owner: Option<OwnerId>,
    /// The default digest of version 1.
    pub(crate) v1: HashAlgorithm,
    /// How new flags may be named.
    pub(crate) names: NewName,
}

/// Compares a file with what is stored of its project; `formats` has the format of the flags whose newest
/// revision cannot be read.
pub(crate) fn plan(
    file: FlagFile,
    stored: Vec<FlagEntry>,
    formats: &BTreeMap<FlagKey, Format>,
    defaults: &Defaults,
) -> Result<ApplyPlan, FileErrors> {
    let stored = stored.into_iter().map(|entry| (entry.flag.clone(), entry));
    let mut stored: BTreeMap<FlagKey, FlagEntry> = stored.collect();
    let mut plan = ApplyPlan::default();
    let mut mistakes = Vec::new();
    for wanted in file.flags {
        let entry = stored.remove(&wanted.flag);
        match planned(&wanted, entry, formats.get(&wanted.flag), defaults) {
            Ok(Some(flag)) => plan.flags.push(flag),
            Ok(None) => plan.unchanged += 1,
            Err(problem) => mistakes.push(FileError {
                position: wanted.position,
                message: format!("{}: {problem}", wanted.flag),
            }),
        }
    }
    plan.not_in_file = stored.into_keys().collect();
    if mistakes.is_empty() {
        Ok(plan)
    } else {
        Err(FileErrors(mistakes))
    }
}

impl ApplyPlan {
    /// Every change, in the order in which it is made.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.flags.iter().flat_map(PlannedFlag::changes).collect()
    }
}

impl PlannedFlag {
    /// Its changes.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let metadata = self.metadata.iter().map(|metadata| &metadata.change);
        let revision = self.revision.iter().map(|revision| &revision.change);
        metadata.chain(revision).cloned().collect()
    }
}

fn planned(
    wanted: &FlagInFile,
    entry: Option<FlagEntry>,
    format: Option<&Format>,
    defaults: &Defaults,
) -> Result<Option<PlannedFlag>, String> {
    if entry.is_none() {
        let checked = interpret::new_name(&wanted.flag, defaults.names);
        checked.map_err(|invalid| invalid.to_string())?;
    }
    let (metadata, revision) = entry.map_or((None, None), |entry| (entry.metadata, entry.revision));
    let metadata = wanted.metadata.clone().and_then(|mut parts| {
        let newest = metadata.as_ref().and_then(|stored| stored.as_ref().ok());
        parts.edited_by = newest.and_then(|newest| newest.edited_by.clone());
        let is_same = newest.is_some_and(|newest| **newest == parts);
        parts.edited_by.clone_from(&defaults.owner);
        (!is_same).then(|| PlannedMetadata::on(metadata.as_ref(), parts))
    });
    let revision = match &wanted.revision {
        Some(in_file) => {
            let stored = revision.as_ref();
            revision::planned(&wanted.flag, in_file, stored, format, defaults)?
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
