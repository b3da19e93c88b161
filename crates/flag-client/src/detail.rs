//! A value and its source.

use std::sync::Arc;

use flag_model::{FlagValue, Reason};

use crate::failure::Failure;
use crate::value::ValueType;

/// A value and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detail<T> {
    /// The value.
    pub value: T,
    /// `control` or the name of the treatment; `None` if the value is the default.
    pub rollout_group: Option<Arc<str>>,
    /// Which rule decided; `None` if the value is the default, or the service does not say.
    pub reason: Option<Reason>,
    /// Where the value comes from.
    pub source: Source,
    /// What the event stream says about it.
    pub assurance: Assurance,
}

/// What the event stream says about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assurance {
    /// A stream is open, and would have announced a newer value.
    Watched,
    /// There may be a newer value that was not announced: there is no stream, or the value is a last known one, of
    /// the client or of the service, or the default.
    Unwatched,
    /// A newer value was announced, but the service could not be asked for it: this is the last known one.
    Outdated,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The service, just now.
    Service(Freshness),
    /// The cache, within the lifetime.
    Cache(Freshness),
    /// The cache, past the lifetime or after a newer value was announced, because the service gave no value, for this reason.
    LastKnown(Failure),
    /// The default of the call, for this reason.
    Default(Failure),
}

/// Whether the service could read its own store when it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It could, or had done so lately.
    Current,
    /// It could not, and gave its last known value.
    LastKnownAtService,
}

/// A value that the service has given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownValue {
    pub(crate) value: FlagValue,
    pub(crate) rollout_group: Arc<str>,
    pub(crate) reason: Option<Reason>,
    pub(crate) freshness: Freshness,
    /// Whether a newer value was announced.
    pub(crate) is_outdated: bool,
}

/// The answer to a question, without the default.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Known(Arc<KnownValue>, Source, Assurance),
    Nothing(Failure),
}

impl KnownValue {
    /// The same, when a newer value was announced.
    pub(crate) fn outdated(&self) -> Self {
        Self {
            is_outdated: true,
            ..self.clone()
        }
    }
}

impl Assurance {
    /// For a value that counts, if a stream is open or not.
    pub(crate) fn of_stream(is_trusted: bool) -> Self {
        if is_trusted {
            Self::Watched
        } else {
            Self::Unwatched
        }
    }

    /// For this value: what the service has only remembered may be older than what its stream has announced.
    fn of(self, known: &KnownValue) -> Self {
        match known.freshness {
            Freshness::Current => self,
            Freshness::LastKnownAtService => Self::Unwatched,
        }
    }
}

impl Answer {
    /// A cached value that has not expired.
    pub(crate) fn from_cache(known: Arc<KnownValue>, assurance: Assurance) -> Self {
        let (source, assurance) = (Source::Cache(known.freshness), assurance.of(&known));
        Self::Known(known, source, assurance)
    }

    /// A value that the service has just given.
    pub(crate) fn from_service(known: Arc<KnownValue>, assurance: Assurance) -> Self {
        let (source, assurance) = (Source::Service(known.freshness), assurance.of(&known));
        Self::Known(known, source, assurance)
    }

    /// The last known value, which could not be renewed.
    pub(crate) fn from_last_known(known: Arc<KnownValue>, failure: Failure) -> Self {
        let assurance = if known.is_outdated {
            Assurance::Outdated
        } else {
            Assurance::Unwatched
        };
        Self::Known(known, Source::LastKnown(failure), assurance)
    }

    /// Whether it is a value of the service.
    pub(crate) fn is_known(&self) -> bool {
        matches!(self, Self::Known(..))
    }
}

impl<T: ValueType> Detail<T> {
    pub(crate) fn new(answer: Answer, default_value: impl Into<T>) -> Self {
        let (known, source, assurance) = match answer {
            Answer::Known(known, source, assurance) => (known, source, assurance),
            Answer::Nothing(failure) => return Self::default(default_value, failure),
        };
        match T::from_value(&known.value) {
            Some(value) => Self {
                value,
                rollout_group: Some(Arc::clone(&known.rollout_group)),
                reason: known.reason,
                source,
                assurance,
            },
            None => Self::default(
                default_value,
                Failure::BadAnswer("the wrong kind of value".into()),
            ),
        }
    }

    fn default(value: impl Into<T>, failure: Failure) -> Self {
        Self {
            value: value.into(),
            rollout_group: None,
            reason: None,
            source: Source::Default(failure),
            assurance: Assurance::Unwatched,
        }
    }
}
