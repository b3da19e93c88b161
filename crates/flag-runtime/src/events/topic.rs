//! A project with subscribers: what is to be published, and what was published last.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_store::ProjectDigest;
use tokio::sync::watch;
use tokio::time::Instant;

use super::audience::Audience;
use super::changes::Changes;
use super::event::Event;
use super::metrics::EventMetrics;

/// How long changes are collected.
pub(super) const COLLECTED_FOR: Duration = Duration::from_millis(60);

/// How often changes that the cache does not serve yet are checked again.
const CHECK_EVERY: Duration = Duration::from_millis(20);

/// The longest wait for the cache. Changes that are not served by then are published all the same, and repeated once they are served.
pub(super) const WAIT_FOR_CACHE: Duration = Duration::from_secs(2);

/// A project with subscribers.
#[derive(Debug, Default)]
pub(super) struct Topic {
    audience: Audience,
    /// Counts what was published.
    number: u64,
    /// The digest of the project, once its head row was read.
    pub(super) digest: Option<ProjectDigest>,
    /// The digest of the latest event. The one above is newer while changes are pending.
    published: Option<ProjectDigest>,
    /// Whether a flag of the project is known.
    pub(super) has_flags: bool,
    pending: Option<Changes>,
    /// Published changes that are due to be published again.
    repeat: Option<Changes>,
    /// Changes that were published while `repeat` was waiting.
    repeat_later: Option<Changes>,
}

/// The latest event of a project.
#[derive(Debug)]
pub(super) struct Published {
    /// Its number; the first one is 1.
    pub(super) number: u64,
    /// The event.
    pub(super) event: Arc<Event>,
    /// The event for subscribers that missed the one before.
    pub(super) everything: Arc<Event>,
}

impl Topic {
    pub(super) fn subscribe(&mut self) -> watch::Receiver<Option<Arc<Published>>> {
        self.audience.subscribe()
    }

    pub(super) fn has_subscribers(&self) -> bool {
        !self.audience.is_empty()
    }

    /// Whether changes wait that were noted after the first event.
    pub(super) fn has_news(&self) -> bool {
        let pending = self.pending.as_ref();
        self.number > 0 && pending.is_some_and(|changes| !changes.is_empty())
    }

    /// Returns the changes that are to be published next.
    pub(super) fn pending(&mut self) -> &mut Changes {
        self.pending
            .get_or_insert_with(|| Changes::new(Instant::now() + COLLECTED_FOR))
    }

    /// When something is to be published, or more subscribers are to be told of what was.
    pub(super) fn due(&self) -> Option<Instant> {
        self.digest?;
        if let Some(turn) = self.audience.next_turn() {
            return Some(turn);
        }
        let changes = [&self.pending, &self.repeat];
        let due = changes.into_iter().flatten().map(|changes| changes.due);
        due.min()
    }

    /// Publishes what is due, once all subscribers have the previous event: a subscriber that missed an event has to ask for everything.
    /// `is_served` says whether the cache serves a revision of a flag.
    pub(super) fn publish_due(
        &mut self,
        now: Instant,
        repeat_after: Duration,
        is_served: impl Fn(&FlagKey, Timestamp, Instant) -> bool,
        metrics: &EventMetrics,
    ) {
        let Some(digest) = self.digest else { return };
        self.audience.tell(now);
        if self.audience.next_turn().is_some() {
            return;
        }
        if let Some(mut changes) = self.pending.take_if(|changes| changes.due <= now) {
            let waited = now - changes.since;
            let is_served = waited >= WAIT_FOR_CACHE || changes.are_served(&is_served);
            // The first event is not repeated, so it waits until other replicas have polled.
            let is_early =
                self.number == 0 && waited < repeat_after && changes.are_newer_than(repeat_after);
            if is_served && !is_early {
                self.publish(digest, changes, (now, now + repeat_after), metrics);
                return;
            }
            changes.due = now + CHECK_EVERY;
            self.pending = Some(changes);
        }
        if let Some(mut changes) = self.repeat.take_if(|changes| changes.due <= now) {
            self.repeat = self.repeat_later.take();
            let unserved = changes.split_unserved(&is_served);
            if !changes.is_empty() {
                self.send(self.published.unwrap_or(digest), &changes, now);
            }
            if let Some(unserved) = unserved {
                self.repeat
                    .get_or_insert_with(|| Changes::new(now))
                    .extend(unserved);
            }
            if let Some(repeat) = &mut self.repeat {
                repeat.due = now + repeat_after;
            }
        }
    }

    /// Publishes changes for the first time; they are due again at `again`. The first event of a topic only tells subscribers
    /// whether they are up to date.
    fn publish(
        &mut self,
        digest: ProjectDigest,
        changes: Changes,
        (now, again): (Instant, Instant),
        metrics: &EventMetrics,
    ) {
        self.send(digest, &changes, now);
        if self.number == 1 {
            return;
        }
        metrics.published(&changes.named());
        let repeat = if self.repeat.is_some() {
            &mut self.repeat_later
        } else {
            &mut self.repeat
        };
        let repeat = repeat.get_or_insert_with(|| Changes::new(again));
        repeat.extend(changes);
    }

    fn send(&mut self, digest: ProjectDigest, changes: &Changes, now: Instant) {
        self.number += 1;
        self.published = Some(digest);
        let published = Published {
            number: self.number,
            event: Arc::new(Event::new(digest, changes.named())),
            everything: Arc::new(Event::new(digest, Vec::new())),
        };
        self.audience.announce(published, now);
    }
}
