//! What this replica reports of the watched projects: which of their revisions it serves.
//!
//! A change counts once the cache serves nothing older. Knows neither the store nor the exposure log.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flag_model::{FlagKey, ProjectName, Timestamp};
use flag_store::{ProjectDigest, ServedRevisions};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::events::SeenRevision;

/// What this replica reports of the watched projects.
#[derive(Debug, Default)]
pub(crate) struct ProjectReports {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    projects: HashMap<ProjectName, Project>,
    /// Those that are no longer watched; they may have been reported.
    gone: Vec<ProjectName>,
}

#[derive(Debug)]
struct Project {
    /// The digest of its head row.
    digest: ProjectDigest,
    /// The changed flags that the cache does not serve yet, and when the change was seen.
    unserved: HashMap<FlagKey, (Timestamp, Instant)>,
    served: ServedRevisions,
    is_reported: bool,
}

impl ProjectReports {
    /// Notes the digest of a project's head row, and which of its flags have changed.
    pub(crate) fn note_head_changes(
        &self,
        project: &ProjectName,
        digest: ProjectDigest,
        changed: Vec<SeenRevision>,
    ) {
        let mut state = self.state();
        state.gone.retain(|gone| gone != project);
        let report = state
            .projects
            .entry(project.clone())
            .or_insert_with(|| Project {
                digest,
                unserved: HashMap::new(),
                served: ServedRevisions::default(),
                is_reported: false,
            });
        report.digest = digest;
        for change in changed {
            let SeenRevision {
                flag,
                revision_time,
                seen_at,
            } = change;
            report.served.forget(&flag);
            match revision_time {
                Some(time) => report.unserved.insert(flag, (time, seen_at)),
                None => report.unserved.remove(&flag),
            };
        }
        self.changed.notify_one();
    }

    /// Forgets projects that are not watched any more.
    pub(super) fn retain(&self, watched: &HashSet<ProjectName>) {
        let mut state = self.state();
        let State { projects, gone } = &mut *state;
        let unwatched = projects.extract_if(|project, _| !watched.contains(project));
        gone.extend(unwatched.map(|(project, _)| project));
        if !gone.is_empty() {
            self.changed.notify_one();
        }
    }

    /// Waits for a change.
    pub(crate) async fn wait_for_change(&self) {
        self.changed.notified().await;
    }

    /// Notes which changes are served: those of whose flags the cache serves no older revision. Returns when the latest of the others
    /// was seen.
    pub(crate) fn mark_served(
        &self,
        serves_nothing_older: impl Fn(&FlagKey, Timestamp, Instant) -> bool,
    ) -> Option<Instant> {
        let mut latest = None;
        for project in self.state().projects.values_mut() {
            let served = project
                .unserved
                .extract_if(|flag, (time, seen_at)| serves_nothing_older(flag, *time, *seen_at));
            for (flag, (time, _)) in served {
                project.served.note(flag, time);
                project.is_reported = false;
            }
            let unserved = project.unserved.values();
            latest = latest.max(unserved.map(|(_, seen_at)| *seen_at).max());
            if project.unserved.is_empty() && project.served.digest != Some(project.digest) {
                project.served.digest = Some(project.digest);
                project.is_reported = false;
            }
        }
        latest
    }

    /// Returns what is not reported of at most `max` projects, and counts it as reported.
    pub(crate) fn take(&self, max: usize) -> Vec<(ProjectName, ServedRevisions)> {
        let mut state = self.state();
        let projects = state.projects.iter_mut();
        let unreported = projects.filter(|(_, project)| !project.is_reported);
        let taken = unreported.take(max).map(|(name, project)| {
            project.is_reported = true;
            (name.clone(), project.served.clone())
        });
        taken.collect()
    }

    /// Counts what was taken as not reported.
    pub(crate) fn put_back(&self, taken: &[(ProjectName, ServedRevisions)]) {
        let mut state = self.state();
        for (name, _) in taken {
            if let Some(project) = state.projects.get_mut(name) {
                project.is_reported = false;
            }
        }
    }

    /// Whether something is not reported, or reported and gone.
    pub(crate) fn has_news(&self) -> bool {
        let state = self.state();
        !state.gone.is_empty() || state.projects.values().any(|project| !project.is_reported)
    }

    /// Returns the projects that are gone.
    pub(crate) fn gone(&self) -> Vec<ProjectName> {
        self.state().gone.clone()
    }

    /// Forgets projects that are gone, as their reports are.
    pub(crate) fn forget(&self, gone: &[ProjectName]) {
        self.state().gone.retain(|project| !gone.contains(project));
    }

