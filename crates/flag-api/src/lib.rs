//! What travels over HTTP between the service and whoever asks it: paths, queries, replies, problems.
//!
//! Knows no server, no client and no flag. What a parameter may hold is for others to say.
mod exposure;
mod problem;
mod query;
mod reply;

pub use crate::exposure::{EntryResult, ExposureEntry, LogReply, MOST_ENTRIES};
pub use crate::problem::{Code, Problem};
pub use crate::query::{
    FLAG_NAME, FLAG_TYPE, FlagQuery, INSTANCE_ID, PROJECT_NAME, Parameter, ParameterProblem,
};
pub use crate::reply::{FlagReply, ReplyValue};

/// The path of the question which value an instance receives; it may end in a slash.
pub const GET_FEATURE_FLAG: &str = "/get-feature-flag";

/// The path that takes exposures to log; it may end in a slash.
pub const LOG_FEATURE_FLAG: &str = "/log-feature-flag";

/// The header that carries a request id, to the service and back.
pub const REQUEST_ID: &str = "x-request-id";

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";
