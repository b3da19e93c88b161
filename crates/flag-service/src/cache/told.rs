//! What the flag cache does about what head rows tell.

use std::collections::HashSet;

use flag_model::{FlagKey, ProjectName};
use flag_store::{Clock as _, HeadState, Heads, SystemClock};
use tokio::time::Instant;

use super::entry::Entry;
use super::flags::{FlagCache, Inner, Wanted};

/// What was done about what a head row tells of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing had to be read.
    Known,
    /// The flag is being read, in the background.
    Reading,
    /// It is being read again, as the rows did not say what the head row says; or for the first time.
    ReadingAgain,
}

impl FlagCache {
    /// Hears what the head row has told of a flag since a moment, or that it tells nothing any more. Where that disagrees
    /// with what is known, the rows decide.
    pub(crate) fn hear(&self, flag: &FlagKey, head: Option<HeadState>, since: Instant) -> Heard {
        let inner = &self.shared;
        let entry = inner.entries.peek(flag);
        let must_read = match &entry {
            Some(entry) => is_doubtful(entry, head, since),
            None => head.is_some_and(|head| inner.reconsider(flag, head)),
        };
        if !must_read {
            return Heard::Known;
        }
        drop(inner.begin(flag, Wanted::Newest));
        if entry.is_some_and(|entry| !entry.is_read_since(since)) {
            Heard::Reading
        } else {
            Heard::ReadingAgain
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

    /// Notes that a project went back to an older state; gives back the flags of it that are held.
    pub(crate) fn note_restored(&self, project: &ProjectName) -> Vec<FlagKey> {
        let inner = &self.shared;
        inner.metrics.restores.inc();
        inner.restored.note(project);
        let flags = inner.entries.iter().map(|(flag, _)| flag);
        flags.filter(|flag| flag.project == *project).collect()
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

impl Inner {
    /// Gives up what is remembered of a flag that is not held, if it is out of date; whether the flag must be read.
    fn reconsider(&self, flag: &FlagKey, head: HeadState) -> bool {
        self.unknown.forget_older(flag, head.time());
        if self.unreadable().contains_key(flag) {
            return self.unknown.get(flag, Instant::now()).is_none();
        }
        self.absence.learn(flag);
        false
    }
}

/// Whether the rows must be asked which revision is in force.
fn is_doubtful(entry: &Entry, head: Option<HeadState>, since: Instant) -> bool {
    let created = entry.plan().created();
    match head {
        Some(head) if head.time() == created => false,
        // It is in, or about to come.
        Some(head) if head.time() > created => true,
        // Rows of the reference's tooling are not in the head row, so that what is held may well be newer. Or else the store
        // went back to an older state, and a read that began after that tells.
        _ => !entry.is_read_since(since),
    }
}
