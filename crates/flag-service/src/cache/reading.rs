//! One read of a flag, and what comes of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use flag_model::FlagKey;
use flag_rollout::Plan;
use flag_store::{Clock as _, StoreError, SystemClock, decode_revision};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::entry::Entry;
use super::flags::{Inner, Loaded};
use super::metrics::Refresh;
use super::unknown::Reason;
use crate::causes::causes;
/// A read that is begun; however it ends, even before it has run, the next one can begin.
pub(super) struct Reading {
    shared: Arc<Inner>,
    flag: FlagKey,
}

impl Reading {
    /// Prepares to read.
    pub(super) fn new(shared: Arc<Inner>, flag: FlagKey) -> Self {
        Self { shared, flag }
    }

    /// Reads the flag and remembers what that gave. The store's own deadline bounds it.
    pub(super) async fn run(self) -> Loaded {
        let (known, began) = (SystemClock.now(), Instant::now());
        let store = &self.shared.store;
        let newest = store.latest_revision_row(&self.flag).await;
        let row = newest.map(|newest| {
            self.passed_over(newest.passed_over);
            newest.row
        });
        let loaded = match row {
            Ok(None) => Loaded::Not(Reason::NoRevision),
            Err(error) => Loaded::failed(error),
            Ok(Some(row)) => match decode_revision(&row, store.options()) {
                Err(row) => Loaded::Not(Reason::Unreadable(Arc::new(row))),
                Ok(revision) => {
                    let row = self.shared.settings.keeps_rows.then_some(row);
                    let plan = Plan::compile(revision);
                    let entry = Entry::new(plan, row, known, began, &self.shared.settings);
                    Loaded::Plan(Arc::new(entry))
                }
            },
        };
        self.remember(&loaded);
        loaded
    }

    fn remember(&self, loaded: &Loaded) {
        let Self { shared, flag } = self;
        match loaded {
            Loaded::Plan(entry) => {
                shared.metrics.refreshed(Refresh::Read);
                self.found(entry);
            }
            Loaded::Not(Reason::Failed(error)) => {
                shared.metrics.refreshed(Refresh::Failed);
                complain(flag, error);
                self.failed(loaded);
            }
            Loaded::Not(reason) => {
                if let Reason::Unreadable(row) = reason {
                    shared.metrics.refreshed(Refresh::Unreadable);
                    self.unreadable(row);
                } else {
                    shared.metrics.refreshed(Refresh::Unknown);
                    self.readable();
                }
                let counts = shared.unknown_counts(&flag.project);
                let counts = counts.min(shared.settings.lifetime);
                shared.unknown.remember(flag, reason.clone(), counts);
                if shared.entries.remove(flag).is_some() {
                    shared.changes.fetch_add(1, Ordering::Relaxed);
                }
            }
            Loaded::Panicked => {}
        }
    }

    /// A read that began earlier may end later: what is newer stays.
    fn found(&self, entry: &Arc<Entry>) {
        let Self { shared, flag } = self;
        self.readable();
        shared.served.note_known(&flag.project);
        let before = shared.entries.peek(flag);
        let created = entry.plan().created();
        if let Some(before) = &before
            && before.plan().created() < created
        {
            shared.metrics.propagated(SystemClock.now().since(created));
        }
        if before.is_none_or(|before| before.plan().created() != created) {
            shared.changes.fetch_add(1, Ordering::Relaxed);
        }
        shared.entries.insert(flag.clone(), Arc::clone(entry));
        shared.unknown.forget(flag);
    }

    /// What is known of the flag stays; that nothing is known counts for a moment.
    fn failed(&self, loaded: &Loaded) {
        let Self { shared, flag } = self;
        match (shared.entries.peek(flag), loaded) {
            (Some(entry), _) => entry.note_failure(Instant::now()),
            (None, Loaded::Not(reason)) => {
                let counts = shared.settings.lifetime;
                shared.unknown.remember(flag, reason.clone(), counts);
            }
            (None, _) => {}
        }
    }

    fn unreadable(&self, row: &Arc<flag_store::UnreadableRow>) {
        let flag = &self.flag;
        let before = self
            .shared
            .unreadable()
            .insert(flag.clone(), Arc::clone(row));
        if before.as_ref() != Some(row) {
            warn!(%flag, problem = row.for_log(), "flag cannot be read");
        }
    }

    /// Notes the row, if there is one, that stands above the newest one and doesn't count.
    fn passed_over(&self, row: Option<String>) {
        let flag = &self.flag;
        let mut passed_over = self.shared.passed_over();
        match row {
            None => drop(passed_over.remove(flag)),
            Some(row) => {
                let before = passed_over.insert(flag.clone(), row.clone());
                if before.as_ref() != Some(&row) {
                    warn!(%flag, row, "row passed over, as its time is none or too far ahead");
                }
            }
        }
    }

    fn readable(&self) {
        let flag = &self.flag;
        if self.shared.unreadable().remove(flag).is_some() {
            info!(%flag, "flag can be read again");
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.shared.end(&self.flag);
    }
}

/// Says nothing aloud of a store that cannot be reached, for its circuit does, once.
fn complain(flag: &FlagKey, error: &StoreError) {
    let cause = causes(error);
    if error.is_transient() {
        debug!(%flag, problem = %error, cause, "store failed");
    } else {
        warn!(%flag, problem = %error, cause, "store failed");
    }
}
