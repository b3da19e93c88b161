//! The last head row of a project, and which of its flags the cache may serve differently.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::FlagKey;
use flag_store::{HeadCell, HeadRow};
use tokio::time::Instant;

use crate::events::{HeadChange, RestoredFlag};
use crate::flags::cache::FlagCache;
use crate::flags::change_notices::NoticeOutcome;

/// How long a changed flag is compared with the cache; longer if it was not read by then. A claim may precede its row by this
/// time, and a read that began before the change may end after it.
pub(super) const COMPARED_FOR: Duration = Duration::from_secs(30);

/// The most flags of a project that one poll reads again, so that other reads are not held up; the rest wait for the next
/// poll.
const MAX_READS: usize = 256;

/// The last head row of a project.
#[derive(Debug)]
pub(super) struct SeenHeadRow {
    head_row: HeadRow,
    /// The flags that are compared with the cache: their state in the head row, and when it was first seen.
    to_compare: BTreeMap<FlagKey, (Option<HeadCell>, Instant)>,
    /// The flag that the next poll begins with.
    next: Option<FlagKey>,
}

/// What the next head row of a project has changed.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    /// How many flags went back to an older state.
    pub(super) undone: usize,
    /// The flags with another published revision.
    pub(super) changes: Vec<HeadChange>,
}

impl SeenHeadRow {
    /// Starts with the first head row, of which all flags are compared with the cache.
    pub(super) fn new(head_row: HeadRow) -> Self {
        let now = Instant::now();
        let to_compare = head_row
            .flags()
            .map(|(flag, state)| (flag, (Some(state), now)))
            .collect();
        Self {
            head_row,
            to_compare,
            next: None,
        }
    }

    /// Whether a flag is compared with the cache.
    #[cfg(test)]
    pub(super) fn compares(&self, flag: &FlagKey) -> bool {
        self.to_compare.contains_key(flag)
    }

    /// Returns the last head row.
    pub(super) fn head_row(&self) -> &HeadRow {
        &self.head_row
    }

    /// Replaces the head row.
    pub(super) fn replace(&mut self, head_row: HeadRow) -> Replaced {
        let now = Instant::now();
        let before = std::mem::replace(&mut self.head_row, head_row);
        let mut replaced = Replaced::default();
        for (flag, state) in self.head_row.changes_since(&before) {
            let old = before.get(&flag);
            let is_undone = old.is_some_and(|old| old.is_undone_by(state));
            replaced.undone += usize::from(is_undone);
            let revision_time = state.and_then(HeadCell::published);
            if old.and_then(HeadCell::published) != revision_time {
                replaced.changes.push(HeadChange {
                    flag: flag.clone(),
                    revision_time,
                    seen_at: now,
                });
            }
            self.to_compare.insert(flag, (state, now));
        }
        replaced
    }

    /// Returns the published revisions of the flags that are compared with the cache.
    pub(super) fn published_to_compare(&self) -> Vec<HeadChange> {
        let published = self
            .to_compare
            .iter()
            .filter_map(|(flag, (state, seen_at))| {
                Some(HeadChange {
                    flag: flag.clone(),
                    revision_time: Some((*state)?.published()?),
                    seen_at: *seen_at,
                })
            });
        published.collect()
    }

    /// Has flags compared with the cache as if their state had been seen just now; returns their published revisions.
    pub(super) fn compare_again(&mut self, flags: Vec<FlagKey>) -> Vec<RestoredFlag> {
        let now = Instant::now();
        let compare = |flag: FlagKey| {
            let state = self.head_row.get(&flag);
            self.to_compare.insert(flag.clone(), (state, now));
            RestoredFlag {
                flag,
                revision_time: state.and_then(HeadCell::published),
                seen_at: now,
            }
        };
        flags.into_iter().map(compare).collect()
    }

    /// Notifies the cache of the states of the flags to compare. A flag is compared for [`COMPARED_FOR`], and longer if the cache
    /// has not read it by then.
    pub(super) fn compare_with_cache(&mut self, flags: &FlagCache) {
        let mut earlier = std::mem::take(&mut self.to_compare);
        let next = self.next.take();
        let later = next.map_or_else(BTreeMap::new, |next| earlier.split_off(&next));
        let mut budget = MAX_READS;
        for (flag, (state, seen_at)) in later.into_iter().chain(earlier) {
            if budget == 0 {
                self.next.get_or_insert_with(|| flag.clone());
                self.to_compare.insert(flag, (state, seen_at));
                continue;
            }
            let outcome = flags.apply_notice(&flag, state, seen_at);
            budget -= usize::from(outcome != NoticeOutcome::UpToDate);
            if outcome == NoticeOutcome::AwaitingRead || seen_at.elapsed() < COMPARED_FOR {
                self.to_compare.insert(flag, (state, seen_at));
            }
        }
    }
}
