//! Which projects are served: those whose changes are looked for.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::ProjectName;
use tokio::time::Instant;

/// How many projects are watched at most of which no flag is known, so that made-up names cost little.
const MOST_UNKNOWN: usize = 64;

/// How long such a project is watched after it was asked for.
const UNKNOWN_COUNTS: Duration = Duration::from_secs(10);

/// The projects that are served.
#[derive(Debug, Default)]
pub(super) struct Served(Mutex<Projects>);

#[derive(Debug, Default)]
struct Projects {
    known: HashSet<ProjectName>,
    /// Until when those are watched of which no flag is known.
    unknown: HashMap<ProjectName, Instant>,
}

impl Served {
    /// Notes that a flag of the project is held.
    pub(super) fn note_known(&self, project: &ProjectName) {
        let mut projects = self.projects();
        if !projects.known.contains(project) {
            projects.unknown.remove(project);
            projects.known.insert(project.clone());
        }
    }

    /// Notes that a flag was asked for that isn't there; whether its project is watched.
    pub(super) fn note_unknown(&self, project: &ProjectName) -> bool {
        let now = Instant::now();
        let mut projects = self.projects();
        if projects.known.contains(project) {
            return true;
        }
        if !projects.unknown.contains_key(project) && projects.unknown.len() >= MOST_UNKNOWN {
            projects.unknown.retain(|_, until| now < *until);
        }
        let is_watched =
            projects.unknown.contains_key(project) || projects.unknown.len() < MOST_UNKNOWN;
        if is_watched {
            projects
                .unknown
                .insert(project.clone(), now + UNKNOWN_COUNTS);
        }
        is_watched
    }

    /// Every project that is watched.
    pub(super) fn watched(&self) -> Vec<ProjectName> {
        let now = Instant::now();
        let mut projects = self.projects();
        projects.unknown.retain(|_, until| now < *until);
        let names = projects.known.iter().chain(projects.unknown.keys());
        names.cloned().collect()
    }

    /// Forgets the projects of which no flag is held any more.
    pub(super) fn keep(&self, held: &HashSet<ProjectName>) {
        self.projects()
            .known
            .retain(|project| held.contains(project));
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
    async fn made_up_projects_are_watched_up_to_a_bound_and_for_a_while() {
        let served = Served::default();
        for n in 0..MOST_UNKNOWN {
            assert!(served.note_unknown(&project(n)));
        }
        assert!(!served.note_unknown(&project(MOST_UNKNOWN)));
        served.note_known(&project(MOST_UNKNOWN));
        assert!(served.note_unknown(&project(MOST_UNKNOWN)));
        assert_eq!(served.watched().len(), MOST_UNKNOWN + 1);
        advance(UNKNOWN_COUNTS).await;
        assert_eq!(served.watched(), [project(MOST_UNKNOWN)]);
        served.keep(&HashSet::new());
        assert_eq!(served.watched(), []);
    }
}
