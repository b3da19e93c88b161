//! A project with subscribers: what is to be announced, and what was announced last.

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

/// A project with subscribers.
#[derive(Debug, Default)]
pub(super) struct Topic {
    audience: Audience,
    /// Counts the events.
    number: u64,
    /// The digest of the project, once its head row was read.
    pub(super) digest: Option<ProjectDigest>,
    /// The digest that was sent with the latest event. It does not cover pending changes, so a subscriber that reconnects with
    /// it gets an event.
    announced_digest: Option<ProjectDigest>,
    /// Whether a flag of the project is known.
    pub(super) has_flags: bool,
    pending: Option<Changes>,
    /// Announced changes that are due to be announced again.
    repeat: Option<Changes>,
    /// Changes that were announced while `repeat` was waiting.
    repeat_later: Option<Changes>,
    /// Changes that were announced although the cache does not serve them yet: they are repeated once it does.
    unserved: Option<Changes>,
}

/// The latest event of a project.
#[derive(Debug)]
pub(super) struct LatestEvent {
    /// Its number; the first one is 1.
    pub(super) number: u64,
    /// The event.
    pub(super) event: Arc<Event>,
    /// The event for subscribers that missed the one before: any flag may have changed.
    pub(super) resync: Arc<Event>,
}

impl Topic {
    pub(super) fn subscribe(&mut self) -> watch::Receiver<Option<Arc<LatestEvent>>> {
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

    /// Returns the changes that are to be announced next. The first event is a resync.
    pub(super) fn pending_or_new(&mut self) -> &mut Changes {
        let is_first = self.number == 0;
        self.pending.get_or_insert_with(|| {
            let mut changes = Changes::new(Instant::now() + COLLECTED_FOR);
            if is_first {
                changes.request_resync();
            }
            changes
        })
    }

    /// When something is to be announced, or more subscribers are to be notified of the latest event.
    pub(super) fn due(&self) -> Option<Instant> {
        self.digest?;
        if let Some(turn) = self.audience.next_turn() {
            return Some(turn);
        }
        let changes = [&self.pending, &self.repeat, &self.unserved];
        let due = changes.into_iter().flatten().map(|changes| changes.due);
        due.min()
    }

    /// Announces what is due, once all subscribers have the previous event: a subscriber that missed an event has to ask for all
    /// flags.
    /// `serves_nothing_older` says whether the cache serves no older revision of a flag than this one.
    pub(super) fn announce_due(
        &mut self,
        now: Instant,
        repeat_after: Duration,
        serves_nothing_older: impl Fn(&FlagKey, Option<Timestamp>, Instant) -> bool,
        metrics: &EventMetrics,
    ) {
        let Some(digest) = self.digest else { return };
        self.audience.notify_due_groups(now);
        if self.audience.next_turn().is_some() {
            return;
        }
        if let Some(changes) = self.take_ready(now, repeat_after, &serves_nothing_older) {
            self.announce(digest, &changes, now, metrics);
            self.note_announced(changes, now + repeat_after, serves_nothing_older);
        } else if let Some(changes) =
            self.take_repeated(now, now + repeat_after, serves_nothing_older)
        {
            self.send(self.announced_digest.unwrap_or(digest), &changes, now);
        }
    }

    /// Takes the pending changes that can be announced.
    fn take_ready(
        &mut self,
        now: Instant,
        repeat_after: Duration,
        serves_nothing_older: impl Fn(&FlagKey, Option<Timestamp>, Instant) -> bool,
    ) -> Option<Changes> {
        let mut pending = self.pending.take_if(|changes| changes.due <= now)?;
        // The first event is not repeated, so it waits until other replicas have polled.
        let is_early = self.number == 0 && pending.are_newer_than(repeat_after, now);
        let ready = if is_early {
            None
        } else {
            pending.take_ready(now, serves_nothing_older)
        };
        if !pending.is_empty() {
            pending.due = now + CHECK_EVERY;
            self.pending = Some(pending);
        }
        ready
    }

    /// Announces changes for the first time. The first event of a topic only tells subscribers whether they are up to date.
    fn announce(
        &mut self,
        digest: ProjectDigest,
        changes: &Changes,
        now: Instant,
        metrics: &EventMetrics,
    ) {
        let covered_digest = match &self.pending {
            Some(_) => self.announced_digest.unwrap_or(digest),
            None => digest,
        };
        self.send(covered_digest, changes, now);
        if self.number > 1 {
            metrics.announced(&changes.named());
        }
    }

    /// Has announced changes repeated at `again`; of the first event only those that the cache did not serve.
    fn note_announced(
        &mut self,
        mut changes: Changes,
        again: Instant,
        serves_nothing_older: impl Fn(&FlagKey, Option<Timestamp>, Instant) -> bool,
    ) {
        if let Some(unserved) = &mut self.unserved {
            unserved.remove(&changes);
        }
        let repeat = if self.number == 1 {
            changes = changes.split_unserved(serves_nothing_older);
            &mut self.unserved
        } else if self.repeat.is_some() {
            &mut self.repeat_later
        } else {
            &mut self.repeat
        };
        if !changes.is_empty() {
            let repeat = repeat.get_or_insert_with(|| Changes::new(again));
            repeat.extend(changes);
        }
    }

    /// Takes the announced changes that are due to be announced again and that the cache serves. The others are checked again
    /// at `again`; they delay no change that the cache serves.
    fn take_repeated(
        &mut self,
        now: Instant,
        again: Instant,
        serves_nothing_older: impl Fn(&FlagKey, Option<Timestamp>, Instant) -> bool,
    ) -> Option<Changes> {
        let unserved = self.unserved.take_if(|changes| changes.due <= now);
        let repeat = self.repeat.take_if(|changes| changes.due <= now);
        if repeat.is_some() {
            self.repeat = self.repeat_later.take();
            if let Some(repeat) = &mut self.repeat {
                repeat.due = again;
            }
        }
        let mut changes = Changes::new(now);
        for due in [unserved, repeat].into_iter().flatten() {
            changes.extend(due);
        }
        let unserved = changes.split_unserved(serves_nothing_older);
        if !unserved.is_empty() {
            let later = self.unserved.get_or_insert_with(|| Changes::new(again));
            later.extend(unserved);
        }
        (!changes.is_empty()).then_some(changes)
    }

    fn send(&mut self, digest: ProjectDigest, changes: &Changes, now: Instant) {
        self.number += 1;
        self.announced_digest = Some(digest);
        let latest = LatestEvent {
            number: self.number,
            event: Arc::new(Event::new(digest, changes.named())),
            resync: Arc::new(Event::new(digest, Vec::new())),
        };
        self.audience.announce(latest, now);
    }
}
