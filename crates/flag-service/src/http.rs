//! What all handlers share: routes, the context of a request, admission, errors, and what surrounds each answer.
mod access_problem;
mod admission;
mod body;
mod connection_state;
mod context;
mod cors;
mod explain_reader;
mod failure_log;
mod failure_pages;
mod fallbacks;
mod limits;
mod ofrep_failure;
mod ofrep_settings;
mod problem;
mod readiness;
mod request_id;
mod respond;
mod route;
mod route_properties;
mod state;

pub(crate) use self::body::{read_form, read_json};
pub(crate) use self::connection_state::{ConnectionState, Phase, begin_stream};
pub(crate) use self::context::{RequestContext, valid_project};
pub(crate) use self::cors::{Cors, is_preflight, preflight};
pub(crate) use self::explain_reader::{ExplainReader, ExplainedRecords};
pub(crate) use self::failure_log::FailureLog;
pub(crate) use self::failure_pages::FailurePages;
pub(crate) use self::fallbacks::{method_not_allowed, not_found};
pub(crate) use self::limits::{
    ConnectionLimits, ConnectionMetrics, HEARTBEAT, HeldBytes, HeldBytesCounter, LimitSettings,
    Limits, StreamEnd, StreamPermit,
};
pub(crate) use self::ofrep_failure::error_code;
pub(crate) use self::ofrep_settings::{BulkExposures, ControlReason, OfrepSettings};
pub(crate) use self::problem::{ApiError, CHANGED_MEANWHILE, describe_store, ofrep_status, status};
pub(crate) use self::readiness::{Details, Health, Readiness};
pub(crate) use self::request_id::{RequestId, is_request_id};
pub(crate) use self::respond::respond;
pub(crate) use self::route::Route;
pub(crate) use self::state::AppState;
