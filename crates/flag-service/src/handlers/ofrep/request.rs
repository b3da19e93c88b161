//! The body of a request.

use actix_web::web::Payload;
use flag_model::InstanceId;

use super::context::{ContextError, instance};
use crate::http::{ApiError, RequestContext, read_json};

/// Reads the targeting key, which is the instance id.
pub(super) async fn read_instance(
    context: &RequestContext,
    body: Payload,
) -> Result<InstanceId<'static>, ApiError> {
    let state = &context.state;
    let held_bytes = state.limits.new_held_bytes_counter();
    let body = read_json(&context.request, body, state.max_body, held_bytes).await?;
    Ok(instance(body)?)
}

impl From<ContextError> for ApiError {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::NoTargetingKey => Self::NoTargetingKey,
            ContextError::Invalid(problem) => Self::InvalidContext(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use flag_api::OfrepErrorCode;
    use serde_json::{Value, json};

    use super::*;
    use crate::http::error_code;

    #[track_caller]
    fn check(body: Value, expected: Result<&str, OfrepErrorCode>) {
        let shown = body.to_string();
        let found = instance(body).map_err(ApiError::from);
        let found = found.as_ref().map(InstanceId::as_str);
        let found = found.map_err(|error| error_code(error, error.code()));
        assert_eq!(found, expected, "{shown}");
    }

    #[test]
    fn the_targeting_key_is_the_instance_id() {
        for key in ["A12345", " a ", "\u{1f600}", "a/b?c#d"] {
            check(
                json!({"context": {"targetingKey": key, "plan": ["x"]}, "more": 1}),
                Ok(key),
            );
        }
    }

    #[test]
    fn each_flaw_of_the_context_has_its_code() {
        for context in [
            json!({}),
            json!({"targetingKey": null}),
            json!({"targetingKey": ""}),
        ] {
            check(
                json!({"context": context}),
                Err(OfrepErrorCode::TargetingKeyMissing),
            );
        }
        let long = "x".repeat(513);
        for key in [json!(1), json!(["a"]), json!("a\0"), json!(long)] {
            let body = json!({"context": {"targetingKey": key}});
            check(body, Err(OfrepErrorCode::InvalidContext));
        }
        for body in [
            json!({}),
            json!([]),
            json!(1),
            json!({"context": "A"}),
            json!({"context": null}),
        ] {
            check(body, Err(OfrepErrorCode::InvalidContext));
        }
    }
}
