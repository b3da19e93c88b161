//! Requests that are refused before anybody looks at what they ask.

use std::time::Duration;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use flag_api::{BEARER, Code};
use flag_keys::Scope;
use flag_model::ProjectName;

use super::RETRY_AFTER_SECONDS;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It brings no key that counts.
    Unauthorized(Unauthorized),
    /// Its key is not for this.
    Forbidden(Forbidden),
    /// Its body is too large.
    PayloadTooLarge(Size),
    /// Its path and query are too long.
    UriTooLong(Size),
    /// Its headers are too large.
    HeadersTooLarge(Size),
    /// Its caller asks too often.
    TooManyRequests {
        /// When its caller may ask again.
        after: Duration,
    },
    /// Too many requests wait already.
    Overloaded,
}

/// What is wrong with the key of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unauthorized {
    /// There is none.
    Missing,
    /// There is something else instead.
    Malformed,
    /// There are two.
    Contradicting,
    /// It is not known, or no more.
    Unknown,
    /// Its last day is over.
    Expired,
}

/// What a key is not for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// This scope.
    Scope(Scope),
    /// This project.
    Project(ProjectName),
}

/// What a part of a request takes, and what it may take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// What it takes.
    pub(crate) found: u64,
    /// What it may take.
    pub(crate) most: u64,
}

impl Refusal {
    /// Which kind of refusal this is, for programs and metrics.
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

    /// Every kind of refusal.
    pub(crate) const CODES: [Code; 7] = [
        Code::Unauthorized,
        Code::Forbidden,
        Code::PayloadTooLarge,
        Code::UriTooLong,
        Code::HeadersTooLarge,
        Code::TooManyRequests,
        Code::Overloaded,
    ];

    /// The rows of the table of errors. Nothing of a key is repeated.
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

    /// Adds what a client needs to know to do better.
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
