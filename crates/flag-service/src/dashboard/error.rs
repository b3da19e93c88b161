//! Why there is no page.

use flag_api::Code;
use flag_store::StoreError;

use crate::access::{AccessError, Forbidden};

/// Why there is no page.
#[derive(Debug)]
pub(super) enum PageError {
    /// The caller has not signed in.
    NotSignedIn,
    /// The key of the caller lacks the scope `read`.
    NoScope,
    /// What was asked for does not exist, or is not shown to this caller: what it is.
    NotFound(String),
    /// The address of the page is wrong: what is wrong with it.
    Invalid(String),
    /// The page takes no form.
    NoForm,
    /// The request was refused before a page was asked for: why.
    Refused(Code, String),
    /// The request came from a page of another site.
    OtherSite,
    /// Too many pages are being made.
    Busy,
    /// The page took too long.
    Late,
    /// The store failed.
    Store(StoreError),
    /// A bug of the service.
    Internal,
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AccessError> for PageError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Forbidden(Forbidden::Scope(_)) => Self::NoScope,
            _ => Self::NotSignedIn,
        }
    }
}

impl PageError {
    /// Its code, which decides the status.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::NotSignedIn => Code::Unauthorized,
            Self::NoScope | Self::OtherSite => Code::Forbidden,
            Self::NotFound(_) => Code::NotFound,
            Self::Invalid(_) => Code::InvalidRequest,
            Self::NoForm => Code::MethodNotAllowed,
            Self::Refused(code, _) => *code,
            Self::Busy => Code::Overloaded,
            Self::Late | Self::Store(StoreError::TimedOut { .. }) => Code::Timeout,
            Self::Store(_) => Code::StoreUnavailable,
            Self::Internal => Code::Internal,
        }
    }

    /// What happened, and what to do.
    pub(super) fn message(&self) -> String {
        match self {
            Self::NotSignedIn => "Sign in first.".to_owned(),
            Self::NoScope => {
                "This API key lacks the scope read. Sign in with another key.".to_owned()
            }
            Self::NotFound(what) => format!("There is no {what}, or this key may not see it."),
            Self::Invalid(problem) => problem.clone(),
            Self::NoForm => "This page takes no form.".to_owned(),
            Self::Refused(_, why) => format!("The request was refused: {why}."),
            Self::OtherSite => {
                "The request came from another site, and was not carried out.".to_owned()
            }
            Self::Busy => "Too many pages are being made. Try again in a second.".to_owned(),
            Self::Late => "The page took too long. Try again.".to_owned(),
            Self::Store(_) => {
                "The store does not answer. Flags that are in memory are still served; \
                see Health."
                    .to_owned()
            }
            Self::Internal => "The service made a mistake. Its log says more.".to_owned(),
        }
    }
}
