//! The operation of each route.

use flag_api::{
    AT, Code, EVENT_STREAM, EntryResult, Explanation, ExposureEntry, FLAG_NAME, FLAG_TYPE,
    FlagReply, INSTANCE_ID, LAST_EVENT_ID, LogReply, MAX_ENTRIES_PER_REQUEST, OfrepFailure,
    PROBLEM_JSON, PROJECT, PROJECT_NAME, REQUEST_ID, SINCE, WITH_REASON,
};
use flag_model::InstanceId;
use serde_json::{Value, json};

use crate::http::{Details, Route, ofrep_status, status};
use crate::openapi::ofrep;
use crate::openapi::schemas::reference;
use crate::telemetry::metrics::Exposition;

/// The pattern of project and flag names.
pub(super) const NAME: &str = r"^[^#%\x00-\x1f\x7f-\x9f]{1,128}$";

/// The media type of most answers.
pub(super) const JSON: &str = "application/json";

/// Codes that every route may answer.
pub(super) const OF_EVERY_ROUTE: &[Code] = &[
    Code::Unauthorized,
    Code::Forbidden,
    Code::PayloadTooLarge,
    Code::UriTooLong,
    Code::HeadersTooLarge,
    Code::TooManyRequests,
    Code::Overloaded,
    Code::Internal,
];

/// Statuses of the pages of the dashboard, which are no operations.
const DASHBOARD: [u16; 11] = [200, 303, 400, 401, 403, 404, 405, 409, 500, 503, 504];

/// An operation.
pub(super) struct Operation {
    /// Its name in generated code.
    pub(super) id: &'static str,
    /// A summary in one line.
    pub(super) summary: &'static str,
    /// More details.
    pub(super) description: &'static str,
    /// Its parameters.
    pub(super) parameters: Vec<Value>,
    /// The schema of its JSON body, if it takes one.
    pub(super) body: Option<Value>,
    /// Its successful answers.
    pub(super) answers: Vec<SuccessResponse>,
    /// The codes of its failures, besides [`OF_EVERY_ROUTE`].
    pub(super) codes: &'static [Code],
    /// The form of its failures.
    pub(super) failures: Failures,
}

/// The form of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failures {
    /// Problems of RFC 9457.
    Problems,
    /// Those of OFREP.
    Ofrep,
}

impl Failures {
    /// Returns the status of a code.
    pub(super) fn status(self, code: Code) -> u16 {
        let status = match self {
            Self::Problems => status(code),
            Self::Ofrep => ofrep_status(code),
        };
        status.as_u16()
    }

