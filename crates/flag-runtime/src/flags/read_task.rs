//! Reads a flag from the store into the cache.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use flag_model::FlagKey;
use flag_rollout::Plan;
use flag_store::{Clock as _, StoreError, SystemClock, decode_revision};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::cache::{Inner, ReadOutcome};
use super::entry::CacheEntry;
use super::metrics::ReadResult;
use super::negative_cache::NoPlanReason;
use crate::causes::causes;

/// A read in flight. When it is dropped, even before it ran, the next one may begin.
pub(super) struct ReadTask {
    shared: Arc<Inner>,
    flag: FlagKey,
}

impl ReadTask {
    /// Prepares a read.
    pub(super) fn new(shared: Arc<Inner>, flag: FlagKey) -> Self {
        Self { shared, flag }
    }

    /// Reads the flag and stores the result in the cache. The deadline is that of the store.
    pub(super) async fn run(self) -> ReadOutcome {
        let (last_confirmed, began) = (SystemClock.now(), Instant::now());
        let store = &self.shared.store;
        let newest = store.newest_revision_row(&self.flag).await;
        let row = newest.map(|newest| {
            self.note_passed_over(newest.passed_over);
            newest.row
        });
        let outcome = match row {
            Ok(None) => ReadOutcome::NoPlan(NoPlanReason::NotFound),
            Err(error) => ReadOutcome::failed(error),
            Ok(Some(row)) => match decode_revision(&row, store.options()) {
                Err(row) => ReadOutcome::NoPlan(NoPlanReason::Unreadable(Arc::new(row))),
                Ok(revision) => {
                    let row = self.shared.settings.keeps_rows.then_some(row);
                    let plan = Plan::compile(revision);
                    let entry =
                        CacheEntry::new(plan, row, last_confirmed, began, &self.shared.settings);
                    ReadOutcome::Found(Arc::new(entry))
                }
            },
        };
        self.remember(&outcome);
        outcome
    }

    fn remember(&self, outcome: &ReadOutcome) {
        let Self { shared, flag } = self;
        match outcome {
            ReadOutcome::Found(entry) => {
                shared.metrics.count_read(ReadResult::Read);
                self.store_entry(entry);
            }
            ReadOutcome::NoPlan(NoPlanReason::Failed(error)) => {
                shared.metrics.count_read(ReadResult::Failed);
                log_failure(flag, error);
                self.note_failure(outcome);
            }
            ReadOutcome::NoPlan(reason) => {
                if let NoPlanReason::Unreadable(row) = reason {
                    shared.metrics.count_read(ReadResult::Unreadable);
                    self.note_unreadable(row);
                } else {
                    shared.metrics.count_read(ReadResult::NotFound);
                    self.clear_unreadable();
                }
                let valid_for = shared.watch_for_negative(&flag.project);
                let valid_for = valid_for.min(shared.settings.lifetime);
                shared.negative.remember(flag, reason.clone(), valid_for);
                if shared.entries.remove(flag).is_some() {
                    shared.snapshot_generation.fetch_add(1, Ordering::Relaxed);
                }
            }
            ReadOutcome::Panicked => {}
        }
    }

    /// Stores the entry. A read that began earlier may end later: a newer entry stays.
    fn store_entry(&self, entry: &Arc<CacheEntry>) {
        let Self { shared, flag } = self;
        if self.clear_unreadable() {
            info!(%flag, "flag can be read again");
        }
        shared.projects.note_cached(&flag.project);
        let before = shared.entries.peek(flag);
        let created = entry.plan().created();
        if let Some(before) = &before
            && before.plan().created() < created
        {
            shared.metrics.propagated(SystemClock.now().since(created));
        }
        let is_other = |before: &Arc<CacheEntry>| before.plan().created() != created;
        if before.as_ref().is_some_and(is_other) {
            // Noted first: it is announced once the entry below is served.
            shared.events.note_change(flag, created);
        }
        if before.as_ref().is_none_or(is_other) {
            shared.snapshot_generation.fetch_add(1, Ordering::Relaxed);
        }
        shared.entries.insert(flag.clone(), Arc::clone(entry));
        shared.negative.forget(flag);
    }

    /// Notes a failed read: an entry stays; without one, the failure is remembered for a moment.
    fn note_failure(&self, outcome: &ReadOutcome) {
        let Self { shared, flag } = self;
        match (shared.entries.peek(flag), outcome) {
            (Some(entry), _) => entry.note_unreachable(Instant::now()),
            (None, ReadOutcome::NoPlan(reason)) => {
                let valid_for = shared.settings.lifetime;
                shared.negative.remember(flag, reason.clone(), valid_for);
            }
            (None, _) => {}
        }
    }

    /// Notes that the newest revision of the flag cannot be read, and logs it once.
    fn note_unreadable(&self, row: &Arc<flag_store::UnreadableRow>) {
        let flag = &self.flag;
        let before = self
            .shared
            .unreadable()
            .insert(flag.clone(), Arc::clone(row));
        if before.as_ref() != Some(row) {
            warn!(%flag, problem = row.for_log(), "flag cannot be read");
        }
    }

    /// Notes the ignored row above the newest valid one, if there is one.
    fn note_passed_over(&self, row: Option<String>) {
        let flag = &self.flag;
        let mut passed_over = self.shared.passed_over();
        match row {
            None => drop(passed_over.remove(flag)),
            Some(row) => {
                let before = passed_over.insert(flag.clone(), row.clone());
                if before.as_ref() != Some(&row) {
                    warn!(%flag, row, "row passed over, as its time is invalid or too far in the future");
                }
            }
        }
    }

    /// Notes that the flag is not unreadable: it was read, or is gone. Returns whether it was unreadable before.
    fn clear_unreadable(&self) -> bool {
        self.shared.unreadable().remove(&self.flag).is_some()
    }
}

impl Drop for ReadTask {
    fn drop(&mut self) {
        self.shared.end_read(&self.flag);
    }
}

/// Logs a failed read; at debug level if the store cannot be reached, as the circuit logs that once.
fn log_failure(flag: &FlagKey, error: &StoreError) {
    let cause = causes(error);
    if error.is_transient() {
        debug!(%flag, problem = %error, cause, "store failed");
    } else {
        warn!(%flag, problem = %error, cause, "store failed");
    }
}
