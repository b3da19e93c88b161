//! The last head row of a project, and which of its flags the cache may serve differently.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_store::{HeadCell, HeadRow};
use tokio::time::Instant;

use crate::events::{ChangedFlag, HeadChange};
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
    /// The state and the time of the last change of each flag that is compared with the cache.
    changed: BTreeMap<FlagKey, (Option<HeadCell>, Instant)>,
    /// The flag that the next poll begins with.
    next: Option<FlagKey>,
}

/// What the next head row of a project has changed.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    /// How many flags went back to an older state.
    pub(super) undone: usize,
    /// The flags with another published revision.
    pub(super) published: Vec<HeadChange>,
}

impl SeenHeadRow {
    /// Starts with the first head row.
    pub(super) fn new(head_row: HeadRow) -> Self {
        let now = Instant::now();
        let changed = head_row
            .flags()
            .map(|(flag, state)| (flag, (Some(state), now)))
            .collect();
        Self {
            head_row,
            changed,
            next: None,
        }
    }

    /// Whether a flag is compared with the cache.
    #[cfg(test)]
    pub(super) fn compares(&self, flag: &FlagKey) -> bool {
        self.changed.contains_key(flag)
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
            let published = state.and_then(HeadCell::published);
            if old.and_then(HeadCell::published) != published {
                replaced.published.push((flag.clone(), published, now));
            }
            self.changed.insert(flag, (state, now));
        }
        replaced
    }

    /// Returns the recent changes of published revisions.
    pub(super) fn recently_published(&self) -> Vec<HeadChange> {
        let changed = self.changed.iter();
        let changed = changed.filter_map(|(flag, (state, since))| {
            let published = (*state)?.published()?;
            Some((flag.clone(), Some(published), *since))
        });
        changed.collect()
    }

    /// Marks flags as changed just now; returns the times of their published revisions.
    pub(super) fn mark_changed(&mut self, flags: Vec<FlagKey>) -> Vec<ChangedFlag> {
        let now = Instant::now();
        let mark = |flag: FlagKey| {
            let state = self.head_row.get(&flag);
            self.changed.insert(flag.clone(), (state, now));
            let published = state.and_then(HeadCell::published);
            // Only a read that began later shows which revision of such a flag is in force.
            (flag, published.unwrap_or(Timestamp::UNIX_EPOCH), now)
        };
        flags.into_iter().map(mark).collect()
    }

    /// Notifies the cache of recent changes, and of older ones whose flags it has not read yet.
    pub(super) fn notify(&mut self, flags: &FlagCache) {
        let mut earlier = std::mem::take(&mut self.changed);
        let next = self.next.take();
        let later = next.map_or_else(BTreeMap::new, |next| earlier.split_off(&next));
        let mut budget = MAX_READS;
        for (flag, (state, since)) in later.into_iter().chain(earlier) {
            if budget == 0 {
                self.next.get_or_insert_with(|| flag.clone());
                self.changed.insert(flag, (state, since));
                continue;
            }
            let outcome = flags.apply_notice(&flag, state, since);
            budget -= usize::from(outcome != NoticeOutcome::UpToDate);
            if outcome == NoticeOutcome::AwaitingRead || since.elapsed() < COMPARED_FOR {
                self.changed.insert(flag, (state, since));
            }
        }
    }
}
