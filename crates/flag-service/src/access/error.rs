//! Why a caller has no access.

use std::time::Duration;

use flag_keys::Scope;
use flag_model::ProjectName;

/// Why a caller has no access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AccessError {
    /// It has no valid API key.
    Unauthorized(Unauthorized),
    /// Its key does not allow this.
    Forbidden(Forbidden),
    /// It exceeds the rate limit.
    TooManyRequests {
        /// When it may retry.
        after: Duration,
    },
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
