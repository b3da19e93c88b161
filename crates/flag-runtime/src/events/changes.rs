//! Changes of a project that are to be published together.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_store::{Clock as _, SystemClock};
use tokio::time::Instant;

/// The most flags that an event names.
pub(super) const MAX_NAMED: usize = 100;

/// Changes that are to be published together.
#[derive(Debug)]
pub(super) struct Changes {
    /// Whether everything may have changed.
    everything: bool,
    /// The time of each flag's revision, and when the change was seen.
    flags: BTreeMap<FlagKey, (Timestamp, Instant)>,
    /// When the first of them was noted.
    pub(super) since: Instant,
    /// When they are to be published.
    pub(super) due: Instant,
}

impl Changes {
    pub(super) fn new(due: Instant) -> Self {
        Self {
            everything: false,
            flags: BTreeMap::new(),
            since: Instant::now(),
            due,
        }
    }

    pub(super) fn add(&mut self, flag: FlagKey, time: Timestamp, seen: Instant) {
        let change = self.flags.entry(flag).or_insert((time, seen));
        if change.0 != time {
            *change = (time, seen);
        }
    }

    pub(super) fn add_everything(&mut self) {
        self.everything = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flags.is_empty() && !self.everything
    }

    /// Whether the cache serves all of them.
    pub(super) fn are_served(
        &self,
        is_served: impl Fn(&FlagKey, Timestamp, Instant) -> bool,
    ) -> bool {
        let mut flags = self.flags.iter();
        flags.all(|(flag, (time, seen))| is_served(flag, *time, *seen))
    }

    /// Removes those that the cache does not serve, and returns them. That everything may have changed is said once it
    /// serves all flags.
    pub(super) fn split_unserved(
        &mut self,
        is_served: impl Fn(&FlagKey, Timestamp, Instant) -> bool,
    ) -> Option<Self> {
        if self.are_served(&is_served) {
            return None;
        }
        let mut unserved = Self::new(self.due);
        if self.everything {
            return Some(std::mem::replace(self, unserved));
        }
        let flags = std::mem::take(&mut self.flags).into_iter();
        (self.flags, unserved.flags) =
            flags.partition(|(flag, (time, seen))| is_served(flag, *time, *seen));
        Some(unserved)
    }

    /// Whether a revision was made within this time.
    pub(super) fn are_newer_than(&self, age: Duration) -> bool {
        let now = SystemClock.now();
        let mut flags = self.flags.values();
        flags.any(|(time, _)| now.since(*time) < age)
    }

    /// Adds all of `others`.
    pub(super) fn extend(&mut self, others: Self) {
        self.everything |= others.everything;
        for (flag, (time, seen)) in others.flags {
            self.add(flag, time, seen);
        }
    }

    /// The flags that an event names; none if everything may have changed, or too many have.
    pub(super) fn named(&self) -> Vec<(FlagKey, Timestamp)> {
        if self.everything || self.flags.len() > MAX_NAMED {
            return Vec::new();
        }
        let flags = self.flags.iter();
        flags
            .map(|(flag, (time, _))| (flag.clone(), *time))
            .collect()
    }
}