    /// Returns the media type and schema of a failure with one of these codes.
    pub(super) fn content(self, status: u16, codes: &[Code]) -> Value {
        match self {
            Self::Problems => problem(status, codes),
            Self::Ofrep => json!({ JSON: { "schema": reference::<OfrepFailure<'_>>() } }),
        }
    }
}

/// A successful answer.
pub(super) struct SuccessResponse {
    pub(super) status: u16,
    pub(super) description: &'static str,
    /// Media types and schemas.
    pub(super) content: Vec<(&'static str, Value)>,
}

impl Operation {
    /// Returns the operation of a route; `None` for pages for people, for [`Route::Preflight`] and for [`Route::Unknown`].
    pub(super) fn of(route: Route) -> Option<Self> {
        match route {
            Route::GetFeatureFlag => Some(get_feature_flag()),
            Route::LogFeatureFlag => Some(log_feature_flag()),
            Route::OfrepFlag => Some(ofrep::evaluate_flag()),
            Route::OfrepFlags => Some(ofrep::evaluate_flags()),
            Route::Livez => Some(livez()),
            Route::Readyz => Some(readyz()),
            Route::Metrics => Some(metrics()),
            Route::OpenApi => Some(openapi()),
            Route::Docs => Some(docs()),
            Route::OfrepEvents => Some(ofrep::events()),
            Route::Events => Some(events()),
            Route::Explain => Some(explain()),
            Route::Dashboard
            | Route::DashboardAssets
            | Route::DashboardEvents
            | Route::Preflight
            | Route::Unknown => None,
        }
    }
}

/// Returns every status that a route answers to its own methods.
pub(super) fn statuses(route: Route) -> Vec<u16> {
    let Some(operation) = Operation::of(route) else {
        return match route {
            Route::Dashboard | Route::DashboardEvents => DASHBOARD.to_vec(),
            Route::DashboardAssets => vec![200],
            Route::Preflight => vec![204],
            _ => vec![status(Code::NotFound).as_u16()],
        };
    };
    let codes = operation.codes.iter().chain(OF_EVERY_ROUTE);
    let answers = operation.answers.iter().map(|answer| answer.status);
    answers
        .chain(codes.map(|code| operation.failures.status(*code)))
        .collect()
}

fn get_feature_flag() -> Operation {
    Operation {
        id: "getFeatureFlag",
        summary: "Which value an instance receives",
        description: "The path may end in a slash. Each parameter is required exactly once; others are ignored.",
        parameters: vec![
            query(
                PROJECT_NAME,
                "The project.",
                "csr-assistant",
                &json!({ "type": "string", "pattern": NAME }),
            ),
            query(
                FLAG_TYPE,
                "`feature` flags have boolean values, `data` flags have text.",
                "feature",
                &json!({ "type": "string", "enum": ["feature", "data"] }),
            ),
            query(
                FLAG_NAME,
                "The flag.",
                "multi_step_api_router",
                &json!({ "type": "string", "pattern": NAME }),
            ),
            query(
                INSTANCE_ID,
                "The instance that the value is for: at most 512 bytes of UTF-8 without NUL, used exactly as given.",
                "A12345",
                &json!({ "type": "string", "minLength": 1, "maxLength": InstanceId::MAX_BYTES, "pattern": "^[^\\u0000]*$" }),
            ),
            json!({
                "name": WITH_REASON, "in": "query", "schema": { "type": "string" },
                "description": "If it is given, whatever its value, the header `x-flag-reason` says which rule decided: `override`, `rollout` or `control`.",
            }),
            header(
                REQUEST_ID,
                "The id of the request, if it matches `[A-Za-z0-9._-]{1,64}`; otherwise the service generates one.",
            ),
        ],
        body: None,
        answers: vec![SuccessResponse {
            status: 200,
            description: "The value.",
            content: vec![("application/json", reference::<FlagReply<'_>>())],
        }],
        codes: &[
            Code::InvalidFlagType,
            Code::InvalidRequest,
            Code::InvalidRolloutPercentage,
            Code::FlagNotFound,
            Code::InvalidFlagData,
            Code::StoreUnavailable,
            Code::Timeout,
        ],
        failures: Failures::Problems,
    }
}

fn log_feature_flag() -> Operation {
    let entry = reference::<ExposureEntry<'_>>();
    let list = json!({ "type": "array", "items": entry, "maxItems": MAX_ENTRIES_PER_REQUEST });
    let result = reference::<EntryResult<'_>>();
    Operation {
        id: "logFeatureFlag",
        summary: "Logs exposures of a client that decides locally",
        description: "One entry, or a list of at most 500; stored before the answer. The path may end in a slash. \
            An entry that is sent again with the same `request_id` and `created_time` is the same entry.",
        parameters: vec![header(
            REQUEST_ID,
            "The id of the request, if it matches `[A-Za-z0-9._-]{1,64}`; otherwise the service generates one.",
        )],
        body: Some(json!({ "oneOf": [entry, list] })),
        answers: vec![SuccessResponse {
            status: 200,
            description: "The result of the entry, or of each entry of the list; at least one is stored.",
            content: vec![(
                "application/json",
                json!({ "oneOf": [result, reference::<LogReply<'_>>()] }),
            )],
        }],
        codes: &[
            Code::InvalidRequest,
            Code::RequestTimeout,
            Code::UnsupportedMediaType,
            Code::StoreUnavailable,
            Code::Timeout,
        ],
        failures: Failures::Problems,
    }
}

fn livez() -> Operation {
    Operation {
        id: "livez",
        summary: "Whether the process answers requests",
        description: "For Kubernetes' liveness probe.",
        parameters: vec![],
        body: None,
        answers: vec![healthy("It answers.", 200)],
        codes: &[],
        failures: Failures::Problems,
    }
}

fn readyz() -> Operation {
    Operation {
        id: "readyz",
        summary: "Whether flags can be served",
        description: "For Kubernetes' readiness probe.",
        parameters: vec![],
        body: None,
        answers: vec![
            healthy("Flags can be served.", 200),
            healthy("Flags cannot be served; the body contains the reason.", 503),
        ],
        codes: &[],
        failures: Failures::Problems,
    }
}

fn metrics() -> Operation {
    let text = |exposition: Exposition| (exposition.media_type(), json!({ "type": "string" }));
    Operation {
        id: "metrics",
        summary: "The metrics of the service",
        description: "OpenMetrics if the `Accept` header prefers it, otherwise the text format of Prometheus.",
        parameters: vec![],
        body: None,
        answers: vec![SuccessResponse {
            status: 200,
            description: "All metrics.",
            content: Exposition::ALL.into_iter().map(text).collect(),
        }],
        codes: &[],
        failures: Failures::Problems,
    }
}

fn openapi() -> Operation {
    Operation {
        id: "openapi",
        summary: "This description",
        description: "OpenAPI 3.1, generated from the code.",
        parameters: vec![],
        body: None,
        answers: vec![SuccessResponse {
            status: 200,
            description: "The description.",
            content: vec![("application/json", json!({ "type": "object" }))],
        }],
        codes: &[],
        failures: Failures::Problems,
    }
}

fn docs() -> Operation {
    Operation {
        id: "docs",
        summary: "This description as a page",
        description: "Loads nothing from other hosts.",
        parameters: vec![],
        body: None,
        answers: vec![SuccessResponse {
            status: 200,
            description: "The page.",
            content: vec![("text/html; charset=utf-8", json!({ "type": "string" }))],
        }],
        codes: &[],
        failures: Failures::Problems,
    }
}

fn events() -> Operation {
    Operation {
        id: "events",
        summary: "Which flags of a project change, as server-sent events",
        description: "An event has the digest of the project as its `id`, and `EventData` as its `data`. The first event is \
            sent at once if the digest differs from that of the caller, and says that any flag may have changed. A comment \
            is sent about every 20 seconds. The stream ends after 5 to 15 minutes, or when the key is not valid any more.",
        parameters: vec![
            json!({
                "name": PROJECT, "in": "path", "required": true, "description": "The project.",
                "schema": { "type": "string", "pattern": NAME }, "example": "csr-assistant",
            }),
            json!({
                "name": SINCE, "in": "query", "description": "The digest that the caller knows.",
                "schema": { "type": "string" },
            }),
            header(
                LAST_EVENT_ID,
                "The same, and stronger: the id of the last event that the caller received.",
            ),
        ],
        body: None,
        answers: vec![SuccessResponse {
            status: 200,
            description: "The events.",
            content: vec![(EVENT_STREAM, json!({ "type": "string" }))],
        }],
        codes: &[Code::InvalidRequest, Code::NotFound],
        failures: Failures::Problems,
    }
}

fn explain() -> Operation {
    let part = |name: &str, description: &str, example: &str, schema: &Value| {
        json!({
            "name": name, "in": "path", "required": true, "description": description, "schema": schema, "example": example,
        })
    };
    Operation {
        id: "explain",
        summary: "What an instance received at an instant, and why",
        description: "The decision of the revision in force, and what was served to the instance around the instant: up to ten answers before \
            it and ten after it, from the exposure log, each decided again by the revision that it names.",
        parameters: vec![
            part(
                PROJECT,
                "The project.",
                "csr-assistant",
                &json!({ "type": "string", "pattern": NAME }),
            ),
            part(
                "type",
                "The type of the flag.",
                "feature",
                &json!({ "type": "string", "enum": ["feature", "data"] }),
            ),
            part(
                "name",
                "The flag.",
                "multi_step_api_router",
                &json!({ "type": "string", "pattern": NAME }),
            ),
            query(
                INSTANCE_ID,
                "The instance: at most 512 bytes of UTF-8 without NUL, used exactly as given.",
                "A12345",
                &json!({ "type": "string", "minLength": 1, "maxLength": InstanceId::MAX_BYTES, "pattern": "^[^\\u0000]*$" }),
            ),
            json!({
                "name": AT, "in": "query", "schema": { "type": "string" }, "example": "2026-11-28 12:00:00",
                "description": "A past time in UTC. Without it: now.",
            }),
        ],
        body: None,
        answers: vec![SuccessResponse {
            status: 200,
            description: "The decision, and what was served.",
            content: vec![(JSON, reference::<Explanation<'_>>())],
        }],
        codes: &[
            Code::InvalidFlagType,
            Code::InvalidRequest,
            Code::InvalidRolloutPercentage,
            Code::FlagNotFound,
            Code::InvalidFlagData,
            Code::StoreUnavailable,
            Code::Timeout,
        ],
        failures: Failures::Problems,
    }
}

fn healthy(description: &'static str, status: u16) -> SuccessResponse {
    SuccessResponse {
        status,
        description,
        content: vec![("application/json", health())],
    }
}

/// The body of a probe, with or without details.
fn health() -> Value {
    json!({
        "type": "object",
        "required": ["status"],
        "properties": { "status": { "type": "string" } },
        "anyOf": [reference::<Details>(), { "maxProperties": 1 }],
    })
}

fn query(name: &str, description: &str, example: &str, schema: &Value) -> Value {
    json!({
        "name": name, "in": "query", "required": true, "description": description, "schema": schema, "example": example,
    })
}

pub(super) fn header(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "header", "description": description, "schema": { "type": "string" } })
}

/// Returns the media type and schema of a problem with one of these codes.
fn problem(status: u16, codes: &[Code]) -> Value {
    let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let schema = json!({
        "allOf": [
            reference::<flag_api::Problem<'_>>(),
            { "properties": { "status": { "const": status }, "code": { "enum": codes } } },
        ],
    });
    json!({ PROBLEM_JSON: { "schema": schema } })
}
