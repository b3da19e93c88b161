//! The requests in flight: one for each question, however many callers wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use tokio::sync::oneshot;

use crate::detail::KnownValue;
use crate::failure::Failure;
use crate::question::QuestionKey;

/// How a request ended.
pub(crate) type RequestResult = Result<Arc<KnownValue>, Failure>;

/// The outcome of a request in flight, for any number of callers; fails if the client is closed.
pub(crate) type SharedOutcome = Shared<oneshot::Receiver<RequestResult>>;

/// The requests in flight.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    requests: Mutex<HashMap<QuestionKey, Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// Of the permit.
    number: u64,
    outcome: SharedOutcome,
}

/// The requests in flight, locked.
pub(crate) struct InFlightGuard<'a> {
    requests: MutexGuard<'a, HashMap<QuestionKey, Entry>>,
}

impl InFlight {
    /// Locks them. The lock is never held while anything is awaited.
    pub(crate) fn lock(&self) -> InFlightGuard<'_> {
        InFlightGuard {
            requests: self.requests.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl InFlightGuard<'_> {
    /// The request for this question, by its number, if there is one.
    pub(crate) fn find(&self, key: &QuestionKey) -> Option<(u64, SharedOutcome)> {
        let entry = self.requests.get(key)?;
        Some((entry.number, entry.outcome.clone()))
    }

    /// Adds a request, which ends when its outcome is sent. The outcome of an earlier one is no longer cached.
    pub(crate) fn add(
        &mut self,
        key: QuestionKey,
        number: u64,
    ) -> (oneshot::Sender<RequestResult>, SharedOutcome) {
        let (sender, receiver) = oneshot::channel();
        let outcome = receiver.shared();
        let entry = Entry {
            number,
            outcome: outcome.clone(),
        };
        self.requests.insert(key, entry);
        (sender, outcome)
    }

    /// Removes a request; false if it was removed or replaced before, so that its outcome must not be cached.
    pub(crate) fn remove(&mut self, key: &QuestionKey, number: u64) -> bool {
        let entry = self.requests.get(key);
        let is_there = entry.is_some_and(|entry| entry.number == number);
        is_there && self.requests.remove(key).is_some()
    }

    /// Removes all requests about these flags: calls that wait still get the outcome, later calls do not.
    pub(crate) fn forget(&mut self, is_meant: impl Fn(&QuestionKey) -> bool) {
        self.requests.retain(|key, _| !is_meant(key));
    }
}
