//! Watches for changes: reads the change marks of watched projects, and the head row of a project whose mark has moved; then
//! the changed flags are read again.
//!
//! Head rows only announce changes early. The tooling of the Python framework does not update them; its changes are seen
//! when the lifetime of a flag ends. If a head row goes back to an older state, or vanishes, the store was restored or
//! replaced; in that case too, the rows of revisions decide.

mod seen_head_row;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use flag_model::{Jitter, ProjectName, Timestamp};
use flag_store::{FlagStore, HeadRow, StoreError};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use self::seen_head_row::{HeadRowDiff, SeenHeadRow};
use super::cache::FlagCache;
use crate::events::{Events, HeadRowNeeded, SeenRevision};

/// Projects that are polled concurrently.
const CONCURRENCY: usize = 8;

/// How often projects without a flag in memory are forgotten.
const SWEEP: Duration = Duration::from_mins(1);

/// Varies the period, so that replicas that started together do not poll together.
const JITTER: Jitter = Jitter::between(0.9, 1.0);

/// Pause before the head rows of newly subscribed projects are read, so that one round reads those of many.
const SUBSCRIBED_PAUSE: Duration = Duration::from_millis(20);

/// The most head rows that one such round reads, so that it does not hold up the next poll of all projects.
const MAX_SUBSCRIBED: usize = 64;

/// Polls for changes for ever, about every `period`, and announces them as events.
pub async fn watch_changes(store: FlagStore, flags: FlagCache, period: Duration) {
    let events = flags.events().clone();
    let serving = flags.clone();
    // By then other replicas have polled too.
    let repeat_after = period + SUBSCRIBED_PAUSE;
    let announce = events.announce_changes(repeat_after, |flag, revision_time, seen_at| {
        serving.serves_nothing_older(flag, revision_time, seen_at)
    });
    tokio::join!(watch(store, flags, period), announce);
}

async fn watch(store: FlagStore, flags: FlagCache, period: Duration) {
    let events = flags.events().clone();
    let mut watch = ChangeWatcher::new(store, flags);
    let mut swept = Instant::now();
    loop {
        let next = Instant::now() + JITTER.apply(period, fastrand::f64());
        // `timeout_at` polls the future before the timer: a request that is already there is handled even at `next`.
        while Instant::now() < next
            && timeout_at(next, events.wait_for_head_row_request())
                .await
                .is_ok()
        {
            sleep(SUBSCRIBED_PAUSE).await;
            watch.poll_subscribed().await;
        }
        if swept.elapsed() >= SWEEP {
            watch.sweep();
            swept = Instant::now();
        }
        watch.poll().await;
    }
}

/// The change watcher, with the last head row of each project.
#[derive(Debug)]
struct ChangeWatcher {
    store: FlagStore,
    flags: FlagCache,
    head_rows: HashMap<ProjectName, SeenHeadRow>,
    is_failing: bool,
}

impl ChangeWatcher {
    fn new(store: FlagStore, flags: FlagCache) -> Self {
        Self {
            store,
            flags,
            head_rows: HashMap::new(),
            is_failing: false,
        }
    }

    /// Polls every project once.
    async fn poll(&mut self) {
        let failure = self.poll_projects(self.flags.watched()).await;
        self.log_failure(failure);
    }

    /// Polls the projects that have subscribers, and whose digest is not known.
    async fn poll_subscribed(&mut self) {
        let events = self.flags.events().clone();
        let mut projects = events.projects();
        projects.retain(|project| events.head_row_needed(project) == HeadRowNeeded::Now);
        let are_left = projects.len() > MAX_SUBSCRIBED;
        projects.truncate(MAX_SUBSCRIBED);
        // A failure is logged by the next poll of all projects.
        let failure = self.poll_projects(projects).await;
        if are_left && failure.is_none() {
            events.request_head_rows();
        }
    }

    /// Polls these projects; returns a failure, if there was one.
    async fn poll_projects(
        &mut self,
        projects: impl IntoIterator<Item = ProjectName>,
    ) -> Option<StoreError> {
        let (store, head_rows) = (&self.store, &self.head_rows);
        let polls = projects.into_iter().map(|project| async move {
            let polled = poll_project(store, &project, head_rows.get(&project)).await;
            (polled, project)
        });
        let polls: Vec<_> = stream::iter(polls)
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        let mut failure = None;
        let was_failing = self.is_failing;
        for (polled, project) in polls {
            match polled {
                Ok(new_head_row) => self.apply(project, new_head_row, was_failing),
                Err(error) => failure = Some(error),
            }
        }
        failure
    }

