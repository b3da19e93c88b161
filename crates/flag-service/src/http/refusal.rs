//! Requests that are refused for their size, key or rate, or for lack of capacity.

use std::time::Duration;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use flag_api::{BEARER, Code};
use flag_keys::Scope;
use flag_model::ProjectName;

/// Seconds after which a caller may retry when the store failed or too many requests wait.
pub(super) const RETRY_AFTER_SECONDS: &str = "1";

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has no valid API key.
    Unauthorized(Unauthorized),
    /// Its key does not allow this.
    Forbidden(Forbidden),
    /// Its body is too large.
    PayloadTooLarge(Size),
    /// Its path and query are too long.
    UriTooLong(Size),
    /// Its headers are too large.
    HeadersTooLarge(Size),
    /// Its caller exceeds the rate limit.
    TooManyRequests {
        /// When the caller may retry.
        after: Duration,
    },
    /// Too many requests wait already.
    Overloaded,
}

/// What is wrong with the key of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unauthorized {
    /// There is no key.
    Missing,
    /// The header has another form.
    Malformed,
    /// There are two different keys.
    Contradicting,
    /// The key is not in the file.
    Unknown,
    /// The key has expired.
    Expired,
}

/// What a key does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// This scope.
    Scope(Scope),
    /// This project.
    Project(ProjectName),
}

/// The size of a part of a request and its limit, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// The size.
    pub(crate) found: u64,
    /// The limit.
    pub(crate) most: u64,
}

impl Refusal {
    /// Returns its code.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Unauthorized(_) => Code::Unauthorized,
            Self::Forbidden(_) => Code::Forbidden,
            Self::PayloadTooLarge(_) => Code::PayloadTooLarge,
            Self::UriTooLong(_) => Code::UriTooLong,
            Self::HeadersTooLarge(_) => Code::HeadersTooLarge,
            Self::TooManyRequests { .. } => Code::TooManyRequests,
            Self::Overloaded => Code::Overloaded,
        }
    }

    /// The codes of all refusals.
    pub(crate) const CODES: [Code; 7] = [
        Code::Unauthorized,
        Code::Forbidden,
        Code::PayloadTooLarge,
        Code::UriTooLong,
        Code::HeadersTooLarge,
        Code::TooManyRequests,
        Code::Overloaded,
    ];

    /// The rows of the table of errors. No part of a key is repeated.
    pub(super) fn describe(&self) -> (Code, String) {
        let detail = match self {
            Self::Unauthorized(problem) => problem.describe().to_owned(),
            Self::Forbidden(Forbidden::Scope(scope)) => {
                format!("the API key lacks the scope {scope}")
            }
            Self::Forbidden(Forbidden::Project(project)) => {
                format!("the API key is not for project {project}")
            }
            Self::PayloadTooLarge(size) => size.describe("body"),
            Self::UriTooLong(size) => size.describe("path and query"),
            Self::HeadersTooLarge(size) => size.describe("headers"),
            Self::TooManyRequests { after } => {
                format!("too many requests: ask again in {} ms", after.as_millis())
            }
            Self::Overloaded => "too many requests wait already: ask again later".to_owned(),
        };
        (self.code(), detail)
    }

    /// Adds headers that tell a client what to do.
    pub(super) fn add_headers(&self, response: &mut HttpResponseBuilder) {
        match self {
            Self::Unauthorized(_) => {
                response.insert_header((WWW_AUTHENTICATE, BEARER));
            }
            Self::TooManyRequests { after } => {
                let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
                response.insert_header((RETRY_AFTER, seconds.max(1).to_string()));
            }
            Self::Overloaded => {
                response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
            }
            _ => {}
        }
    }
}

impl Unauthorized {
    fn describe(self) -> &'static str {
        match self {
            Self::Missing => {
                "no API key: send one as Authorization: Bearer KEY, or as X-API-Key: KEY"
            }
            Self::Malformed => {
                "found something else than Authorization: Bearer KEY, or X-API-Key: KEY"
            }
            Self::Contradicting => {
                "Authorization and X-API-Key, or two of either, hold different keys"
            }
            Self::Unknown => "this API key is not known",
            Self::Expired => "this API key has expired",
        }
    }
}

impl Size {
    fn describe(self, what: &str) -> String {
        let Self { found, most } = self;
        format!("{what}: found {found} bytes, expected at most {most}")
    }
}
