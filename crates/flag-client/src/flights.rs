//! The requests under way, one a question, however many callers wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use tokio::sync::oneshot;

use crate::detail::Known;
use crate::failure::Failure;
use crate::question::Key;

/// What a request came to.
pub(crate) type Outcome = Result<Arc<Known>, Failure>;

/// A request under way, for anybody to wait for; fails if the client closes.
pub(crate) type Landing = Shared<oneshot::Receiver<Outcome>>;

/// The requests under way.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    by_key: Mutex<HashMap<Key, Flight>>,
}

#[derive(Debug)]
struct Flight {
    number: u64,
    landing: Landing,
}

/// The requests under way, while nobody else changes them.
pub(crate) struct Board<'a> {
    flights: MutexGuard<'a, HashMap<Key, Flight>>,
}

impl Flights {
    pub(crate) fn board(&self) -> Board<'_> {
        Board {
            flights: self.by_key.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl Board<'_> {
    /// The request for this and its number, if there is one.
    pub(crate) fn find(&self, key: &Key) -> Option<(u64, Landing)> {
        let flight = self.flights.get(key)?;
        Some((flight.number, flight.landing.clone()))
    }

    /// Adds a request, which lands when its outcome is sent. The outcome of one before it no longer counts.
    pub(crate) fn add(&mut self, key: Key, number: u64) -> (oneshot::Sender<Outcome>, Landing) {
        let (sender, receiver) = oneshot::channel();
        let landing = receiver.shared();
        let flight = Flight {
            number,
            landing: landing.clone(),
        };
        self.flights.insert(key, flight);
        (sender, landing)
    }

    /// Takes off a request; tells whether it was still on the board, so that its outcome counts.
    pub(crate) fn remove(&mut self, key: &Key, number: u64) -> bool {
        let is_on = self
            .flights
            .get(key)
            .is_some_and(|flight| flight.number == number);
        is_on && self.flights.remove(key).is_some()
    }

    /// Takes off all requests about these flags: whoever waits still gets the outcome, which counts for nobody else.
    pub(crate) fn forget(&mut self, is_meant: impl Fn(&Key) -> bool) {
        self.flights.retain(|key, _| !is_meant(key));
    }
}
