//! Watches for changes: reads the change marks of watched projects, and the head row of a project whose mark has moved; then
//! the changed flags are read again.
//!
//! Head rows only announce changes early. The tooling of the Python framework does not update them; its changes are seen
//! when the lifetime of a flag ends. If a head row goes back to an older state, or vanishes, the store was restored or
//! replaced; in that case too, the rows of revisions decide.

mod seen_head_row;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use flag_model::{Jitter, ProjectName};
use flag_store::{FlagStore, HeadRow, StoreError};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use self::seen_head_row::SeenHeadRow;
use super::cache::FlagCache;

/// Projects that are polled concurrently.
const CONCURRENCY: usize = 8;

/// How often projects without a flag in memory are forgotten.
const SWEEP: Duration = Duration::from_mins(1);

/// Varies the period, so that replicas that started together do not poll together.
const JITTER: Jitter = Jitter::between(0.9, 1.0);

/// Polls for changes for ever, about every `period`.
pub async fn watch_changes(store: FlagStore, flags: FlagCache, period: Duration) {
    let mut watch = ChangeWatcher::new(store, flags);
    let mut swept = Instant::now();
    loop {
        sleep(JITTER.apply(period, fastrand::f64())).await;
        if swept.elapsed() >= SWEEP {
            watch.sweep();
            swept = Instant::now();
        }
        watch.poll().await;
    }
}

/// The change watcher: what it has seen of the head rows.
#[derive(Debug)]
struct ChangeWatcher {
    store: FlagStore,
    flags: FlagCache,
    seen: HashMap<ProjectName, SeenHeadRow>,
    is_failing: bool,
}

impl ChangeWatcher {
    fn new(store: FlagStore, flags: FlagCache) -> Self {
        Self {
            store,
            flags,
            seen: HashMap::new(),
            is_failing: false,
        }
    }

    /// Polls every project once.
    async fn poll(&mut self) {
        let (store, seen) = (&self.store, &self.seen);
        let polls = self.flags.watched().into_iter().map(|project| async move {
            let polled = poll_project(store, &project, seen.get(&project)).await;
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
                Ok(changed) => self.apply(project, changed, was_failing),
                Err(error) => failure = Some(error),
            }
        }
        self.log_failure(failure);
    }

    /// Forgets projects that are not watched any more.
    fn sweep(&mut self) {
        self.flags.forget_projects();
        let watched: HashSet<ProjectName> = self.flags.watched().into_iter().collect();
        self.seen.retain(|project, _| watched.contains(project));
    }

    /// Applies the head row of a project; `None` if it has not changed.
    fn apply(&mut self, project: ProjectName, changed: Option<HeadRow>, was_failing: bool) {
        let Some(seen) = self.seen.get_mut(&project) else {
            let seen = SeenHeadRow::new(changed.unwrap_or_default());
            let mut seen = self.seen.entry(project).insert_entry(seen);
            seen.get_mut().notify(&self.flags);
            return;
        };
        if let Some(head_row) = changed {
            let undone = seen.replace(head_row);
            if undone > 0 {
                warn!(%project, flags = undone, "the store was restored to an older state; its flags are read again");
                seen.mark_changed(self.flags.note_restored(&project));
            }
        }
        if was_failing {
            self.flags.confirm(seen.head_row());
        }
        seen.notify(&self.flags);
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
