//! Changes of a project that are to be announced together.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_store::{Clock as _, SystemClock};
use tokio::time::Instant;

/// The most flags that an event names.
pub(super) const MAX_NAMED: usize = 100;

/// How long changes that the cache serves wait for those collected with them that it does not serve yet, so that all of
/// them are one event.
const WAIT_FOR_UNSERVED: Duration = Duration::from_millis(200);

/// How long a change waits for the cache to serve it. After that it is announced, and repeated once it is served.
pub(super) const WAIT_FOR_CACHE: Duration = Duration::from_secs(2);

/// Changes that are to be announced together.
#[derive(Debug)]
pub(super) struct Changes {
    /// Since when any flag may have changed, so that subscribers must ask for all of them again.
    resync: Option<Instant>,
    flags: BTreeMap<FlagKey, Change>,
    /// When they are to be announced.
    pub(super) due: Instant,
}

/// A change of a flag.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// The time of the flag's revision; `None` if only a read shows which one is in force.
    revision_time: Option<Timestamp>,
    /// When the revision was seen.
    seen_at: Instant,
    /// Since when a change of the flag waits to be announced.
    since: Instant,
}

impl Changes {
    pub(super) fn new(due: Instant) -> Self {
        Self {
            resync: None,
            flags: BTreeMap::new(),
            due,
        }
    }

    pub(super) fn add(
        &mut self,
        flag: FlagKey,
        revision_time: Option<Timestamp>,
        seen_at: Instant,
    ) {
        let new = Change {
            revision_time,
            seen_at,
            since: Instant::now(),
        };
        let change = self.flags.entry(flag).or_insert(new);
        if change.revision_time != revision_time {
            (change.revision_time, change.seen_at) = (revision_time, seen_at);
        }
    }

    /// Notes that any flag may have changed.
    pub(super) fn request_resync(&mut self) {
        self.resync.get_or_insert_with(Instant::now);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.resync.is_none()
    }

    /// Takes those that can be announced: the cache serves them, or they have waited for long enough. A resync is
    /// announced together with all flags.
    pub(super) fn take_ready(
        &mut self,
        now: Instant,
        serves_nothing_older: impl Fn(&FlagKey, Option<Timestamp>, Instant) -> bool,
    ) -> Option<Self> {
        let has_waited = |since: Instant| now - since >= WAIT_FOR_CACHE;
        let is_ready = |flag: &FlagKey, change: &Change| {
            has_waited(change.since)
                || serves_nothing_older(flag, change.revision_time, change.seen_at)
        };
        let due = self.due;
        if self.resync.is_some_and(has_waited)
            || self
                .flags
                .iter()
                .all(|(flag, change)| is_ready(flag, change))
        {
            return Some(std::mem::replace(self, Self::new(due)));
        }
        if self.resync.is_some() {
            return None;
        }
        let mut ready = self.split(is_ready);
        let mut waited = ready.flags.values().map(|change| now - change.since);
        if waited.any(|waited| waited >= WAIT_FOR_UNSERVED) {
            return Some(ready);
        }
        self.flags.append(&mut ready.flags);
        None
    }

    /// Removes the flags that the cache does not serve, and returns them.
    pub(super) fn split_unserved(
        &mut self,
        serves_nothing_older: impl Fn(&FlagKey, Option<Timestamp>, Instant) -> bool,
    ) -> Self {
        self.split(|flag, change| !serves_nothing_older(flag, change.revision_time, change.seen_at))
    }

    /// Removes these flags, and returns them.
    fn split(&mut self, is_meant: impl Fn(&FlagKey, &Change) -> bool) -> Self {
        let mut split = Self::new(self.due);
        let flags = std::mem::take(&mut self.flags).into_iter();
        (split.flags, self.flags) = flags.partition(|(flag, change)| is_meant(flag, change));
        split
    }

    /// Whether they were noted, and one of the revisions was made, within this time.
    pub(super) fn are_newer_than(&self, age: Duration, now: Instant) -> bool {
        let clock = SystemClock.now();
        let mut times = self
            .flags
            .values()
            .filter_map(|change| change.revision_time);
        self.resync.is_none_or(|since| now - since < age)
            && times.any(|time| clock.since(time) < age)
    }

    /// Adds all of `others`.
    pub(super) fn extend(&mut self, others: Self) {
        self.resync = self.resync.or(others.resync);
        for (flag, change) in others.flags {
            self.add(flag, change.revision_time, change.seen_at);
        }
    }

    /// Removes the flags that `others` names too.
    pub(super) fn remove(&mut self, others: &Self) {
        self.flags
            .retain(|flag, _| !others.flags.contains_key(flag));
    }

    /// The flags that an event names; none if any flag may have changed, too many have, or the revision of one is not known.
    pub(super) fn named(&self) -> Vec<(FlagKey, Timestamp)> {
        if self.resync.is_some() || self.flags.len() > MAX_NAMED {
            return Vec::new();
        }
        let flags = self.flags.iter();
        let flags: Option<Vec<_>> = flags
            .map(|(flag, change)| Some((flag.clone(), change.revision_time?)))
            .collect();
        flags.unwrap_or_default()
    }
}
