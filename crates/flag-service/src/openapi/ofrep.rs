//! The operations of OFREP.

use flag_api::{Code, EVENT_STREAM, LAST_EVENT_ID, OfrepFlag, OfrepFlags, OfrepRequest};
use serde_json::{Value, json};

use super::operation::{Failures, JSON, NAME, Operation, SuccessResponse, header};
use super::schemas::reference;
use crate::http::Route;

const CODES: &[Code] = &[
    Code::InvalidRequest,
    Code::InvalidRolloutPercentage,
    Code::FlagNotFound,
    Code::InvalidFlagData,
    Code::RequestTimeout,
    Code::UnsupportedMediaType,
    Code::StoreUnavailable,
    Code::Timeout,
];

const BULK_CODES: &[Code] = &[
    Code::InvalidRequest,
    Code::RequestTimeout,
    Code::UnsupportedMediaType,
    Code::StoreUnavailable,
    Code::Timeout,
];

/// The same operations under the paths that leave out the project.
pub(super) fn without_project() -> impl Iterator<Item = (Route, String, Operation)> {
    let operations = [
        (Route::OfrepFlag, evaluate_flag(), "evaluateFlagOfDefault"),
        (
            Route::OfrepFlags,
            evaluate_flags(),
            "evaluateFlagsOfDefault",
        ),
    ];
    operations.into_iter().map(|(route, operation, id)| {
        let path = route.path().replace("/projects/{project}", "");
        let is_project = |parameter: &Value| parameter.get("name") == Some(&json!("project"));
        let mut parameters = operation.parameters;
        parameters.retain(|parameter| !is_project(parameter));
        let operation = Operation {
            id,
            description: "The project is the only one of the API key, else `FLAG_DEFAULT_PROJECT`.",
            parameters,
            ..operation
        };
        (route, path, operation)
    })
}

/// Describes the evaluation of one flag.
pub(super) fn evaluate_flag() -> Operation {
    Operation {
        id: "evaluateFlag",
        summary: "OFREP: the value of a flag",
        description: "OpenFeature's Remote Evaluation Protocol 0.3.0. The answer is logged as an exposure.",
        parameters: vec![project(), key()],
        body: Some(reference::<OfrepRequest<'_>>()),
        answers: vec![SuccessResponse {
            status: 200,
            description: "The value.",
            content: vec![(JSON, reference::<OfrepFlag<'_>>())],
        }],
        codes: CODES,
        failures: Failures::Ofrep,
    }
}

/// Describes the evaluation of all flags.
pub(super) fn evaluate_flags() -> Operation {
    Operation {
        id: "evaluateFlags",
        summary: "OFREP: the values of all flags of a project",
        description: "OpenFeature's Remote Evaluation Protocol 0.3.0. At most `FLAG_OFREP_MAX_FLAGS` flags, by name; one that cannot be \
            evaluated is a failure among them. The answer has an entity tag, and `Cache-Control: private, no-cache`. It is no exposure, \
            unless `FLAG_OFREP_BULK_EXPOSURES` is `delivered`.",
        parameters: vec![
            project(),
            header(
                "if-none-match",
                "The entity tag of an answer that the caller has, a list of them, or `*`.",
            ),
        ],
        body: Some(reference::<OfrepRequest<'_>>()),
        answers: vec![
            SuccessResponse {
                status: 200,
                description: "The values.",
                content: vec![(JSON, reference::<OfrepFlags<'_>>())],
            },
            SuccessResponse {
                status: 304,
                description: "The answer is the one that the caller has.",
                content: vec![],
            },
        ],
        codes: BULK_CODES,
        failures: Failures::Ofrep,
    }
}

/// Describes the stream of events.
pub(super) fn events() -> Operation {
    Operation {
        id: "ofrepEvents",
        summary: "OFREP: when to evaluate all flags again",
        description: "Server-sent events. A bulk answer names the path with its token, which is made of the API key and the project, opens \
            nothing else, and is valid as long as the key.",
        parameters: vec![
            project(),
            json!({
                "name": "token", "in": "query", "description": "The token, if the service requires API keys.",
                "schema": { "type": "string" },
            }),
            header(
                LAST_EVENT_ID,
                "The `id` of the last event that the caller received.",
            ),
        ],
        body: None,
        answers: vec![SuccessResponse {
            status: 200,
            description: "A stream of events of the type `refetchEvaluation`.",
            content: vec![(EVENT_STREAM, json!({ "type": "string" }))],
        }],
        codes: &[Code::InvalidRequest, Code::NotFound],
        failures: Failures::Problems,
    }
}

fn project() -> Value {
    path(
        "project",
        "The project.",
        "csr-assistant",
        &json!({ "type": "string", "pattern": NAME }),
    )
}

fn key() -> Value {
    path(
        "key",
        "The name of the flag; `feature/NAME` or `data/NAME` where both types have it. A name alone finds `feature` first.",
        "multi_step_api_router",
        &json!({ "type": "string" }),
    )
}

fn path(name: &str, description: &str, example: &str, schema: &Value) -> Value {
    json!({
        "name": name, "in": "path", "required": true, "description": description, "schema": schema, "example": example,
    })
}
