//! The state of a client, which its callers and its thread share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bounded_map::BoundedMap;
use crate::cache::{Cache, CacheLookup};
use crate::circuit::Circuit;
use crate::detail::{Answer, Assurance, KnownValue};
use crate::failure::Failure;
use crate::in_flight::InFlight;
use crate::listeners::Listeners;
use crate::push::Push;
use crate::question::{Question, QuestionKey};
use crate::transport::Transport;

/// What a call returns when the service cannot be asked and the value in the cache has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastKnownValues {
    /// The value.
    Served,
    /// The default.
    Withheld,
}

/// Cache, circuit, requests in flight and connections.
#[derive(Debug)]
pub(crate) struct ClientState {
    pub(crate) cache: Cache,
    /// The questions of `prefetch`.
    pub(crate) prefetched: BoundedMap<()>,
    pub(crate) push: Push,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) circuit: Circuit,
    pub(crate) in_flight: InFlight,
    pub(crate) transport: Transport,
    pub(crate) timeout: Duration,
    pub(crate) last_known_values: LastKnownValues,
}

/// Whether the cache answers a question.
pub(crate) enum Recall {
    /// It does: the answer to return.
    Hit(Answer),
    /// It does not: the service has to be asked.
    Miss {
        /// The value that has expired, if there is one.
        last_known: Option<Arc<KnownValue>>,
    },
}

impl ClientState {
    /// The same for a forked process, with the cached values.
    pub(crate) fn after_fork(&self) -> Self {
        Self {
            cache: self.cache.after_fork(),
            prefetched: self.prefetched.after_fork(),
            push: self.push.after_fork(),
            listeners: Arc::new(self.listeners.after_fork()),
            circuit: self.circuit.after_fork(),
            in_flight: InFlight::default(),
            transport: self.transport.after_fork(),
            timeout: self.timeout,
            last_known_values: self.last_known_values,
        }
    }

    /// Answers from the cache, if it can. May wait for a lock.
    pub(crate) fn recall(&self, question: Question<'_>, now: Instant) -> Recall {
        match self.cache.look_up(question, now) {
            CacheLookup::Unexpired(known) => {
                Recall::Hit(Answer::from_cache(known, self.assurance(now)))
            }
            CacheLookup::Negative(failure, last_known) => {
                Recall::Hit(self.fall_back(failure, last_known))
            }
            CacheLookup::Miss(last_known) => Recall::Miss { last_known },
        }
    }

    /// What the event stream says about values that have not expired.
    pub(crate) fn assurance(&self, now: Instant) -> Assurance {
        Assurance::of_stream(self.push.is_trusted(now))
    }

    /// These flags have changed: their values expire, and the outcomes of requests in flight are not stored.
    pub(crate) fn expire(&self, is_meant: impl Fn(&QuestionKey) -> bool, now: Instant) {
        let mut in_flight = self.in_flight.lock();
        in_flight.forget(&is_meant);
        self.cache.expire(is_meant, now);
    }

    /// Removes these flags from the cache; the outcomes of requests in flight are not stored.
    pub(crate) fn forget(&self, is_meant: impl Fn(&QuestionKey) -> bool) {
        let mut in_flight = self.in_flight.lock();
        in_flight.forget(&is_meant);
        self.cache.forget(&is_meant);
        self.prefetched.retain(|key| !is_meant(key));
    }

    /// The value that was known last, if there is one and it may be given after this failure.
    pub(crate) fn fall_back(
        &self,
        failure: Failure,
        last_known: Option<Arc<KnownValue>>,
    ) -> Answer {
        match last_known {
            Some(known)
                if self.last_known_values == LastKnownValues::Served
                    && !failure.says_no_value_exists() =>
            {
                Answer::from_last_known(known, failure)
            }
            _ => Answer::Nothing(failure),
        }
    }
}