    /// Forgets projects that are not watched any more.
    fn sweep(&mut self) {
        self.flags.forget_projects();
        let watched = self.flags.watched();
        self.head_rows
            .retain(|project, _| watched.contains(project));
        self.flags.project_reports().retain(&watched);
    }

    /// Applies the head row of a project; `None` if it has not changed.
    fn apply(&mut self, project: ProjectName, new_head_row: Option<HeadRow>, was_failing: bool) {
        let Some(seen) = self.head_rows.get_mut(&project) else {
            let mut seen = SeenHeadRow::new(new_head_row.unwrap_or_default());
            self.flags.note_flag_keys_of(&project, seen.head_row());
            note_for_events(self.flags.events(), &project, &seen, HeadRowDiff::default());
            let mut unserved = seen.revisions_to_reconcile();
            unserved.retain(|change| {
                let (flag, revision_time) = (&change.flag, change.revision_time);
                !self
                    .flags
                    .serves_nothing_older(flag, revision_time, change.seen_at)
            });
            note_for_reports(&self.flags, &project, &seen, unserved);
            seen.reconcile_cache(&self.flags);
            self.head_rows.insert(project, seen);
            return;
        };
        if let Some(head_row) = &new_head_row {
            self.flags.note_flag_keys_of(&project, head_row);
        }
        let diff = new_head_row.map(|head_row| seen.replace(head_row));
        let diff = diff.unwrap_or_default();
        let mut changes = diff.changes.clone();
        if diff.undone > 0 {
            warn!(%project, flags = diff.undone, "the store was restored to an older state; its flags are read again");
            self.flags.note_restored(&project);
            self.flags.expire_flag_keys_of(&project);
            let restored = seen.reconcile_again(self.flags.cached_flag_keys(&project));
            changes.extend(restored.iter().map(|restored| SeenRevision {
                flag: restored.flag.clone(),
                // Reports name 1970 for a revision whose time is not known.
                revision_time: Some(restored.revision_time.unwrap_or(Timestamp::UNIX_EPOCH)),
                seen_at: restored.seen_at,
            }));
            self.flags.events().request_resync(&project, restored);
        }
        if !changes.is_empty() {
            note_for_reports(&self.flags, &project, seen, changes);
        }
        note_for_events(self.flags.events(), &project, seen, diff);
        if was_failing {
            self.flags.confirm(seen.head_row());
        }
        seen.reconcile_cache(&self.flags);
    }

    /// Logs once when polling begins to fail, and once when it works again.
    fn log_failure(&mut self, failure: Option<StoreError>) {
        let was_failing = std::mem::replace(&mut self.is_failing, failure.is_some());
        match failure {
            Some(error) if !was_failing => {
                warn!(problem = %error, "changes of flags cannot be watched");
            }
            None if was_failing => info!("changes of flags are watched again"),
            _ => {}
        }
    }
}

/// Notes which flags of a project have changed, for the reports of this replica.
fn note_for_reports(
    flags: &FlagCache,
    project: &ProjectName,
    seen: &SeenHeadRow,
    changes: Vec<SeenRevision>,
) {
    let digest = seen.head_row().digest();
    flags
        .project_reports()
        .note_head_changes(project, digest, changes);
}

/// Notes the head row of a project for the events of its subscribers, if it has any.
fn note_for_events(events: &Events, project: &ProjectName, seen: &SeenHeadRow, diff: HeadRowDiff) {
    let head_row = seen.head_row();
    let note = |changes| {
        let has_flags = head_row.flags().next().is_some();
        events.note_head_changes(project, head_row.digest(), has_flags, changes);
    };
    match events.head_row_needed(project) {
        HeadRowNeeded::Now => note(seen.revisions_to_reconcile()),
        HeadRowNeeded::WhenChanged if !diff.changes.is_empty() => note(diff.changes),
        HeadRowNeeded::WhenChanged | HeadRowNeeded::Never => {}
    }
}

/// Reads the head row of a project, unless its change mark (two cells) has not moved since `seen`.
async fn poll_project(
    store: &FlagStore,
    project: &ProjectName,
    seen: Option<&SeenHeadRow>,
) -> Result<Option<HeadRow>, StoreError> {
    if let Some(seen) = seen
        && store.change_mark(project).await? == *seen.head_row().mark()
    {
        return Ok(None);
    }
    store.head_row(project).await.map(Some)
}
