//! The content of the cache, for probes, metrics and snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flag_model::{FlagKey, ProjectName, Timestamp};
use flag_rollout::Plan;
use flag_store::{Clock as _, Row, SystemClock, decode_revision};
use tokio::time::Instant;

use super::cache::FlagCache;
use super::entry::{Age, CacheEntry};

/// How many flags are in memory, and their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Flags that can be served without the store.
    pub servable: usize,
    /// Those whose lifetime has ended while the store could not be reached.
    pub stale: usize,
    /// How long ago the oldest of these was last confirmed to be in force.
    pub oldest_stale: Duration,
    /// Projects that went back to an older state within the last hour.
    pub restored_projects: usize,
}

/// A flag in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotEntry {
    /// When it was last confirmed to be in force.
    pub(crate) last_confirmed: Timestamp,
    /// The row of its revision.
    pub(crate) row: Row,
}

impl FlagCache {
    /// Counts the flags in memory by their state.
    pub fn stats(&self) -> CacheStats {
        let inner = &self.shared;
        let (now, clock) = (Instant::now(), SystemClock.now());
        let is_open = inner.circuit.is_open();
        let mut stats = CacheStats {
            restored_projects: inner.restored.count(),
            ..CacheStats::default()
        };
        for (_, entry) in inner.entries.iter() {
            let age = entry.age(now);
            stats.servable += usize::from(age != Age::Expired);
            if age == Age::Stale && (is_open || entry.is_unreachable(now)) {
                stats.stale += 1;
                stats.oldest_stale = stats.oldest_stale.max(clock.since(entry.last_confirmed()));
            }
        }
        stats
    }

    /// Returns the flags of a project that are served by their last known values, as the store cannot be reached, with the
    /// time when each was last confirmed to be in force.
    pub fn stale_flags(&self, project: &ProjectName) -> BTreeMap<FlagKey, Timestamp> {
        self.stale_flags_of(|other| other == project)
    }

    /// The same of all projects that are meant.
    pub fn stale_flags_of(
        &self,
        is_meant: impl Fn(&ProjectName) -> bool,
    ) -> BTreeMap<FlagKey, Timestamp> {
        let inner = &self.shared;
        let (now, is_open) = (Instant::now(), inner.circuit.is_open());
        let stale = inner.entries.iter().filter(|(flag, entry)| {
            is_meant(&flag.project)
                && entry.age(now) == Age::Stale
                && (is_open || entry.is_unreachable(now))
        });
        let stale = stale.map(|(flag, entry)| (flag, entry.last_confirmed()));
        stale.collect()
    }

    /// Returns the flags whose newest revision cannot be read, with the reason, as far as they were asked for.
    pub fn unreadable_flags(&self) -> BTreeMap<FlagKey, String> {
        let unreadable = self.shared.unreadable();
        let unreadable = unreadable.iter();
        unreadable
            .map(|(flag, row)| (flag.clone(), row.to_string()))
            .collect()
    }

    /// Returns the flags with a row that is passed over, as its time is invalid or too far in the future, with the key of
    /// that row.
    pub fn passed_over_flags(&self) -> BTreeMap<FlagKey, String> {
        self.shared.passed_over().clone()
    }

    /// Returns every flag that may be served after a restart, in order.
    pub(crate) fn snapshot_entries(&self) -> Vec<SnapshotEntry> {
        let now = Instant::now();
        let entries = self.shared.entries.iter();
        let mut entries: Vec<(FlagKey, Arc<CacheEntry>)> = entries
            .filter(|(_, entry)| entry.age(now) != Age::Expired)
            .collect();
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let entries = entries.into_iter().filter_map(|(_, entry)| {
            Some(SnapshotEntry {
                last_confirmed: entry.last_confirmed(),
                row: entry.row.clone()?,
            })
        });
        entries.collect()
    }

    /// The flags in memory.
    pub(crate) fn in_memory(&self) -> Vec<Arc<CacheEntry>> {
        let entries = self.shared.entries.iter();
        entries.map(|(_, entry)| entry).collect()
    }

    /// Adds the flags of a snapshot, to be served while the store cannot be reached; returns how many.
    pub(crate) fn load_snapshot(&self, entries: Vec<SnapshotEntry>) -> usize {
        let inner = &self.shared;
        let clock = SystemClock.now();
        let loaded = entries.into_iter().take(inner.settings.entries);
        let loaded = loaded.filter_map(
            |SnapshotEntry {
                 last_confirmed,
                 row,
             }| {
                let plan = Plan::compile(decode_revision(&row, inner.store.options()).ok()?);
                let flag = plan.flag().clone();
                let ago = clock.since(last_confirmed);
                let entry =
                    CacheEntry::from_snapshot(plan, row, last_confirmed, ago, &inner.settings)?;
                inner.projects.note_cached(&flag.project);
                inner.entries.insert(flag, Arc::new(entry));
                Some(())
            },
        );
        loaded.count()
    }
}
