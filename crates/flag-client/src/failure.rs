//! Why there is no answer of the service.

use std::sync::Arc;
use std::time::Duration;

/// Why the service gave no value. The texts say more, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The service did not answer in time.
    #[error("no answer within the timeout")]
    TimedOut,
    /// No connection: refused, no such host, no trust in its certificate.
    #[error("cannot reach the service: {0}")]
    Unreachable(Arc<str>),
    /// The service answered 401 or 403: the API key is missing, wrong, or not for this project.
    #[error("the service refuses the API key: {0}")]
    Unauthorized(Arc<str>),
    /// The service answered with a status that is no answer.
    #[error("the service failed: {0}")]
    ServiceFailed(Arc<str>),
    /// What came back is no answer: cut off, no JSON, the wrong kind of value, too long, a redirect.
    #[error("not an answer: {0}")]
    BadAnswer(Arc<str>),
    /// The service was not asked, as it failed before or said when to come back.
    #[error("not asked, after: {0}")]
    LeftAlone(Arc<str>),
    /// The project has no such flag. Others can be asked for.
    #[error("no such flag: {0}")]
    FlagNotFound(Arc<str>),
    /// The service cannot read this flag. Its owner must mend it; others can be asked for.
    #[error("unreadable flag: {0}")]
    FlagUnreadable(Arc<str>),
    /// The flag's name, the instance id or the project cannot be.
    #[error("invalid question: {0}")]
    InvalidRequest(Arc<str>),
    /// A blocking call came from the thread that asks, say from a subscriber of its log, and cannot wait for itself.
    #[error("asked on the thread of a client, which cannot wait")]
    OwnThread,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The client could not be built as it was told.
    #[error("misconfigured: {0}")]
    Misconfigured(Arc<str>),
}

/// What a failure says of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered: this is a fact.
    Answered,
    /// It failed, and may not do so the next time.
    Failed,
    /// It failed, and will until somebody changes something.
    Refused,
    /// Nothing: it was not asked.
    NotAsked,
}

impl Failure {
    /// What this says of the service as a whole.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::FlagNotFound(_) | Self::FlagUnreadable(_) | Self::InvalidRequest(_) => {
                Verdict::Answered
            }
            Self::TimedOut | Self::Unreachable(_) | Self::ServiceFailed(_) | Self::BadAnswer(_) => {
                Verdict::Failed
            }
            Self::Unauthorized(_) => Verdict::Refused,
            Self::LeftAlone(_) | Self::OwnThread | Self::Closed | Self::Misconfigured(_) => {
                Verdict::NotAsked
            }
        }
    }

    /// The same, if it may have happened at this proxy, with its name.
    pub(crate) fn through(self, proxy: &str) -> Self {
        let named = |text: &str| format!("{text} (through the proxy {proxy})").into();
        match self {
            Self::Unreachable(text) => Self::Unreachable(named(&text)),
            Self::Unauthorized(text) => Self::Unauthorized(named(&text)),
            Self::ServiceFailed(text) => Self::ServiceFailed(named(&text)),
            Self::BadAnswer(text) => Self::BadAnswer(named(&text)),
            other => other,
        }
    }

    /// Whether this says that there is no value, rather than that it could not be had.
    pub(crate) fn is_denial(&self) -> bool {
        matches!(self, Self::FlagNotFound(_) | Self::InvalidRequest(_))
    }
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct RequestFailure {
    pub(crate) failure: Failure,
    /// How long the service wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

impl RequestFailure {
    /// See [`Failure::through`].
    pub(crate) fn through(self, proxy: &str) -> Self {
        Self {
            failure: self.failure.through(proxy),
            ..self
        }
    }
}

impl From<Failure> for RequestFailure {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            retry_after: None,
        }
    }
}
