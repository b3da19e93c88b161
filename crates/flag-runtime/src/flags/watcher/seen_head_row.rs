//! The last head row of a project, and which of its flags the cache may serve differently.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::FlagKey;
use flag_store::{HeadCell, HeadRow};
use tokio::time::Instant;

use crate::flags::cache::FlagCache;
use crate::flags::change_notices::NoticeOutcome;

/// How long a changed flag is compared with the cache, at least until it is read. A claim may be this much older than its
/// revision, and a read that began before the change may end after it.
const COMPARED_FOR: Duration = Duration::from_secs(30);

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

    /// Returns the last head row.
    pub(super) fn head_row(&self) -> &HeadRow {
        &self.head_row
    }

    /// Replaces the head row; returns how many flags went back to an older state.
    pub(super) fn replace(&mut self, head_row: HeadRow) -> usize {
        let now = Instant::now();
        let before = std::mem::replace(&mut self.head_row, head_row);
        let mut undone = 0;
        for (flag, state) in self.head_row.changes_since(&before) {
            let is_undone = before.get(&flag).is_some_and(|old| old.is_undone_by(state));
            undone += usize::from(is_undone);
            self.changed.insert(flag, (state, now));
        }
        undone
    }

    /// Marks flags as changed just now.
    pub(super) fn mark_changed(&mut self, flags: Vec<FlagKey>) {
        let now = Instant::now();
        for flag in flags {
            let state = self.head_row.get(&flag);
            self.changed.insert(flag, (state, now));
        }
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
            budget -= usize::from(outcome != NoticeOutcome::Known);
            if outcome == NoticeOutcome::Reading || since.elapsed() < COMPARED_FOR {
                self.changed.insert(flag, (state, since));
            }
        }
    }
}
