//! Reconciles the flag cache with head rows: has flags read where the two disagree.

use std::cmp::Ordering;
use std::collections::HashSet;

use flag_model::{FlagKey, ProjectName, Timestamp};
use flag_store::{Clock as _, HeadCell, HeadRow, SystemClock};
use tokio::time::Instant;

use super::cache::{FlagCache, Inner, ReadMode};
use super::entry::CacheEntry;

/// What the cache did about the state of a flag in the head row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reconciliation {
    /// No read was begun: what is in memory agrees with it or was read since it was seen, or the next request reads the flag.
    NoReadNeeded,
    /// A read is under way, and what is in memory was read before the state was seen.
    ReadingOlderEntry,
    /// A read is under way, but the flag is not in memory, or it was read since the state was seen, and that read did not find
    /// the revision of the head row.
    ReadingOtherwise,
}

impl FlagCache {
    /// Compares the cache with the state of a flag in the head row, which was first seen at `seen_at`; `None` if the head row does not contain
    /// the flag any more. If they disagree, a read of the flag begins.
    pub(crate) fn reconcile_with_head_cell(
        &self,
        flag: &FlagKey,
        head_cell: Option<HeadCell>,
        seen_at: Instant,
    ) -> Reconciliation {
        let inner = &self.shared;
        let entry = inner.entries.peek(flag);
        let must_read = match &entry {
            Some(entry) => must_be_read(entry, head_cell, seen_at),
            None => head_cell.is_some_and(|head_cell| inner.note_uncached(flag, head_cell)),
        };
        if !must_read {
            return Reconciliation::NoReadNeeded;
        }
        drop(inner.join_or_start_read(flag, ReadMode::ReadAgain));
        if entry.is_some_and(|entry| !entry.is_read_since(seen_at)) {
            Reconciliation::ReadingOlderEntry
        } else {
            Reconciliation::ReadingOtherwise
        }
    }

    /// Makes sure that requests are answered with a revision that this process has just appended: if the flag is in memory, it is read
    /// again and waited for; if not, the next request reads it. The watcher would see it a moment later.
    pub async fn read_appended(&self, flag: &FlagKey, created: Timestamp) {
        let head_cell = Some(HeadCell::Newest(created));
        // The first read may have begun before the revision was there.
        for _ in 0..2 {
            if self.reconcile_with_head_cell(flag, head_cell, Instant::now())
                == Reconciliation::NoReadNeeded
            {
                break;
            }
            self.shared
                .join_or_start_read(flag, ReadMode::ReuseValid)
                .await;
        }
    }

    /// Whether no request can get a revision of a flag that is older than the published one: the published one is cached, or the
    /// cached one was read after the change was seen, or the flag is not cached, so that the next request reads it. False for
    /// a flag that is not cached while it is being read, as that read may have begun before the change, or if it cannot be
    /// read. `revision_time` is the time of the published revision; `None` if only a read shows which one is in force.
    pub(crate) fn serves_nothing_older(
        &self,
        flag: &FlagKey,
        revision_time: Option<Timestamp>,
        seen_at: Instant,
    ) -> bool {
        let inner = &self.shared;
        let is_being_read = inner.is_being_read(flag);
        let head_cell = revision_time.map(HeadCell::Newest);
        match inner.entries.peek(flag) {
            Some(entry) => {
                !must_be_read(&entry, head_cell, seen_at) || entry.is_read_since(seen_at)
            }
            // Of one that cannot be read no value is served.
            None => !is_being_read && !inner.unreadable().contains_key(flag),
        }
    }

    /// Makes flags whose reads failed fresh again, if the head row contains their revision.
    pub(crate) fn confirm(&self, head_row: &HeadRow) {
        let inner = &self.shared;
        let now = Instant::now();
        for (flag, state) in head_row.flags() {
            let entry = inner.entries.peek(&flag);
            let entry = entry.filter(|entry| entry.is_unreachable(now));
            if let Some(entry) = entry.filter(|entry| entry.plan().created() == state.time()) {
                entry.confirm(SystemClock.now(), &inner.settings);
            }
        }
    }

    /// Notes that a project went back to an older state.
    pub(crate) fn note_restored(&self, project: &ProjectName) {
        self.shared.metrics.restores.inc();
        self.shared.restored.note(project);
    }

    /// Returns the keys of the flags of a project that are in memory.
    pub(crate) fn cached_flag_keys(&self, project: &ProjectName) -> Vec<FlagKey> {
        self.shared.cached_flag_keys(project)
    }

    /// Returns the projects whose changes must be watched: those with requests, and those with subscribers.
    pub(crate) fn watched(&self) -> HashSet<ProjectName> {
        let mut projects: HashSet<_> = self.shared.projects.watched().into_iter().collect();
        projects.extend(self.shared.events.projects());
        projects
    }

    /// Forgets projects without a flag in memory.
    pub(crate) fn forget_projects(&self) {
        let flags = self.shared.entries.iter().map(|(flag, _)| flag.project);
        self.shared.projects.retain(&flags.collect::<HashSet<_>>());
    }
}

impl Inner {
    /// Notes that the head row has this state of a flag that is not in memory, so that it is no longer remembered as not found;
    /// returns whether it must be read now: only if it was unreadable, and may no longer be. Any other flag is read by its next
    /// request.
    fn note_uncached(&self, flag: &FlagKey, head_cell: HeadCell) -> bool {
        self.negative.forget_older(flag, head_cell.time());
        if self.unreadable().contains_key(flag) {
            return self.negative.get(flag, Instant::now()).is_none();
        }
        self.existing.note_exists(flag);
        false
    }
}

/// Whether the flag must be read to find out which revision is in force.
fn must_be_read(entry: &CacheEntry, head_cell: Option<HeadCell>, seen_at: Instant) -> bool {
    let created = entry.plan().created();
    match head_cell.map(|cell| cell.time().cmp(&created)) {
        Some(Ordering::Equal) => false,
        // The newer revision is written, or about to be.
        Some(Ordering::Greater) => true,
        // The tooling of the Python framework does not update the head row, so the entry may be newer. Or the store was
        // restored to an older state; only a read that began later can show which.
        _ => !entry.is_read_since(seen_at),
    }
}
