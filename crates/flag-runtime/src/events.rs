//! Events: which flags of a project have changed, for its subscribers.
//!
//! Knows neither the store nor the cache: both note changes here. Changes are collected for a moment and announced once the
//! cache serves nothing older, so that a subscriber that asks again does not receive the old value; after 2 s they are
//! announced even if it does not (a flag that cannot be read). A subscriber holds no copy of anything: all subscribers of a
//! project share its latest event, are notified of it in groups (`events/audience.rs`), and learn that any flag may have
//! changed if they missed one. A project without subscribers is not tracked.
mod audience;
mod changes;
mod event;
mod metrics;
mod subscription;
#[cfg(test)]
mod tests;
mod topic;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::{FlagKey, ProjectName, Timestamp};
use flag_store::ProjectDigest;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub use self::event::Event;
use self::metrics::EventMetrics;
pub use self::subscription::Subscription;
use self::topic::Topic;

/// The most projects with subscribers and without a known flag: invented names must cost few reads of the store.
const MAX_UNKNOWN: usize = 256;

/// The events of all projects that have subscribers.
#[derive(Clone, Debug)]
pub struct Events(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    topics: Mutex<Topics>,
    /// Wakes [`Events::announce_changes`].
    change_noted: Notify,
    /// Wakes the change watcher.
    head_rows_requested: Notify,
    metrics: Arc<EventMetrics>,
}

#[derive(Debug, Default)]
struct Topics {
    by_project: HashMap<ProjectName, Topic>,
    is_closed: bool,
}

/// Why there is no subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// Too many subscribed projects have no flag.
    #[error("too many projects without flags have subscribers")]
    TooManyProjects,
    /// The process is about to stop.
    #[error("no more events are sent")]
    Closed,
}

/// When the events of a project need its head row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadRowNeeded {
    /// The project has no subscribers.
    Never,
    /// No digest of the project is known.
    Now,
    /// Its digest is known.
    WhenChanged,
}

/// A published revision that was seen in the head row; the cache may not serve it yet.
#[derive(Clone, Debug)]
pub(crate) struct SeenRevision {
    /// The flag.
    pub(crate) flag: FlagKey,
    /// The time of its published revision; `None` if the flag is gone, or an older release claims it, which hides the time.
    pub(crate) revision_time: Option<Timestamp>,
    /// When it was seen for the first time.
    pub(crate) seen_at: Instant,
}

/// A flag in memory of a project that went back to an older state.
#[derive(Clone, Debug)]
pub(crate) struct RestoredFlag {
    /// The flag.
    pub(crate) flag: FlagKey,
    /// The time of its revision; `None` if only a read that begins later shows which one is in force.
    pub(crate) revision_time: Option<Timestamp>,
    /// When the older state was seen.
    pub(crate) seen_at: Instant,
}

impl Events {
    /// Starts without subscribers.
    pub fn new(registry: &mut Registry) -> Self {
        Self(Arc::new(Shared {
            topics: Mutex::default(),
            change_noted: Notify::new(),
            head_rows_requested: Notify::new(),
            metrics: Arc::new(EventMetrics::register(registry)),
        }))
    }

    /// Subscribes to a project. `last_event_digest` is the digest that the subscriber knows: if the project has another one, the first
    /// event says that any flag may have changed.
    pub fn subscribe(
        &self,
        project: &ProjectName,
        last_event_digest: Option<ProjectDigest>,
    ) -> Result<Subscription, SubscribeError> {
        let mut topics = self.topics();
        if topics.is_closed {
            return Err(SubscribeError::Closed);
        }
        if !topics.by_project.contains_key(project) {
            let unknown = topics.by_project.values().filter(|topic| !topic.has_flags);
            if unknown.count() >= MAX_UNKNOWN {
                return Err(SubscribeError::TooManyProjects);
            }
            self.request_head_rows();
        }
        let topic = topics.by_project.entry(project.clone()).or_default();
        let metrics = Arc::clone(&self.0.metrics);
        Ok(Subscription::new(
            topic.subscribe(),
            last_event_digest,
            metrics,
        ))
    }

