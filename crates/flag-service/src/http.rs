//! What all handlers share: routes, the context of a request, admission, errors, and what surrounds each answer.
mod admission;
mod answer;
mod body;
mod client_address;
mod connection_state;
mod context;
mod fallbacks;
mod limits;
mod problem;
mod readiness;
mod refusal;
mod request_id;
mod route;
mod state;

pub(crate) use self::answer::answer;
pub(crate) use self::body::read_json;
pub(crate) use self::client_address::TrustedProxies;
pub(crate) use self::connection_state::{ConnectionState, Phase};
pub(crate) use self::context::RequestContext;
pub(crate) use self::fallbacks::{method_not_allowed, not_found};
pub(crate) use self::limits::{Held, HeldBytes, LimitMetrics, LimitSettings, Limits};
pub(crate) use self::problem::{ApiError, describe_store, status};
pub(crate) use self::readiness::{Details, Health, Readiness};
pub(crate) use self::refusal::{Forbidden, Refusal, Size, Unauthorized};
pub(crate) use self::request_id::{RequestId, is_request_id};
pub(crate) use self::route::{Access, Route};
pub(crate) use self::state::AppState;
