//! The state of a client, which its callers and its thread share.

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
    pub(crate) circuit: Circuit,
    pub(crate) in_flight: InFlight,
    pub(crate) transport: Transport,
    pub(crate) timeout: Duration,
    pub(crate) last_known_values: LastKnownValues,
}

/// What the cache has for a question.
pub(crate) enum CacheAnswer {
    /// An answer that can be returned.
    Answer(Answer),
    /// No valid answer; the last known value, if there is one.
    LastKnown(Option<Arc<KnownValue>>),
}

impl ClientState {
    /// The same for a forked process, with the cached values.
    pub(crate) fn of_child(&self) -> Self {
        Self {
            cache: self.cache.of_child(),
            circuit: self.circuit.of_child(),
            in_flight: InFlight::default(),
            transport: self.transport.of_child(),
            timeout: self.timeout,
            last_known_values: self.last_known_values,
        }
    }

    /// Answers from the cache, if it can. May wait for a lock.
    pub(crate) fn recall(&self, question: Question<'_>, now: Instant) -> CacheAnswer {
        match self.cache.look_up(question, now) {
            Found::Unexpired(known) => CacheAnswer::Answer(Answer::from_cache(known)),
            Found::Negative(failure, last_known) => {
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
            Some(known)
                if self.last_known_values == LastKnownValues::Served && !failure.is_denial() =>
            {
                Answer::Known(known, Source::Stale(failure))
            }
            _ => Answer::Nothing(failure),
        }
    }
}