    /// Ends all subscriptions, and permits no further ones: the process is about to stop.
    pub fn close(&self) {
        let mut topics = self.topics();
        topics.is_closed = true;
        topics.by_project.clear();
    }

    /// Waits until head rows are requested: a project whose digest is not known has a subscriber.
    pub(crate) async fn wait_for_head_row_request(&self) {
        self.0.head_rows_requested.notified().await;
    }

    /// Requests the head rows of subscribed projects whose digest is not known.
    pub(crate) fn request_head_rows(&self) {
        self.0.head_rows_requested.notify_one();
    }

    /// Returns the projects that have subscribers, and forgets all others.
    pub(crate) fn projects(&self) -> Vec<ProjectName> {
        let mut topics = self.topics();
        topics.by_project.retain(|_, topic| topic.has_subscribers());
        topics.by_project.keys().cloned().collect()
    }

    /// When the events of a project need its head row.
    pub(crate) fn head_row_needed(&self, project: &ProjectName) -> HeadRowNeeded {
        match self.topics().by_project.get(project) {
            None => HeadRowNeeded::Never,
            Some(topic) if topic.digest.is_none() => HeadRowNeeded::Now,
            Some(_) => HeadRowNeeded::WhenChanged,
        }
    }

    /// Notes the digest of a project's head row, whether it has flags, and which of them have changed.
    pub(crate) fn note_head_changes(
        &self,
        project: &ProjectName,
        digest: ProjectDigest,
        has_flags: bool,
        changed: Vec<SeenRevision>,
    ) {
        self.note(project, |topic| {
            topic.digest = Some(digest);
            topic.has_flags |= has_flags;
            let pending = topic.pending_or_new();
            for change in changed {
                match change.revision_time {
                    Some(_) => pending.add(change.flag, change.revision_time, change.seen_at),
                    None => pending.request_resync(),
                }
            }
        });
    }

    /// Has the next event say that any flag may have changed, as the project went back to an older state. It waits until the cache
    /// serves these flags, for 2 s at most.
    pub(crate) fn request_resync(&self, project: &ProjectName, flags: Vec<RestoredFlag>) {
        self.note(project, |topic| {
            let pending = topic.pending_or_new();
            pending.request_resync();
            for restored in flags {
                pending.add(restored.flag, restored.revision_time, restored.seen_at);
            }
        });
    }

    /// Notes another revision of a flag, which the cache has found.
    pub(crate) fn note_change(&self, flag: &FlagKey, revision_time: Timestamp) {
        self.note(&flag.project, |topic| {
            topic.has_flags = true;
            let revision_time = Some(revision_time);
            let pending = topic.pending_or_new();
            pending.add(flag.clone(), revision_time, Instant::now());
        });
    }

    /// Announces changes for ever: each of them once `serves_nothing_older` says so, or after 2 s; and again `repeat_after`
    /// later, as another replica may have answered with the old value in the meantime.
    pub(crate) async fn announce_changes(
        self,
        repeat_after: Duration,
        serves_nothing_older: impl Fn(&FlagKey, Option<Timestamp>, Instant) -> bool,
    ) {
        loop {
            let due = self.next_due();
            tokio::select! {
                () = self.0.change_noted.notified() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            let now = Instant::now();
            for topic in self.topics().by_project.values_mut() {
                topic.announce_due(now, repeat_after, &serves_nothing_older, &self.0.metrics);
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.topics()
            .by_project
            .values()
            .filter_map(Topic::due)
            .min()
    }

    fn note(&self, project: &ProjectName, note: impl FnOnce(&mut Topic)) {
        if let Some(topic) = self.topics().by_project.get_mut(project) {
            note(topic);
            if topic.has_news() {
                self.0.metrics.changes_noted.inc();
            }
            self.0.change_noted.notify_one();
        }
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.0.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
