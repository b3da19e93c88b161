//! What all handlers share: routes, the context of a request, admission, errors, and what surrounds each answer.
mod access_problem;
mod admission;
mod answer;
mod body;
mod connection_state;
mod context;
mod failure_log;
mod fallbacks;
mod limits;
mod problem;
mod readiness;
mod request_id;
mod route;
mod state;

pub(crate) use self::answer::answer;
pub(crate) use self::body::{read_form, read_json};
pub(crate) use self::connection_state::{ConnectionState, Phase};
pub(crate) use self::context::RequestContext;
pub(crate) use self::failure_log::FailureLog;
pub(crate) use self::fallbacks::{method_not_allowed, not_found};
pub(crate) use self::limits::{
    CallerBytes, ConnectionLimits, ConnectionMetrics, HeldBytes, LimitSettings, Limits,
};
pub(crate) use self::problem::{ApiError, describe_store, status};
pub(crate) use self::readiness::{Details, Health, Readiness};
pub(crate) use self::request_id::is_request_id;
pub(crate) use self::route::Route;
pub(crate) use self::state::AppState;
