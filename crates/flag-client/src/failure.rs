//! Why the service gave no value.

use std::sync::Arc;
use std::time::Duration;

/// Why the service gave no value. The texts have details, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The service did not answer in time.
    #[error("no answer within the timeout")]
    TimedOut,
    /// No connection: refused, unknown host, untrusted certificate.
    #[error("cannot reach the service: {0}")]
    Unreachable(Arc<str>),
    /// The service answered 401 or 403: the API key is missing, wrong, or not for this project.
    #[error("the service refuses the API key: {0}")]
    Unauthorized(Arc<str>),
    /// The service answered with an error status.
    #[error("the service failed: {0}")]
    ServiceFailed(Arc<str>),
    /// The answer cannot be used: cut off, not JSON, the wrong kind of value, too long, a redirect.
    #[error("not an answer: {0}")]
    BadAnswer(Arc<str>),
    /// No request was sent, as the service failed before or said when to come back.
    #[error("not asked, after: {0}")]
    CoolingDown(Arc<str>),
    /// The project has no such flag. Other flags are not affected.
    #[error("no such flag: {0}")]
    FlagNotFound(Arc<str>),
    /// The service cannot read this flag. Its owner must repair it; other flags are not affected.
    #[error("unreadable flag: {0}")]
    FlagUnreadable(Arc<str>),
    /// The name of the flag, the instance id or the project is invalid.
    #[error("invalid question: {0}")]
    InvalidRequest(Arc<str>),
    /// A blocking call was made on the thread of a client, for instance by a log subscriber; it would wait for itself.
    #[error("asked on the thread of a client, which cannot wait")]
    OwnThread,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The configuration of the client is invalid.
    #[error("misconfigured: {0}")]
    Misconfigured(Arc<str>),
}

/// What a failure says about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureClass {
    /// It answered: the failure is about the question.
    Answered,
    /// It failed; the next request may succeed.
    Failed,
    /// It failed, and will fail until something is changed.
    Unauthorized,
    /// Nothing: no request was sent.
    NotAsked,
}

impl Failure {
    /// What this says about the service as a whole.
    pub(crate) fn class(&self) -> FailureClass {
        match self {
            Self::FlagNotFound(_) | Self::FlagUnreadable(_) | Self::InvalidRequest(_) => {
                FailureClass::Answered
            }
            Self::TimedOut | Self::Unreachable(_) | Self::ServiceFailed(_) | Self::BadAnswer(_) => {
                FailureClass::Failed
            }
            Self::Unauthorized(_) => FailureClass::Unauthorized,
            Self::CoolingDown(_) | Self::OwnThread | Self::Closed | Self::Misconfigured(_) => {
                FailureClass::NotAsked
            }
        }
    }

    /// The same, with the name of the proxy if it may be the cause.
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

    /// Whether it says that there is no value, rather than that the value is not available.
    pub(crate) fn says_no_value_exists(&self) -> bool {
        matches!(self, Self::FlagNotFound(_) | Self::InvalidRequest(_))
    }
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct RequestFailure {
    pub(crate) failure: Failure,
    /// How long the service wants no requests.
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
