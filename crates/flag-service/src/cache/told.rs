//! What the flag cache does about what head rows tell.

use std::collections::HashSet;

use flag_model::ProjectName;
use flag_store::{Clock as _, Heads, SystemClock};
use tokio::time::Instant;

use super::flags::{FlagCache, Wanted};

impl FlagCache {
    /// Reads a flag again, in the background, if its newest revision is newer than what is known of it.
    pub(crate) fn tell(&self, heads: &Heads) {
        let inner = &self.shared;
        for (flag, state) in heads.flags() {
            let newest = state.time();
            let entry = inner.entries.peek(&flag);
            if let Some(entry) = &entry {
                if entry.plan().created() < newest {
                    drop(inner.begin(&flag, Wanted::Newest));
                }
            } else if inner.unreadable().contains_key(&flag) {
                inner.unknown.forget_older(&flag, newest);
                if inner.unknown.get(&flag, Instant::now()).is_none() {
                    drop(inner.begin(&flag, Wanted::Newest));
                }
            } else {
                inner.unknown.forget_older(&flag, newest);
                inner.absence.learn(&flag);
            }
        }
    }

    /// Takes a flag whose reads failed for fresh again where the head row, reached at last, names its revision.
    pub(crate) fn confirm(&self, heads: &Heads) {
        let inner = &self.shared;
        let now = Instant::now();
        for (flag, state) in heads.flags() {
            let entry = inner.entries.peek(&flag);
            let entry = entry.filter(|entry| entry.has_failed(now));
            if let Some(entry) = entry.filter(|entry| entry.plan().created() == state.time()) {
                entry.confirm(SystemClock.now(), &inner.settings);
            }
        }
    }

    /// The projects whose changes should be looked for.
    pub(crate) fn watched(&self) -> Vec<ProjectName> {
        self.shared.served.watched()
    }

    /// Forgets the projects of which no flag is held any more.
    pub(crate) fn forget_projects(&self) {
        let flags = self.shared.entries.iter().map(|(flag, _)| flag.project);
        self.shared.served.keep(&flags.collect::<HashSet<_>>());
    }
}
