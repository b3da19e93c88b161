//! Describes to a caller why it has no access. No part of a key is repeated.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use flag_api::{BEARER, Code};

use crate::access::{AccessError, Forbidden, Unauthorized};

/// Returns the code of the error.
pub(super) fn code(error: &AccessError) -> Code {
    match error {
        AccessError::Unauthorized(_) => Code::Unauthorized,
        AccessError::Forbidden(_) => Code::Forbidden,
        AccessError::TooManyRequests { .. } => Code::TooManyRequests,
    }
}

/// Describes the error to the caller.
pub(super) fn detail(error: &AccessError) -> String {
    match error {
        AccessError::Unauthorized(problem) => unauthorized(*problem).to_owned(),
        AccessError::Forbidden(Forbidden::Scope(scope)) => {
            format!("the API key lacks the scope {scope}")
        }
        AccessError::Forbidden(Forbidden::Project(project)) => {
            format!("the API key is not for project {project}")
        }
        AccessError::TooManyRequests { after } => {
            format!("too many requests: ask again in {} ms", after.as_millis())
        }
    }
}

fn unauthorized(problem: Unauthorized) -> &'static str {
    match problem {
        Unauthorized::Missing => {
            "no API key: send one as Authorization: Bearer KEY, or as X-API-Key: KEY"
        }
        Unauthorized::Malformed => {
            "found something else than Authorization: Bearer KEY, or X-API-Key: KEY"
        }
        Unauthorized::Contradicting => {
            "Authorization and X-API-Key, or two of either, hold different keys"
        }
        Unauthorized::Unknown => "this API key is not known",
        Unauthorized::Expired => "this API key has expired",
    }
}

/// Adds the headers of the error.
pub(super) fn add_headers(error: &AccessError, response: &mut HttpResponseBuilder) {
    match error {
        AccessError::Unauthorized(_) => {
            response.insert_header((WWW_AUTHENTICATE, BEARER));
        }
        AccessError::TooManyRequests { after } => {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.insert_header((RETRY_AFTER, seconds.max(1).to_string()));
        }
        AccessError::Forbidden(_) => {}
    }
}
