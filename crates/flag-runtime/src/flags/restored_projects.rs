//! Projects that went back to an older state because the store was restored or replaced.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::ProjectName;
use tokio::time::Instant;

/// How long a restored project is reported.
const REPORTED_FOR: Duration = Duration::from_hours(1);

/// When each project last went back. Bounded by the number of watched projects.
#[derive(Debug, Default)]
pub(super) struct RestoredProjects(Mutex<HashMap<ProjectName, Instant>>);

impl RestoredProjects {
    /// Notes that a project went back.
    pub(super) fn note(&self, project: &ProjectName) {
        self.projects().insert(project.clone(), Instant::now());
    }

    /// Returns how many projects went back within the last hour.
    pub(super) fn count(&self) -> usize {
        let mut projects = self.projects();
        projects.retain(|_, at| at.elapsed() < REPORTED_FOR);
        projects.len()
    }

    fn projects(&self) -> MutexGuard<'_, HashMap<ProjectName, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_restored_project_is_counted_once_and_for_an_hour() {
        let projects = RestoredProjects::default();
        assert_eq!(projects.count(), 0);
        for project in ["p", "q", "p"] {
            projects.note(&ProjectName::new(project).unwrap());
        }
        advance(REPORTED_FOR.saturating_sub(Duration::from_micros(1))).await;
        assert_eq!(projects.count(), 2);
        advance(Duration::from_micros(1)).await;
        assert_eq!(projects.count(), 0);
    }
}
