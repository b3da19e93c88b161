//! The projects whose changes are watched.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::ProjectName;
use tokio::time::Instant;

/// The most watched projects without a flag in memory: invented names must cost little.
const MAX_UNCACHED: usize = 64;

/// How long such a project is watched after a request for it.
const UNCACHED_WATCHED_FOR: Duration = Duration::from_secs(10);

/// The watched projects.
#[derive(Debug, Default)]
pub(super) struct WatchedProjects(Mutex<Projects>);

#[derive(Debug, Default)]
struct Projects {
    cached: HashSet<ProjectName>,
    /// Until when projects without a flag in memory are watched.
    uncached: HashMap<ProjectName, Instant>,
}

impl WatchedProjects {
    /// Notes that a flag of the project is in memory.
    pub(super) fn note_cached(&self, project: &ProjectName) {
        let mut projects = self.projects();
        if !projects.cached.contains(project) {
            projects.uncached.remove(project);
            projects.cached.insert(project.clone());
        }
    }

    /// Watches a project of which an unknown flag was asked for, for a while; returns whether there is room for that.
    pub(super) fn watch_for_a_while(&self, project: &ProjectName) -> bool {
        let now = Instant::now();
        let mut projects = self.projects();
        if projects.cached.contains(project) {
            return true;
        }
        if !projects.uncached.contains_key(project) && projects.uncached.len() >= MAX_UNCACHED {
            projects.uncached.retain(|_, until| now < *until);
        }
        let is_watched =
            projects.uncached.contains_key(project) || projects.uncached.len() < MAX_UNCACHED;
        if is_watched {
            projects
                .uncached
                .insert(project.clone(), now + UNCACHED_WATCHED_FOR);
        }
        is_watched
    }

    /// Returns every watched project.
    pub(super) fn watched(&self) -> Vec<ProjectName> {
        let now = Instant::now();
        let mut projects = self.projects();
        projects.uncached.retain(|_, until| now < *until);
        let names = projects.cached.iter().chain(projects.uncached.keys());
        names.cloned().collect()
    }

    /// Forgets the projects that had a flag in memory, except these, which still have one.
    pub(super) fn retain(&self, in_memory: &HashSet<ProjectName>) {
        self.projects()
            .cached
            .retain(|project| in_memory.contains(project));
    }

    fn projects(&self) -> MutexGuard<'_, Projects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn project(n: usize) -> ProjectName {
        ProjectName::new(format!("p{n}")).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn invented_projects_are_watched_up_to_a_bound_and_for_a_while() {
        let projects = WatchedProjects::default();
        for n in 0..MAX_UNCACHED {
            assert!(projects.watch_for_a_while(&project(n)));
        }
        assert!(!projects.watch_for_a_while(&project(MAX_UNCACHED)));
        projects.note_cached(&project(MAX_UNCACHED));
        assert!(projects.watch_for_a_while(&project(MAX_UNCACHED)));
        assert_eq!(projects.watched().len(), MAX_UNCACHED + 1);
        advance(UNCACHED_WATCHED_FOR).await;
        assert_eq!(projects.watched(), [project(MAX_UNCACHED)]);
        projects.retain(&HashSet::new());
        assert_eq!(projects.watched(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn an_invented_project_makes_room_when_its_time_is_over() {
        let projects = WatchedProjects::default();
        projects.watch_for_a_while(&project(0));
        advance(UNCACHED_WATCHED_FOR / 2).await;
        for n in 1..MAX_UNCACHED {
            projects.watch_for_a_while(&project(n));
        }
        // One that is watched already needs no room, and is watched for longer.
        assert!(projects.watch_for_a_while(&project(1)));
        let other = project(MAX_UNCACHED);
        advance((UNCACHED_WATCHED_FOR / 2).saturating_sub(Duration::from_micros(1))).await;
        assert!(!projects.watch_for_a_while(&other));
        advance(Duration::from_micros(1)).await;
        assert!(projects.watch_for_a_while(&other));
        assert!(!projects.watch_for_a_while(&project(0)));
        assert_eq!(projects.watched().len(), MAX_UNCACHED);
        advance(UNCACHED_WATCHED_FOR / 2).await;
        assert_eq!(projects.watched(), [other]);
    }
}
