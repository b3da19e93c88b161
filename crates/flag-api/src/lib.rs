//! What travels over HTTP between the service and its clients: paths, headers, queries, replies, problems.
//!
//! Knows no server, no client and no flag: others check the values of parameters.
mod events;
mod explain;
mod exposure;
mod ofrep;
mod problem;
mod query;
mod reply;

pub use crate::events::{
    ChangedFlag, EVENT_STREAM, EVENTS, EventData, EventsQuery, LAST_EVENT_ID, PROJECT, SINCE,
    project_of_path,
};
pub use crate::explain::{
    AT, EXPLAIN, EXPLAIN_PARTS, ExplainQuery, ExplainedTreatment, Explanation, ServedAnswer,
};
pub use crate::exposure::{EntryResult, ExposureEntry, LogReply, MAX_ENTRIES_PER_REQUEST};
pub use crate::ofrep::{
    EVALUATE_FLAGS, OfrepContext, OfrepEndpoint, OfrepErrorCode, OfrepEventStream, OfrepFailure,
    OfrepFlag, OfrepFlags, OfrepItem, OfrepMetadata, OfrepReason, OfrepRequest,
};
pub use crate::problem::{Code, Problem};
pub use crate::query::{
    FLAG_NAME, FLAG_TYPE, FlagQuery, INSTANCE_ID, InvalidParameter, PROJECT_NAME, ParameterProblem,
    WITH_REASON,
};
pub use crate::reply::{FlagReply, ReplyValue};

/// The path that answers which value an instance receives; it may end in a slash.
pub const GET_FEATURE_FLAG: &str = "/get-feature-flag";

/// The path that takes exposures to log; it may end in a slash.
pub const LOG_FEATURE_FLAG: &str = "/log-feature-flag";

/// The header that carries a request id, to the service and back.
pub const REQUEST_ID: &str = "x-request-id";

/// The header that carries an API key; `Authorization` with [`BEARER`] is the other way to send one.
pub const API_KEY: &str = "x-api-key";

/// The scheme of `Authorization` that carries an API key.
pub const BEARER: &str = "Bearer";

/// The header that is [`STALE`] if the service cannot reach its store and serves the last known value.
pub const CACHE_STATUS: &str = "cache-status";

/// The value of [`CACHE_STATUS`].
pub const STALE: &str = "stale";

/// The header that says which rule decided: `override`, `rollout` or `control`; only if [`WITH_REASON`] asks for it.
pub const REASON: &str = "x-flag-reason";

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The beginning of the detail of a [`Problem`] about an unknown flag; the same as in the Python framework, which has no codes.
pub const UNKNOWN_FLAG: &str = "No Flag Data found";
