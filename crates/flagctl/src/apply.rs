//! Compares a flag file with the store, and plans the rows to append.
//!
//! Pure: no I/O, no clock. What the file leaves out stays as it is, and nothing is ever removed. Start with
//! `plan`. A flag that has changed in the store since it was exported is a conflict ([`OnConflict`]). Instances move as little as possible: a treatment keeps the buckets that it has in the store; the
//! ranges of the file are used only if the store has none.
mod merge;
mod metadata;
mod origin;
mod revision;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use flag_model::{BucketScheme, Date, FlagKey, HashAlgorithm, Metadata, NewName, OwnerId};
use flag_store::FlagEntry;

use crate::change::Change;
use crate::flag_file::{FileError, FileErrors, FlagFile, FlagInFile};
use crate::interpret;
use crate::maybe_readable::{created, created_by};
use crate::write::{NextMetadata, NextRevision};

use self::origin::Origin;
pub(crate) use self::origin::{ChangedSince, ExportedRows, OnConflict};

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
    pub(crate) metadata: Option<NextMetadata>,
    pub(crate) revision: Option<NextRevision>,
    /// What the rows would take back unseen.
    pub(crate) conflicts: Vec<ChangedSince>,
}

/// Values that a file leaves out.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    pub(crate) comment: String,
    pub(crate) owner: Option<OwnerId>,
    /// The default hash algorithm of version 1.
    pub(crate) v1: HashAlgorithm,
    /// How new flags may be named.
    pub(crate) names: NewName,
    pub(crate) on_conflict: OnConflict,
    pub(crate) today: Option<Date>,
}

/// What is known of the older rows of some flags.
#[derive(Debug, Default)]
pub(crate) struct OlderRows {
    /// The bucket schemes of the flags whose newest revision cannot be read.
    pub(crate) schemes: BTreeMap<FlagKey, BucketScheme>,
    /// The rows that flags were exported from, if they are not the newest.
    pub(crate) exported: BTreeMap<FlagKey, ExportedRows>,
}

/// Compares a file with what is stored of its project.
pub(crate) fn plan(
    file: FlagFile,
    stored: Vec<FlagEntry>,
    older: &OlderRows,
    defaults: &Defaults,
) -> Result<ApplyPlan, FileErrors> {
    let stored = stored.into_iter().map(|entry| (entry.flag.clone(), entry));
    let mut stored: BTreeMap<FlagKey, FlagEntry> = stored.collect();
    let mut plan = ApplyPlan::default();
    let mut mistakes = Vec::new();
    for wanted in file.flags {
        let entry = stored.remove(&wanted.flag);
        match planned(&wanted, entry, older, defaults) {
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
    older: &OlderRows,
    defaults: &Defaults,
) -> Result<Option<PlannedFlag>, String> {
    if entry.is_none() {
        check_new(wanted, defaults)?;
    }
    let (metadata, revision) = entry.map_or((None, None), |entry| (entry.metadata, entry.revision));
    let exported = older.exported.get(&wanted.flag);
    let exported_from = wanted.exported_from;
    let mut planned = PlannedFlag {
        flag: wanted.flag.clone(),
        metadata: None,
        revision: None,
        conflicts: Vec::new(),
    };
    if let Some(parts) = &wanted.metadata {
        let newest = metadata.as_ref();
        let origin = Origin::new(
            exported_from.map(|from| from.metadata),
            newest.and_then(|row| created_by(row, Metadata::created)),
            exported.and_then(|rows| rows.metadata.as_ref()),
        );
        let (append, conflict) = metadata::next_metadata(parts, newest, origin, defaults)?;
        planned.metadata = append;
        planned.conflicts.extend(conflict);
    }
    if let Some(in_file) = &wanted.revision {
        let newest = revision.as_ref();
        let (append, conflict) = revision::next_revision(&revision::Sources {
            flag: &wanted.flag,
            wanted: in_file,
            newest,
            unread: older.schemes.get(&wanted.flag),
            origin: Origin::new(
                exported_from.map(|from| from.revision),
                newest.and_then(created),
                exported.and_then(|rows| rows.revision.as_ref()),
            ),
            defaults,
        })?;
        planned.revision = append;
        planned.conflicts.extend(conflict);
    }
    let is_changed = planned.metadata.is_some() || planned.revision.is_some();
    Ok(is_changed.then_some(planned))
}

/// The rules of `flagctl add`.
fn check_new(wanted: &FlagInFile, defaults: &Defaults) -> Result<(), String> {
    let checked = interpret::new_name(&wanted.flag, defaults.names);
    checked.map_err(|invalid| invalid.to_string())?;
    if wanted.metadata.is_none() {
        return Err(
            "metadata: found nothing, expected a description, as the flag is new".to_owned(),
        );
    }
    Ok(())
}
