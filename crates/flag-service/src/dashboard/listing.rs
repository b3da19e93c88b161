//! What is newest of each flag of a project, kept in memory for the lists.
//!
//! The first look at a project reads all of its flags. Later looks read the mark of its head row, and the flags that have
//! changed. Every [`READ_AGAIN`] all are read again, for rows of tooling that does not touch the head row.
mod cache;
mod last_exposures;
mod projects;
mod suggestions;
mod summary;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flag_model::{FlagKey, ProjectName, Revision, Timestamp};
use flag_store::{ExposureLog, FlagStore, ReadError, StoreError};
use tokio::time::Instant;

use self::cache::ListingCache;
pub(super) use self::last_exposures::{LastExposure, LastExposures};
use self::projects::ProjectNames;
pub(super) use self::suggestions::Suggestions;
#[cfg(test)]
pub(super) use self::summary::Share;
pub(super) use self::summary::{AllocationHash, FlagSummary, Split};

/// How long a listing is used without a look at the head row.
const CHECKED_AFTER: Duration = Duration::from_millis(500);

/// How often every flag is read again.
const READ_AGAIN: Duration = Duration::from_mins(5);

/// The most projects whose flags are kept.
const MAX_PROJECTS: usize = 32;

/// The listings of all projects that somebody looked at.
#[derive(Debug)]
pub(super) struct Listings {
    store: FlagStore,
    /// `None` if exposures are not logged, so that there are no last exposures.
    log: Option<Arc<dyn ExposureLog>>,
    /// How many flags are read at a time.
    reads: usize,
    by_project: Mutex<HashMap<ProjectName, (Arc<ListingCache>, Instant)>>,
    projects: Arc<ProjectNames>,
}

/// Flags by name and type.
type Flags = Arc<[Arc<FlagSummary>]>;

/// The flags of a project at one time.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) flags: Flags,
    /// What filters of these flags suggest.
    pub(super) suggestions: Arc<Suggestions>,
    /// How many there are, if they are still being read.
    pub(super) expected: Option<usize>,
    /// When this was last known to be true.
    pub(super) as_of: Option<Timestamp>,
    /// Why it could not be brought up to date.
    pub(super) problem: Option<String>,
}

impl Listings {
    /// Reads with these; `reads` flags at a time.
    pub(super) fn new(store: FlagStore, log: Option<Arc<dyn ExposureLog>>, reads: usize) -> Self {
        Self {
            projects: ProjectNames::new(store.clone()),
            store,
            log,
            reads,
            by_project: Mutex::default(),
        }
    }

    /// The names of all projects.
    pub(super) fn projects(&self) -> &Arc<ProjectNames> {
        &self.projects
    }

    /// The flags of a project, as they are now or were a moment ago.
    pub(super) async fn current(&self, project: &ProjectName) -> Arc<Listing> {
        self.cache(project).current().await
    }

    /// Has the next look at a project read what has changed, however short ago the last one was.
    pub(super) fn note_change(&self, project: &ProjectName) {
        self.cache(project).note_change();
    }

    /// The last exposures of the flags of a project, as far as they were read.
    pub(super) fn last_exposures(&self, project: &ProjectName) -> Arc<LastExposures> {
        self.cache(project).last_exposures()
    }

    /// How many flags are read at a time.
    pub(super) fn reads(&self) -> usize {
        self.reads
    }

    /// The newest revision of a flag, if it has a readable one.
    pub(super) async fn revision(&self, flag: &FlagKey) -> Result<Option<Revision>, StoreError> {
        match self.store.newest_revision(flag).await {
            Err(ReadError::Store(error)) => Err(error),
            read => Ok(read.ok().flatten()),
        }
    }

    fn cache(&self, project: &ProjectName) -> Arc<ListingCache> {
        let now = Instant::now();
        let mut kept = self
            .by_project
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((cache, used)) = kept.get_mut(project) {
            *used = now;
            return Arc::clone(cache);
        }
        if kept.len() >= MAX_PROJECTS {
            let oldest = kept.iter().min_by_key(|(_, (_, used))| *used);
            let oldest = oldest.map(|(project, _)| project.clone());
            oldest.map(|project| kept.remove(&project));
        }
        let (store, log) = (self.store.clone(), self.log.clone());
        let cache = Arc::new(ListingCache::new(project.clone(), store, log, self.reads));
        kept.insert(project.clone(), (Arc::clone(&cache), now));
        cache
    }
}
