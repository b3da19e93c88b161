//! The description of the whole service.

use std::collections::BTreeMap;

use flag_api::{Code, REQUEST_ID};
use serde_json::{Map, Value, json};

use crate::http::{Route, status};
use crate::openapi::ofrep;
use crate::openapi::operation::{OF_EVERY_ROUTE, Operation};
use crate::openapi::schemas::schemas;
use crate::telemetry::metrics::VERSION;

const DESCRIPTION: &str = "Which value of a feature flag an instance receives.\n\n\
    Every answer carries `X-Request-Id`. Failures are `application/problem+json` (RFC 9457); `code` is the error for \
    programs. Any other path answers `not_found`, any other method `method_not_allowed`. Every GET also answers HEAD. \
    Invalid HTTP is answered with 400, 408 or 431 without a body.";

/// Describes the whole service.
pub(super) fn document() -> Value {
    let operations = Route::ALL
        .iter()
        .filter_map(|route| Operation::of(*route).map(|operation| (*route, operation)));
    let paths: Map<String, Value> = operations
        .map(|(route, operation)| (route.path().to_owned(), path(route, &operation)))
        .chain(
            ofrep::without_project()
                .map(|(route, spelled, operation)| (spelled, path(route, &operation))),
        )
        .collect();
    json!({
        "openapi": "3.1.1",
        "info": { "title": "flag-service", "version": VERSION, "description": DESCRIPTION },
        "paths": paths,
        "components": { "schemas": schemas(), "headers": headers() },
        "x-codes": Code::ALL.iter().map(|code| described(*code)).collect::<Vec<_>>(),
    })
}

/// Describes a code; also codes that no operation lists.
fn described(code: Code) -> Value {
    json!({ "code": code.as_str(), "status": status(code).as_u16(), "description": code.about() })
}

fn path(route: Route, operation: &Operation) -> Value {
    let methods = route.methods().iter().map(|method| {
        let method = method.as_str().to_lowercase();
        let described = of_method(&method, operation);
        (method, described)
    });
    Value::Object(methods.collect())
}

/// HEAD answers as GET does, without bodies.
fn of_method(method: &str, operation: &Operation) -> Value {
    let is_head = method == "head";
    let mut responses = responses(operation);
    let mut id = operation.id.to_owned();
    if is_head {
        id.push_str("Head");
        for response in responses.values_mut().filter_map(Value::as_object_mut) {
            response.remove("content");
        }
    }
    let mut described = json!({
        "operationId": id,
        "summary": operation.summary,
        "description": operation.description,
        "parameters": operation.parameters,
        "responses": responses,
    });
    if let (Some(schema), Some(described)) = (&operation.body, described.as_object_mut()) {
        let body =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        described.insert("requestBody".to_owned(), body);
    }
    described
}

/// Returns answers and failures by status; several may share one.
fn responses(operation: &Operation) -> Map<String, Value> {
    let mut responses: BTreeMap<u16, (String, Map<String, Value>)> = BTreeMap::new();
    for answer in &operation.answers {
        let content = answer.content.iter();
        let content =
            content.map(|(kind, schema)| ((*kind).to_owned(), json!({ "schema": schema })));
        responses.insert(
            answer.status,
            (answer.description.to_owned(), content.collect()),
        );
    }
    for (status, codes) in by_status(operation) {
        let (description, content) = responses.entry(status).or_default();
        for code in &codes {
            let line = format!("`{code}`: {}", code.about());
            description.push_str(if description.is_empty() { "" } else { "\n\n" });
            description.push_str(&line);
        }
        if let Value::Object(failure) = operation.failures.content(status, &codes) {
            content.extend(failure);
        }
    }
    let responses = responses
        .into_iter()
        .map(|(status, (description, content))| {
            let response = json!({
                "description": description, "headers": headers_of(status), "content": content,
            });
            (status.to_string(), response)
        });
    responses.collect()
}

fn by_status(operation: &Operation) -> BTreeMap<u16, Vec<Code>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in operation.codes.iter().chain(OF_EVERY_ROUTE) {
        by_status
            .entry(operation.failures.status(*code))
            .or_default()
            .push(*code);
    }
    by_status
}

fn headers() -> Value {
    json!({
        REQUEST_ID: {
            "description": "Which request this answers.",
            "required": true,
            "schema": { "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" },
        },
        "retry-after": {
            "description": "Seconds after which to ask again.",
            "schema": { "type": "string", "pattern": "^[0-9]+$" },
        },
    })
}

fn headers_of(status: u16) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/headers/{name}") });
    let mut headers = json!({ REQUEST_ID: reference(REQUEST_ID) });
    if let (429 | 503, Some(headers)) = (status, headers.as_object_mut()) {
        headers.insert("retry-after".to_owned(), reference("retry-after"));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes of paths and methods without an operation.
    const OF_NO_ROUTE: &[Code] = &[Code::NotFound, Code::MethodNotAllowed];

    #[test]
    fn every_route_is_described_with_all_its_methods() {
        let document = document();
        let are_pages = [
            Route::Dashboard,
            Route::DashboardAssets,
            Route::DashboardEvents,
        ];
        let described = Route::ALL.iter().filter(|route| route.template().is_some());
        let described = described.filter(|route| !are_pages.contains(route));
        for route in described {
            for method in route.allow().to_lowercase().split(", ") {
                let operation = &document["paths"][route.path()][method];
                assert!(operation["summary"].is_string(), "{method} {route:?}");
                assert!(operation["responses"]["500"].is_object());
            }
        }
    }

    #[test]
    fn every_code_is_described_where_it_can_come() {
        let of_routes = Route::ALL.iter().filter_map(|route| Operation::of(*route));
        let mut listed: Vec<Code> = of_routes.flat_map(|of| of.codes.to_vec()).collect();
        listed.extend(OF_EVERY_ROUTE);
        listed.extend(OF_NO_ROUTE);
        for code in Code::ALL {
            assert!(listed.contains(code), "no route lists {code}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(document: &Value, part: &Value) {
            match part {
                Value::Object(fields) => {
                    if let Some(to) = fields.get("$ref").and_then(Value::as_str) {
                        let to = to.strip_prefix('#').unwrap();
                        assert!(document.pointer(to).is_some(), "{to}");
                    }
                    fields.values().for_each(|part| check(document, part));
                }
                Value::Array(parts) => parts.iter().for_each(|part| check(document, part)),
                _ => {}
            }
        }
        let document = document();
        check(&document, &document);
    }

    #[test]
    fn codes_with_one_status_share_a_response() {
        let document = document();
        let responses = &document["paths"]["/get-feature-flag"]["get"]["responses"];
        let schema = &responses["400"]["content"]["application/problem+json"]["schema"];
        assert_eq!(
            schema["allOf"][1]["properties"]["code"]["enum"],
            json!([
                "invalid_flag_type",
                "invalid_request",
                "invalid_rollout_percentage"
            ])
        );
        assert_eq!(
            document["components"]["schemas"]["FlagReply"]["required"]
                .as_array()
                .unwrap()
                .len(),
            6
        );
    }

    #[test]
    fn every_code_has_its_row_in_the_pages() {
        for page in ["http-api.md", "operating.md"] {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");
            let text = std::fs::read_to_string(format!("{path}{page}")).unwrap();
            for code in Code::ALL {
                let row = format!("\n| `{code}` | {}", status(*code).as_u16());
                assert!(text.contains(&row), "{page}: no row {row}");
            }
        }
    }
}
