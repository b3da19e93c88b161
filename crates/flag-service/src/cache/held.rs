//! What is held in memory, as a whole: for probes, for the snapshot, and for who restores one.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_rollout::Plan;
use flag_store::{Clock as _, Row, SystemClock, decode_revision};
use tokio::time::Instant;

use super::entry::{Age, Entry};
use super::flags::FlagCache;

/// How many flags are held, and how they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Flags that would be served though the store could not be reached.
    pub(crate) servable: usize,
    /// Those among them whose lifetime has ended while the store could not be reached.
    pub(crate) stale: usize,
    /// How long ago the oldest of these was last known to be in force.
    pub(crate) oldest_stale: Duration,
    /// Projects that went back to an older state within the last hour.
    pub(crate) restored_projects: usize,
}

/// A flag as it is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// When it was last known to be in force.
    pub(crate) known: Timestamp,
    /// The row of its revision.
    pub(crate) row: Row,
}

impl FlagCache {
    /// Looks at every flag that is held.
    pub(crate) fn held(&self) -> Held {
        let inner = &self.shared;
        let (now, clock) = (Instant::now(), SystemClock.now());
        let is_open = inner.circuit.is_open();
        let mut held = Held {
            restored_projects: inner.restored.count(),
            ..Held::default()
        };
        for (_, entry) in inner.entries.iter() {
            let age = entry.age(now);
            held.servable += usize::from(age != Age::Over);
            if age == Age::Stale && (is_open || entry.has_failed(now)) {
                held.stale += 1;
                held.oldest_stale = held.oldest_stale.max(clock.since(entry.known()));
            }
        }
        held
    }

    /// Every flag that may be served after a restart, ordered.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        let now = Instant::now();
        let entries = self.shared.entries.iter();
        let mut entries: Vec<(FlagKey, Arc<Entry>)> = entries
            .filter(|(_, entry)| entry.age(now) != Age::Over)
            .collect();
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let kept = entries.into_iter().filter_map(|(_, entry)| {
            Some(Kept {
                known: entry.known(),
                row: entry.row.clone()?,
            })
        });
        kept.collect()
    }

    /// Takes over flags from before the restart, to be served while the store cannot be reached; says how many.
    pub(crate) fn restore(&self, kept: Vec<Kept>) -> usize {
        let inner = &self.shared;
        let clock = SystemClock.now();
        let restored = kept.into_iter().take(inner.settings.entries);
        let restored = restored.filter_map(|Kept { known, row }| {
            let plan = Plan::compile(decode_revision(&row, inner.store.options()).ok()?);
            let flag = plan.flag().clone();
            let ago = clock.since(known);
            let entry = Entry::from_before(plan, row, known, ago, &inner.settings)?;
            inner.served.note_known(&flag.project);
            inner.entries.insert(flag, Arc::new(entry));
            Some(())
        });
        restored.count()
    }
}
