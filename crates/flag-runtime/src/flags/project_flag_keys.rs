//! The keys of the flags that a project has, for answers about all of them.
//!
//! They are read from the keys of the rows once per lifetime of a flag; in between, the head row adds new ones. While the store
//! cannot be reached, the last known keys count. The revisions of the flags are in the cache.

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

/// The flag keys of each project that was requested.
#[derive(Debug)]
pub(super) struct ProjectFlagKeys(Cache<ProjectName, Arc<ProjectEntry>>);

/// The flag keys of one project.
#[derive(Debug, Default)]
struct ProjectEntry {
    known: Mutex<Option<Known>>,
    /// One request reads, or a task in the background.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Known {
    /// By name, then `feature` before `data`.
    keys: Arc<[FlagKey]>,
    /// When they are due to be read again.
    due: Instant,
    /// Until when they may be served.
    until: Instant,
}

impl Default for ProjectFlagKeys {
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
    /// Returns the keys of the flags of a project, by name; of those with equal names, `feature` first. They are read if they are
    /// not known.
    pub async fn flag_keys_of(&self, project: &ProjectName) -> Result<Arc<[FlagKey]>, StoreError> {
        let inner = &self.shared;
        let entry = inner.project_flag_keys.entry(project);
        let now = Instant::now();
        if let Some(known) = entry.servable(now) {
            if known.due <= now {
                inner.refresh_flag_keys_of(project, &entry);
            }
            return Ok(known.keys);
        }
        let _reading = entry.reading.lock().await;
        if let Some(known) = entry.servable(Instant::now()) {
            return Ok(known.keys);
        }
        match inner.read_flag_keys_of(project, &entry).await {
            Err(error) => inner.serve_cached_flag_keys(project, &entry).ok_or(error),
            read => read,
        }
    }

    /// Adds the keys of flags of a head row that are new.
    pub(crate) fn note_flag_keys_of(&self, project: &ProjectName, head_row: &HeadRow) {
        let Some(entry) = self.shared.project_flag_keys.0.get(project) else {
            return;
        };
        let mut known = entry.known();
        let Some(known) = &mut *known else {
            return;
        };
        let is_new = |flag: &FlagKey| {
            let found = known
                .keys
                .binary_search_by(|other| order(other).cmp(&order(flag)));
            found.is_err()
        };
        let new: Vec<FlagKey> = head_row
            .flags()
            .map(|(flag, _)| flag)
            .filter(is_new)
            .collect();
        if !new.is_empty() {
            known.keys = sorted(known.keys.iter().cloned().chain(new).collect());
        }
    }

    /// Has the flag keys of a project read again with the next request for them; until then those that are known count.
    pub(crate) fn expire_flag_keys_of(&self, project: &ProjectName) {
        if let Some(entry) = self.shared.project_flag_keys.0.get(project)
            && let Some(known) = &mut *entry.known()
        {
            known.due = Instant::now();
        }
    }
}

impl ProjectFlagKeys {
    fn entry(&self, project: &ProjectName) -> Arc<ProjectEntry> {
        self.0.get(project).unwrap_or_else(|| {
            let entry = Arc::<ProjectEntry>::default();
            self.0.insert(project.clone(), Arc::clone(&entry));
            entry
        })
    }
}

impl Inner {
    /// Reads the keys again in the background, unless that is being done.
    fn refresh_flag_keys_of(self: &Arc<Self>, project: &ProjectName, entry: &Arc<ProjectEntry>) {
        if entry.reading.try_lock().is_err() {
            return;
        }
        let (inner, entry, project) = (Arc::clone(self), Arc::clone(entry), project.clone());
        self.runtime.spawn(async move {
            if let Ok(_reading) = entry.reading.try_lock() {
                // A failure keeps those that are known; the guard of the store logs it.
                let _ = inner.read_flag_keys_of(&project, &entry).await;
            }
        });
    }

    async fn read_flag_keys_of(
        &self,
        project: &ProjectName,
        entry: &ProjectEntry,
    ) -> Result<Arc<[FlagKey]>, StoreError> {
        let read = self.store.flags_with_revisions(project, MAX_FLAGS).await;
        let now = Instant::now();
        let keys = read.inspect_err(|_| {
            if let Some(known) = &mut *entry.known() {
                known.due = now + RETRY;
            }
        })?;
        let keys = sorted(keys);
        let lifetime = self.settings.lifetime;
        let (due, until) = if keys.is_empty() {
            let valid_for = self.watch_for_negative(project).min(lifetime);
            (now + valid_for, now + valid_for)
        } else {
            (now + lifetime, now + lifetime + self.settings.max_stale)
        };
        *entry.known() = Some(Known {
            keys: Arc::clone(&keys),
            due,
            until,
        });
        Ok(keys)
    }
}

impl Inner {
    /// Returns the keys of the flags of a project that are in the cache, in no order.
    pub(super) fn cached_flag_keys(&self, project: &ProjectName) -> Vec<FlagKey> {
        let keys = self.entries.iter().map(|(flag, _)| flag);
        keys.filter(|flag| flag.project == *project).collect()
    }

    /// Serves the keys of the flags of a project that are in the cache, as from a snapshot, until the next attempt to read all;
    /// `None` if there are none.
    fn serve_cached_flag_keys(
        &self,
        project: &ProjectName,
        entry: &ProjectEntry,
    ) -> Option<Arc<[FlagKey]>> {
        let keys = self.cached_flag_keys(project);
        if keys.is_empty() {
            return None;
        }
        let keys = sorted(keys);
        let retry = Instant::now() + RETRY;
        *entry.known() = Some(Known {
            keys: Arc::clone(&keys),
            due: retry,
            until: retry,
        });
        Some(keys)
    }
}

fn sorted(mut keys: Vec<FlagKey>) -> Arc<[FlagKey]> {
    keys.sort_unstable_by(|one, other| order(one).cmp(&order(other)));
    keys.into()
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