    /// Returns all projects that may have been reported.
    pub(crate) fn all(&self) -> Vec<ProjectName> {
        let state = self.state();
        let projects = state.projects.keys().chain(&state.gone);
        projects.cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use flag_store::{Clock as _, SystemClock};
    use futures_util::FutureExt as _;

    use super::*;

    fn digest(text: &str) -> ProjectDigest {
        ProjectDigest::parse(&format!("{text:0>32}")).unwrap()
    }

    fn project() -> ProjectName {
        ProjectName::new("p").unwrap()
    }

    fn change(name: &str, revision_time: Option<Timestamp>) -> SeenRevision {
        SeenRevision {
            flag: format!("p/data/{name}").parse().unwrap(),
            revision_time,
            seen_at: Instant::now(),
        }
    }

    /// What is to be reported of the project, if it is.
    fn taken(reports: &ProjectReports) -> Option<ServedRevisions> {
        reports.take(9).pop().map(|(_, served)| served)
    }

    #[test]
    fn a_digest_counts_once_all_changes_are_served() {
        let (reports, now) = (ProjectReports::default(), SystemClock.now());
        reports.note_head_changes(&project(), digest("1"), vec![]);
        assert_eq!(reports.mark_served(|_, _, _| true), None);
        let mut expected = ServedRevisions::default();
        expected.digest = Some(digest("1"));
        assert_eq!(taken(&reports), Some(expected.clone()));
        assert_eq!(taken(&reports), None);
        let changes = [change("a", Some(now)), change("b", Some(now))];
        let [a, b] = changes.clone().map(|change| change.flag);
        reports.note_head_changes(&project(), digest("2"), changes.clone().into());
        let seen_at = changes[1].seen_at;
        let unserved = reports.mark_served(|flag, _, _| *flag == a);
        assert_eq!(unserved, Some(seen_at));
        expected.note(a, now);
        assert_eq!(taken(&reports), Some(expected.clone()));
        assert_eq!(reports.mark_served(|_, _, _| true), None);
        expected.note(b, now);
        expected.digest = Some(digest("2"));
        assert_eq!(taken(&reports), Some(expected));
    }

    #[test]
    fn what_could_not_be_reported_is_reported_later() {
        let reports = ProjectReports::default();
        reports.note_head_changes(&project(), digest("1"), vec![]);
        let first = reports.take(9);
        assert!(!reports.has_news());
        reports.put_back(&first);
        assert!(reports.has_news());
        assert_eq!(reports.take(9), first);
    }

    #[test]
    fn a_project_that_is_not_watched_any_more_is_gone_until_it_is_watched_again() {
        let reports = ProjectReports::default();
        reports.note_head_changes(&project(), digest("1"), vec![]);
        reports.take(9);
        reports.retain(&HashSet::new());
        assert_eq!(
            (reports.gone(), reports.has_news()),
            (vec![project()], true)
        );
        reports.note_head_changes(&project(), digest("1"), vec![]);
        assert_eq!(reports.gone(), []);
        reports.retain(&HashSet::new());
        reports.forget(&[project()]);
        assert_eq!((reports.all(), reports.has_news()), (vec![], false));
    }

    #[test]
    fn it_is_noted_when_something_may_have_to_be_reported() {
        let reports = ProjectReports::default();
        let is_noted = || reports.wait_for_change().now_or_never().is_some();
        reports.retain(&HashSet::new());
        assert!(!is_noted());
        reports.note_head_changes(&project(), digest("1"), vec![]);
        assert!(is_noted());
        assert!(!is_noted());
        reports.retain(&[project()].into());
        assert_eq!((is_noted(), reports.gone()), (false, vec![]));
        reports.retain(&HashSet::new());
        assert_eq!((is_noted(), reports.gone()), (true, vec![project()]));
    }

    #[test]
    fn a_project_that_is_gone_is_forgotten_once_its_report_is() {
        let reports = ProjectReports::default();
        let other = ProjectName::new("q").unwrap();
        for project in [project(), other.clone()] {
            reports.note_head_changes(&project, digest("1"), vec![]);
        }
        reports.retain(&[other.clone()].into());
        let mut all = reports.all();
        all.sort_unstable();
        assert_eq!(all, [project(), other.clone()]);
        reports.forget(std::slice::from_ref(&other));
        assert_eq!(reports.gone(), [project()]);
        reports.forget(&[project()]);
        assert_eq!((reports.gone(), reports.all()), (vec![], vec![other]));
    }

    #[test]
    fn a_digest_is_reported_again_only_when_it_has_changed() {
        let reports = ProjectReports::default();
        for text in ["1", "2"] {
            reports.note_head_changes(&project(), digest(text), vec![]);
            reports.mark_served(|_, _, _| true);
            assert_eq!(taken(&reports).unwrap().digest, Some(digest(text)));
            reports.mark_served(|_, _, _| true);
            assert_eq!(taken(&reports), None);
        }
        // One that is not served is not reported.
        reports.note_head_changes(
            &project(),
            digest("3"),
            vec![change("a", Some(SystemClock.now()))],
        );
        reports.mark_served(|_, _, _| false);
        assert_eq!(taken(&reports), None);
    }
}
