//! Projects that went back to an older state: somebody restored their store, or put another in its place.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::ProjectName;
use tokio::time::Instant;

/// How long it is told.
const TOLD: Duration = Duration::from_hours(1);

/// When each project was last seen to go back; no more of them than projects are watched.
#[derive(Debug, Default)]
pub(super) struct Restored(Mutex<HashMap<ProjectName, Instant>>);

impl Restored {
    /// Notes that a project has gone back.
    pub(super) fn note(&self, project: &ProjectName) {
        self.projects().insert(project.clone(), Instant::now());
    }

    /// How many projects went back within the last hour.
    pub(super) fn count(&self) -> usize {
        let mut projects = self.projects();
        projects.retain(|_, at| at.elapsed() < TOLD);
        projects.len()
    }

    fn projects(&self) -> MutexGuard<'_, HashMap<ProjectName, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
