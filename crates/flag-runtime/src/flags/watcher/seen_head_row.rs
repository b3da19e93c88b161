//! The last head row of a project, and which of its flags the cache may serve differently.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::FlagKey;
use flag_store::{HeadCell, HeadRow};
use tokio::time::Instant;

use crate::events::{RestoredFlag, SeenRevision};
use crate::flags::cache::FlagCache;
use crate::flags::reconcile::Reconciliation;

/// How long a changed flag is compared with the cache; longer if it was not read by then. A claim may precede its row by this
/// time, and a read that began before the change may end after it.
pub(super) const RECONCILED_FOR: Duration = Duration::from_secs(30);

/// The most flags of a project that one poll reads again, so that other reads are not held up; the rest wait for the next
/// poll.
const MAX_READS: usize = 256;

/// The last head row of a project.
#[derive(Debug)]
pub(super) struct SeenHeadRow {
    head_row: HeadRow,
    /// The flags that are compared with the cache: their state in the head row, and when it was first seen.
    to_reconcile: BTreeMap<FlagKey, (Option<HeadCell>, Instant)>,
    /// The flag that the next poll begins with.
    next: Option<FlagKey>,
}

/// How the next head row of a project differs from the one before.
#[derive(Debug, Default)]
pub(super) struct HeadRowDiff {
    /// How many flags went back to an older state.
    pub(super) undone: usize,
    /// The flags with another published revision.
    pub(super) changes: Vec<SeenRevision>,
}

impl SeenHeadRow {
    /// Starts with the first head row, of which all flags are compared with the cache.
    pub(super) fn new(head_row: HeadRow) -> Self {
        let now = Instant::now();
        let to_reconcile = head_row
            .flags()
            .map(|(flag, state)| (flag, (Some(state), now)))
            .collect();
        Self {
            head_row,
            to_reconcile,
            next: None,
        }
    }

    /// Whether a flag is compared with the cache.
    #[cfg(test)]
    pub(super) fn reconciles(&self, flag: &FlagKey) -> bool {
        self.to_reconcile.contains_key(flag)
    }

    /// Returns the last head row.
    pub(super) fn head_row(&self) -> &HeadRow {
        &self.head_row
    }

    /// Replaces the head row.
    pub(super) fn replace(&mut self, head_row: HeadRow) -> HeadRowDiff {
        let now = Instant::now();
        let before = std::mem::replace(&mut self.head_row, head_row);
        let mut diff = HeadRowDiff::default();
        for (flag, state) in self.head_row.changes_since(&before) {
            let old = before.get(&flag);
            let is_undone = old.is_some_and(|old| old.is_undone_by(state));
            diff.undone += usize::from(is_undone);
            let revision_time = state.and_then(HeadCell::published);
            if old.and_then(HeadCell::published) != revision_time {
                diff.changes.push(SeenRevision {
                    flag: flag.clone(),
                    revision_time,
                    seen_at: now,
                });
            }
            self.to_reconcile.insert(flag, (state, now));
        }
        diff
    }

    /// Returns the published revisions of the flags that are compared with the cache.
    pub(super) fn revisions_to_reconcile(&self) -> Vec<SeenRevision> {
        let published = self
            .to_reconcile
            .iter()
            .filter_map(|(flag, (state, seen_at))| {
                Some(SeenRevision {
                    flag: flag.clone(),
                    revision_time: Some((*state)?.published()?),
                    seen_at: *seen_at,
                })
            });
        published.collect()
    }

    /// Has flags compared with the cache as if their state had been seen just now; returns their published revisions.
    pub(super) fn reconcile_again(&mut self, flags: Vec<FlagKey>) -> Vec<RestoredFlag> {
        let now = Instant::now();
        let compare = |flag: FlagKey| {
            let state = self.head_row.get(&flag);
            self.to_reconcile.insert(flag.clone(), (state, now));
            RestoredFlag {
                flag,
                revision_time: state.and_then(HeadCell::published),
                seen_at: now,
            }
        };
        flags.into_iter().map(compare).collect()
    }

    /// Compares the cache with the flags that have changed, and begins reads where the two disagree. A flag is compared for
    /// [`RECONCILED_FOR`], and longer if the cache has not read it by then.
    pub(super) fn reconcile_cache(&mut self, flags: &FlagCache) {
        let mut earlier = std::mem::take(&mut self.to_reconcile);
        let next = self.next.take();
        let later = next.map_or_else(BTreeMap::new, |next| earlier.split_off(&next));
        let mut budget = MAX_READS;
        for (flag, (state, seen_at)) in later.into_iter().chain(earlier) {
            if budget == 0 {
                self.next.get_or_insert_with(|| flag.clone());
                self.to_reconcile.insert(flag, (state, seen_at));
                continue;
            }
            let outcome = flags.reconcile_with_head_cell(&flag, state, seen_at);
            budget -= usize::from(outcome != Reconciliation::NoReadNeeded);
            if outcome == Reconciliation::ReadingOlderEntry || seen_at.elapsed() < RECONCILED_FOR {
                self.to_reconcile.insert(flag, (state, seen_at));
            }
        }
    }
}
