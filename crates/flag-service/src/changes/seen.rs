//! What was seen of a project's head row, and which of its flags may still be served otherwise than it says.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::FlagKey;
use flag_store::{HeadState, Heads};
use tokio::time::Instant;

use crate::cache::{FlagCache, Heard};

/// How long after a change its flag is compared with what is served, and longer if it is not read by then. A claim may
/// stand for as long before its revision comes, and what was read just before a change may arrive just after it.
const UNSETTLED: Duration = Duration::from_secs(30);

/// How many flags of a project are read again in one look, so that requests for others find room; the rest have the next.
const READ_AT_ONCE: usize = 256;

/// What was seen of a project's head row.
#[derive(Debug)]
pub(super) struct Seen {
    heads: Heads,
    /// What it said when it last changed, and when that was, of each flag that is compared with what is served.
    changed: BTreeMap<FlagKey, (Option<HeadState>, Instant)>,
    /// With which of these the next look begins.
    next: Option<FlagKey>,
}

impl Seen {
    /// Sees a head row for the first time.
    pub(super) fn new(heads: Heads) -> Self {
        let now = Instant::now();
        let changed = heads
            .flags()
            .map(|(flag, state)| (flag, (Some(state), now)))
            .collect();
        Self {
            heads,
            changed,
            next: None,
        }
    }

    /// What it said last.
    pub(super) fn heads(&self) -> &Heads {
        &self.heads
    }

    /// Takes in what it says now; of how many flags that is older than what it said before.
    pub(super) fn replace(&mut self, heads: Heads) -> usize {
        let now = Instant::now();
        let before = std::mem::replace(&mut self.heads, heads);
        let mut undone = 0;
        for (flag, state) in self.heads.changes_since(&before) {
            let is_undone = before.get(&flag).is_some_and(|old| old.is_undone_by(state));
            undone += usize::from(is_undone);
            self.changed.insert(flag, (state, now));
        }
        undone
    }

    /// Has these flags compared as if they had changed just now.
    pub(super) fn doubt(&mut self, flags: Vec<FlagKey>) {
        let now = Instant::now();
        for flag in flags {
            let state = self.heads.get(&flag);
            self.changed.insert(flag, (state, now));
        }
    }

    /// Has every flag compared with what is served whose change is not long ago, or that was not read since.
    pub(super) fn tell(&mut self, flags: &FlagCache) {
        let mut earlier = std::mem::take(&mut self.changed);
        let next = self.next.take();
        let later = next.map_or_else(BTreeMap::new, |next| earlier.split_off(&next));
        let mut room = READ_AT_ONCE;
        for (flag, (state, since)) in later.into_iter().chain(earlier) {
            if room == 0 {
                self.next.get_or_insert_with(|| flag.clone());
                self.changed.insert(flag, (state, since));
                continue;
            }
            let heard = flags.hear(&flag, state, since);
            room -= usize::from(heard != Heard::Known);
            if heard == Heard::Reading || since.elapsed() < UNSETTLED {
                self.changed.insert(flag, (state, since));
            }
        }
    }
}
