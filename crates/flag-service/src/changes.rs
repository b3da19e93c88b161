//! Looks for changes: reads the marks of the projects that are served, their head rows where those have moved, and has what
//! changed read again.
//!
//! Head rows only tell of changes early. What the reference's tooling writes isn't in them, and shows when a flag's
//! lifetime ends. A head row that goes back, or vanishes, says that the store was restored to an older state, or another
//! put in its place; then too, the rows decide.

mod seen;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use flag_model::{Jitter, ProjectName};
use flag_store::{FlagStore, Heads, StoreError};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use self::seen::Seen;
use crate::cache::FlagCache;

/// How many projects are looked at at once.
const AT_ONCE: usize = 8;

/// How often the projects are forgotten of which no flag is held.
const SWEEP: Duration = Duration::from_mins(1);

/// Replicas that started together do not all look at the same time.
const JITTER: Jitter = Jitter::between(0.9, 1.0);

/// Looks for changes for ever, about every `period`.
pub(crate) async fn look(store: FlagStore, flags: FlagCache, period: Duration) {
    let mut watch = Watch::new(store, flags);
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

/// What was seen of the head rows.
#[derive(Debug)]
struct Watch {
    store: FlagStore,
    flags: FlagCache,
    seen: HashMap<ProjectName, Seen>,
    is_failing: bool,
}

impl Watch {
    fn new(store: FlagStore, flags: FlagCache) -> Self {
        Self {
            store,
            flags,
            seen: HashMap::new(),
            is_failing: false,
        }
    }

    /// Looks at every project once.
    async fn poll(&mut self) {
        let (store, seen) = (&self.store, &self.seen);
        let looks = self.flags.watched().into_iter().map(|project| async move {
            let look = look_at(store, &project, seen.get(&project)).await;
            (look, project)
        });
        let looks: Vec<_> = stream::iter(looks)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut failure = None;
        let was_failing = self.is_failing;
        for (look, project) in looks {
            match look {
                Ok(news) => self.take_in(project, news, was_failing),
                Err(error) => failure = Some(error),
            }
        }
        self.complain(failure);
    }

    /// Forgets the projects that nobody asks for.
    fn sweep(&mut self) {
        self.flags.forget_projects();
        let watched: HashSet<ProjectName> = self.flags.watched().into_iter().collect();
        self.seen.retain(|project, _| watched.contains(project));
    }

    /// Does what must be done about a head row that was read because it has changed, or about one that has not.
    fn take_in(&mut self, project: ProjectName, news: Option<Heads>, was_failing: bool) {
        let Some(seen) = self.seen.get_mut(&project) else {
            let seen = Seen::new(news.unwrap_or_default());
            let mut seen = self.seen.entry(project).insert_entry(seen);
            seen.get_mut().tell(&self.flags);
            return;
        };
        if let Some(heads) = news {
            let undone = seen.replace(heads);
            if undone > 0 {
                warn!(%project, flags = undone, "store went back to an older state, its flags are read again");
                seen.doubt(self.flags.note_restored(&project));
            }
        }
        if was_failing {
            self.flags.confirm(seen.heads());
        }
        seen.tell(&self.flags);
    }

    /// One line when looking begins to fail, and one when it works again.
    fn complain(&mut self, failure: Option<StoreError>) {
        let was_failing = std::mem::replace(&mut self.is_failing, failure.is_some());
        match failure {
            Some(error) if !was_failing => {
                warn!(problem = %error, "cannot look for changes of flags");
            }
            None if was_failing => info!("looking for changes of flags again"),
            _ => {}
        }
    }
}

/// The head row of a project, unless it is the one that was seen last: two cells say so, however many flags there are.
async fn look_at(
    store: &FlagStore,
    project: &ProjectName,
    seen: Option<&Seen>,
) -> Result<Option<Heads>, StoreError> {
    if let Some(seen) = seen
        && store.change_mark(project).await? == *seen.heads().mark()
    {
        return Ok(None);
    }
    store.heads(project).await.map(Some)
}
