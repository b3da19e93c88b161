//! Exposures whose requests wait until the queue has room for them, in order of arrival.

use std::collections::VecDeque;
use std::sync::Arc;

use flag_model::Timestamp;
use tokio::sync::oneshot;

use super::chunk::{CompactDecision, ServedDecision};
use crate::flags::CacheEntry;

/// A served decision that owns what it is made of.
#[derive(Debug)]
pub(crate) struct OwnedServedDecision {
    request_id: Box<str>,
    instance: Box<str>,
    entry: Arc<CacheEntry>,
    decision: CompactDecision,
    from_cache: bool,
    served_at: Timestamp,
}

impl From<ServedDecision<'_>> for OwnedServedDecision {
    fn from(served: ServedDecision<'_>) -> Self {
        Self {
            request_id: served.request_id.into(),
            instance: served.instance.into(),
            entry: Arc::clone(served.entry),
            decision: served.decision,
            from_cache: served.from_cache,
            served_at: served.served_at,
        }
    }
}

impl OwnedServedDecision {
    /// Borrows it.
    pub(crate) fn as_served(&self) -> ServedDecision<'_> {
        ServedDecision {
            request_id: &self.request_id,
            instance: &self.instance,
            entry: &self.entry,
            decision: self.decision,
            from_cache: self.from_cache,
            served_at: self.served_at,
        }
    }
}

/// Identifies a waiting exposure; later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// The waiting exposures, the first one first.
#[derive(Debug, Default)]
pub(crate) struct WaitingQueue {
    line: VecDeque<WaitingExposure>,
    next: u64,
}

/// A waiting exposure.
#[derive(Debug)]
pub(crate) struct WaitingExposure {
    ticket: Ticket,
    /// What waits.
    pub(crate) decision: OwnedServedDecision,
    /// Notifies its request that the queue has accepted it.
    pub(crate) notifier: oneshot::Sender<()>,
}

impl WaitingQueue {
    /// Adds an exposure at the end.
    pub(crate) fn add(&mut self, decision: OwnedServedDecision) -> (Ticket, oneshot::Receiver<()>) {
        let (notifier, acceptance) = oneshot::channel();
        let ticket = Ticket(self.next);
        self.next += 1;
        self.line.push_back(WaitingExposure {
            ticket,
            decision,
            notifier,
        });
        (ticket, acceptance)
    }

    /// Takes the first exposure if it satisfies a condition.
    pub(crate) fn take_first_if(
        &mut self,
        fits: impl FnOnce(&ServedDecision<'_>) -> bool,
    ) -> Option<WaitingExposure> {
        let first = self.line.front()?.decision.as_served();
        if fits(&first) {
            self.line.pop_front()
        } else {
            None
        }
    }

    /// Removes an exposure; whether it still waited.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> bool {
        let found = self.line.binary_search_by_key(&ticket, |one| one.ticket);
        found.is_ok_and(|index| self.line.remove(index).is_some())
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.line.len()
    }
}
