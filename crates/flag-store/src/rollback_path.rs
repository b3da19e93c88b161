//! The path of revisions to the one in force, so that repeated rollbacks only go back.
//!
//! Pure. A rollback undoes everything newer than its target; an undone revision is on the path again only after a rollback
//! to it by its time. A revision counts as a rollback only if it decides as the older one that it names: other tooling
//! copies rows, changes their values, and leaves the reference to the original. Revisions that decide as the one before
//! them are one step with it.

use std::collections::BTreeMap;

use flag_model::{Revision, Timestamp};

use crate::stored::UnreadableRow;

/// The path to the revision in force.
#[derive(Debug)]
pub struct RollbackPath<'h> {
    /// Its revisions, the oldest first, each with the time of its original.
    steps: Vec<(Timestamp, &'h Revision)>,
    /// The original of every revision, through any number of copies; else the revision itself.
    originals: BTreeMap<Timestamp, Timestamp>,
    /// Unreadable rows, the newest first.
    unreadable: Vec<&'h UnreadableRow>,
    /// When the newest revision was created, if it cannot be read.
    broken: Option<Timestamp>,
}

impl<'h> RollbackPath<'h> {
    /// From a history, the newest first.
    pub fn of(
        history: &'h [Result<Revision, UnreadableRow>],
        are_equivalent: impl Fn(&Revision, &Revision) -> bool,
    ) -> Self {
        let newest = history.first();
        let mut path = Self {
            steps: Vec::new(),
            originals: BTreeMap::new(),
            unreadable: history
                .iter()
                .filter_map(|row| row.as_ref().err())
                .collect(),
            broken: newest.and_then(|row| row.as_ref().err()?.created()),
        };
        let mut older: BTreeMap<Timestamp, &Revision> = BTreeMap::new();
        for revision in history.iter().rev().flatten() {
            let copied = revision.rollback_of.and_then(|of| older.get(&of));
            let is_rollback = copied.is_some_and(|copied| are_equivalent(copied, revision));
            let before = path.steps.last();
            let is_equal = before.is_some_and(|(_, before)| are_equivalent(before, revision));
            match revision.rollback_of {
                Some(of) if is_rollback => path.add(revision, Some(of)),
                _ if is_equal => path.replace_last(revision),
                _ => path.add(revision, None),
            }
            older.insert(revision.created(), revision);
        }
        path
    }

    fn add(&mut self, revision: &'h Revision, rollback_of: Option<Timestamp>) {
        let created = revision.created();
        let original = rollback_of.map_or(created, |of| self.original(of));
        self.originals.insert(created, original);
        self.steps.retain(|(step, _)| *step <= original);
        if self.steps.last().is_none_or(|(step, _)| *step < original) {
            self.steps.push((original, revision));
        }
    }

    /// Takes a revision that decides as the one before it for a copy of that.
    fn replace_last(&mut self, revision: &'h Revision) {
        if let Some((original, last)) = self.steps.last_mut() {
            *last = revision;
            self.originals.insert(revision.created(), *original);
        }
    }

    fn original(&self, of: Timestamp) -> Timestamp {
        self.originals.get(&of).copied().unwrap_or(of)
    }

    /// How many revisions there are to go back to.
    pub fn length(&self) -> usize {
        let in_force = usize::from(self.broken.is_none());
        self.steps.len().saturating_sub(in_force)
    }

    /// The revision `steps` before the one in force.
    pub fn back(&self, steps: usize) -> Option<&'h Revision> {
        let at = self.length().checked_sub(steps)?;
        self.steps.get(at).map(|(_, revision)| *revision)
    }

    /// Unreadable rows between the revision in force and this one, or since the beginning.
    pub fn unreadable_between(&self, target: Option<&Revision>) -> Vec<&'h UnreadableRow> {
        let after = target.map(Revision::created);
        let last = self.steps.last().map(|(step, _)| *step);
        let before = self.broken.or(last);
        let rows = self.unreadable.iter().copied().filter(|row| {
            row.created().is_some_and(|created| {
                after.is_none_or(|after| created > after)
                    && before.is_none_or(|before| created < before)
            })
        });
        rows.collect()
    }

    /// Whether a rollback undid this revision, or its original, and is still in effect.
    pub fn was_taken_back(&self, target: &Revision) -> bool {
        let original = self.original(target.created());
        !self.steps.iter().any(|(step, _)| *step == original)
    }
}
