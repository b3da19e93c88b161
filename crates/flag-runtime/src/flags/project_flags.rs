//! Which flags a project has, for answers about all of them.
//!
//! The keys of the rows are read once per lifetime of a flag; in between, the head row adds new flags. While the store cannot be
//! reached, the last known flags count.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::{FlagKey, FlagType, ProjectName};
use flag_store::{HeadRow, StoreError};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::cache::{FlagCache, Inner};

/// The most projects in memory.
const PROJECTS: usize = 1_000;

/// Reading the flags of a project stops when this many are found; the last page of keys may add up to 999 more.
const MAX_FLAGS: usize = 100_000;

/// Pause after a failed read.
const RETRY: Duration = Duration::from_secs(1);

/// The flags of each project that was requested.
#[derive(Debug)]
pub(super) struct ProjectFlags(Cache<ProjectName, Arc<ProjectEntry>>);

/// The flags of one project.
#[derive(Debug, Default)]
struct ProjectEntry {
    known: Mutex<Option<Known>>,
    /// One request reads, or a task in the background.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Known {
    /// By name, then `feature` before `data`.
    flags: Arc<[FlagKey]>,
    /// When they are due to be read again.
    due: Instant,
    /// Until when they may be served.
    until: Instant,
}

impl Default for ProjectFlags {
    fn default() -> Self {
        Self(Cache::new(PROJECTS))
    }
}

impl ProjectEntry {
    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is known if it may be served.
    fn servable(&self, now: Instant) -> Option<Known> {
        self.known().clone().filter(|known| now < known.until)
    }
}

impl FlagCache {
    /// Returns the flags of a project, by name; those with equal names, `feature` first. They are read if they are not known.
    pub async fn flags_of(&self, project: &ProjectName) -> Result<Arc<[FlagKey]>, StoreError> {
        let inner = &self.shared;
        let entry = inner.project_flags.entry(project);
        let now = Instant::now();
        if let Some(known) = entry.servable(now) {
            if known.due <= now {
                inner.refresh_flags_of(project, &entry);
            }
            return Ok(known.flags);
        }
        let _reading = entry.reading.lock().await;
        if let Some(known) = entry.servable(Instant::now()) {
            return Ok(known.flags);
        }
        match inner.read_flags_of(project, &entry).await {
            Err(error) => inner.flags_in_memory(project, &entry).ok_or(error),
            read => read,
        }
    }

    /// Adds the flags of a head row that are new.
    pub(crate) fn note_flags_of(&self, project: &ProjectName, head_row: &HeadRow) {
        let Some(entry) = self.shared.project_flags.0.get(project) else {
            return;
        };
        let mut known = entry.known();
        let Some(known) = &mut *known else {
            return;
        };
        let is_new = |flag: &FlagKey| {
            let found = known
                .flags
                .binary_search_by(|other| order(other).cmp(&order(flag)));
            found.is_err()
        };
        let new: Vec<FlagKey> = head_row
            .flags()
            .map(|(flag, _)| flag)
            .filter(is_new)
            .collect();
        if !new.is_empty() {
            known.flags = sorted(known.flags.iter().cloned().chain(new).collect());
        }
    }

    /// Has the flags of a project that was restored read again.
    pub(crate) fn reread_flags_of(&self, project: &ProjectName) {
        if let Some(entry) = self.shared.project_flags.0.get(project)
            && let Some(known) = &mut *entry.known()
        {
            known.due = Instant::now();
        }
    }
}

impl ProjectFlags {
    fn entry(&self, project: &ProjectName) -> Arc<ProjectEntry> {
        self.0.get(project).unwrap_or_else(|| {
            let entry = Arc::<ProjectEntry>::default();
            self.0.insert(project.clone(), Arc::clone(&entry));
            entry
        })
    }
}

impl Inner {
    /// Reads them again in the background, unless that is being done.
    fn refresh_flags_of(self: &Arc<Self>, project: &ProjectName, entry: &Arc<ProjectEntry>) {
        if entry.reading.try_lock().is_err() {
            return;
        }
        let (inner, entry, project) = (Arc::clone(self), Arc::clone(entry), project.clone());
        self.runtime.spawn(async move {
            if let Ok(_reading) = entry.reading.try_lock() {
                // A failure keeps those that are known; the guard of the store logs it.
                let _ = inner.read_flags_of(&project, &entry).await;
            }
        });
    }

    async fn read_flags_of(
        &self,
        project: &ProjectName,
        entry: &ProjectEntry,
    ) -> Result<Arc<[FlagKey]>, StoreError> {
        let read = self.store.flags_with_revisions(project, MAX_FLAGS).await;
        let now = Instant::now();
        let flags = read.inspect_err(|_| {
            if let Some(known) = &mut *entry.known() {
                known.due = now + RETRY;
            }
        })?;
        let flags = sorted(flags);
        let lifetime = self.settings.lifetime;
        let (due, until) = if flags.is_empty() {
            let valid_for = self.negative_lifetime(project).min(lifetime);
            (now + valid_for, now + valid_for)
        } else {
            (now + lifetime, now + lifetime + self.settings.max_stale)
        };
        *entry.known() = Some(Known {
            flags: Arc::clone(&flags),
            due,
            until,
        });
        Ok(flags)
    }
}

impl Inner {
    /// Returns the flags of a project that are in memory, as from a snapshot, until the next attempt to read all; `None` if there
    /// are none.
    fn flags_in_memory(
        &self,
        project: &ProjectName,
        entry: &ProjectEntry,
    ) -> Option<Arc<[FlagKey]>> {
        let flags = self.entries.iter().map(|(flag, _)| flag);
        let flags: Vec<_> = flags.filter(|flag| flag.project == *project).collect();
        if flags.is_empty() {
            return None;
        }
        let flags = sorted(flags);
        let retry = Instant::now() + RETRY;
        *entry.known() = Some(Known {
            flags: Arc::clone(&flags),
            due: retry,
            until: retry,
        });
        Some(flags)
    }
}

fn sorted(mut flags: Vec<FlagKey>) -> Arc<[FlagKey]> {
    flags.sort_unstable_by(|one, other| order(one).cmp(&order(other)));
    flags.into()
}

fn order(flag: &FlagKey) -> (&str, bool) {
    (flag.name.as_str(), flag.flag_type == FlagType::Data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_in_the_order_of_their_names_then_feature_before_data() {
        let flags = [
            "q/data/b",
            "q/feature/b",
            "q/data/a",
            "q/feature/c",
            "q/feature/a",
        ];
        let sorted = sorted(flags.map(|flag| flag.parse().unwrap()).into());
        let sorted: Vec<_> = sorted.iter().map(ToString::to_string).collect();
        let expected = [
            "q/feature/a",
            "q/data/a",
            "q/feature/b",
            "q/data/b",
            "q/feature/c",
        ];
        assert_eq!(sorted, expected);
    }
}
