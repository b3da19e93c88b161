//! Errors as problem details of RFC 9457.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What went wrong, `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem<'a> {
    /// `about:blank`: status and code identify the kind of problem.
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    /// The meaning of the status.
    #[serde(borrow)]
    pub title: Cow<'a, str>,
    /// The HTTP status.
    pub status: u16,
    /// What happened, for people; clients of the Python framework read this.
    #[serde(borrow)]
    pub detail: Cow<'a, str>,
    /// What happened, for programs: a [`Code`], of this version or a later one.
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    /// The request that failed.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
}

macro_rules! codes {
    ($($(#[doc = $about:literal])+ $code:ident = $text:literal,)+) => {
        /// What happened, for programs. A code never changes its meaning; new ones may be added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $about])+ $code,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// Returns the code as it is sent.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $text,)+
                }
            }

            /// Returns its meaning, the same as its documentation.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$code => concat!($($about),+).trim_ascii(),)+
                }
            }
        }
    };
}

codes! {
    /// The flag type is neither `feature` nor `data`.
    InvalidFlagType = "invalid_flag_type",
    /// The stored revision holds an invalid percentage.
    InvalidRolloutPercentage = "invalid_rollout_percentage",
    /// A parameter is missing, repeated, or invalid.
    InvalidRequest = "invalid_request",
    /// The flag has no revision.
    FlagNotFound = "flag_not_found",
    /// The stored revision cannot be read.
    InvalidFlagData = "invalid_flag_data",
    /// The store did not answer in time.
    Timeout = "timeout",
    /// The store refused, or cannot be reached.
    StoreUnavailable = "store_unavailable",
    /// There is nothing at this path.
    NotFound = "not_found",
    /// The path does not support this method.
    MethodNotAllowed = "method_not_allowed",
    /// The body is too large.
    PayloadTooLarge = "payload_too_large",
    /// The body took too long to arrive.
    RequestTimeout = "request_timeout",
    /// The media type of the body is not supported.
    UnsupportedMediaType = "unsupported_media_type",
    /// There is no valid API key.
    Unauthorized = "unauthorized",
    /// The API key does not permit this.
    Forbidden = "forbidden",
    /// The path and the query are too long.
    UriTooLong = "uri_too_long",
    /// The headers are too large.
    HeadersTooLarge = "headers_too_large",
    /// The caller sends too many requests.
    TooManyRequests = "too_many_requests",
    /// The service has too much to do now: too many requests, connections or streams, or no room for exposures; or it stops.
    Overloaded = "overloaded",
    /// A fault of the service.
    Internal = "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
