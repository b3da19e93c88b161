//! The subscribers of a project, in groups that are woken one after the other: a worker that wrote an event to thousands of
//! streams at once would keep requests waiting meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::topic::LatestEvent;

/// The most subscribers that are woken at once.
pub(super) const GROUP: usize = 25;

/// Pause before the next group.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// The longest time from the first group to the last one; with many groups, pauses are shorter.
const SPREAD: Duration = Duration::from_millis(400);

/// The subscribers of a project.
#[derive(Debug)]
pub(super) struct Audience {
    groups: Vec<watch::Sender<Option<Arc<LatestEvent>>>>,
    latest: Option<Arc<LatestEvent>>,
    /// The number of groups that were notified of the latest event.
    notified: usize,
    /// When the first group was notified of it.
    began: Instant,
}

impl Default for Audience {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            latest: None,
            notified: 0,
            began: Instant::now(),
        }
    }
}

impl Audience {
    /// Adds a subscriber.
    pub(super) fn subscribe(&mut self) -> watch::Receiver<Option<Arc<LatestEvent>>> {
        let mut groups = self.groups.iter();
        if let Some(group) = groups.find(|group| group.receiver_count() < GROUP) {
            return group.subscribe();
        }
        let group = watch::Sender::new(self.latest.clone());
        let receiver = group.subscribe();
        // If all groups were notified of the latest event, the new group counts as notified: its receiver has that event.
        self.notified += usize::from(self.next_turn().is_none());
        self.groups.push(group);
        receiver
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.receiver_count() == 0)
    }

    /// Notifies the first group of an event. The others follow by [`notify_due_groups`](Self::notify_due_groups).
    pub(super) fn announce(&mut self, event: LatestEvent, now: Instant) {
        self.groups.retain(|group| group.receiver_count() > 0);
        self.latest = Some(Arc::new(event));
        (self.notified, self.began) = (0, now);
        self.notify_due_groups(now);
    }

    /// Notifies the groups whose turn has come.
    pub(super) fn notify_due_groups(&mut self, now: Instant) {
        while self.next_turn().is_some_and(|turn| turn <= now) {
            if let Some(group) = self.groups.get(self.notified) {
                group.send_replace(self.latest.clone());
            }
            self.notified += 1;
        }
    }

    /// When the next group is to be notified of the latest event; `None` if all were.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        let groups = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        let notified = u32::try_from(self.notified).unwrap_or(u32::MAX);
        (notified < groups).then(|| self.began + PAUSE.min(SPREAD / groups) * notified)
    }
}
