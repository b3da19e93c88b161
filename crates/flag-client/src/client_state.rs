//! What the callers of a client and its thread share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::{Cache, Found};
use crate::circuit::Circuit;
use crate::detail::{Answer, KnownValue, Source};
use crate::failure::Failure;
use crate::in_flight::InFlight;
use crate::question::Question;
use crate::transport::Transport;

/// What a call returns when the service cannot be asked and the value in the cache has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StaleValues {
    /// The value.
    Served,
    /// The default.
    Withheld,
}

/// Cache, circuit, requests in flight and connections.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cache: Cache,
    pub(crate) circuit: Circuit,
    pub(crate) in_flight: InFlight,
    pub(crate) transport: Transport,
    pub(crate) timeout: Duration,
    pub(crate) stale_values: StaleValues,
}

/// What the cache has for a question.
pub(crate) enum CacheAnswer {
    /// An answer that can be returned.
    Answer(Answer),
    /// No valid answer; the last known value, if there is one.
    LastKnown(Option<Arc<KnownValue>>),
}

impl Shared {
    /// The same for a forked process, with the cached values.
    pub(crate) fn of_child(&self) -> Self {
        Self {
            cache: self.cache.of_child(),
            circuit: self.circuit.of_child(),
            in_flight: InFlight::default(),
            transport: self.transport.of_child(),
            timeout: self.timeout,
            stale_values: self.stale_values,
        }
    }

    /// Answers from the cache, if it can. May wait for a lock.
    pub(crate) fn recall(&self, question: Question<'_>, now: Instant) -> CacheAnswer {
        match self.cache.look_up(question, now) {
            Found::Fresh(known) => CacheAnswer::Answer(Answer::from_cache(known)),
            Found::Refused(failure, last_known) => {
                CacheAnswer::Answer(self.fall_back(failure, last_known))
            }
            Found::Expired(last_known) => CacheAnswer::LastKnown(last_known),
        }
    }

    /// The value that was known last, if there is one and it may be given after this failure.
    pub(crate) fn fall_back(
        &self,
        failure: Failure,
        last_known: Option<Arc<KnownValue>>,
    ) -> Answer {
        match last_known {
            Some(known) if self.stale_values == StaleValues::Served && !failure.is_denial() => {
                Answer::Known(known, Source::Stale(failure))
            }
            _ => Answer::Nothing(failure),
        }
    }
}
