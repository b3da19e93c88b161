//! The evaluation context in the body of a request, of which the targeting key counts. Knows no HTTP, so that a fuzzer can run it.

use flag_model::InstanceId;
use serde_json::Value;

/// Why a context names no instance.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ContextError {
    /// It has no targeting key, or an empty one.
    NoTargetingKey,
    /// What is wrong with it.
    Invalid(String),
}

/// Returns the targeting key, which is the instance id.
pub(super) fn instance(mut body: Value) -> Result<InstanceId<'static>, ContextError> {
    let Some(context) = body.get_mut("context") else {
        return Err(invalid("found none, expected an object"));
    };
    let Value::Object(context) = context else {
        return Err(invalid("expected an object"));
    };
    match context.remove("targetingKey") {
        None | Some(Value::Null) => Err(ContextError::NoTargetingKey),
        Some(Value::String(key)) if key.is_empty() => Err(ContextError::NoTargetingKey),
        Some(Value::String(key)) => InstanceId::new(key).map_err(|wrong| {
            let (found, expected) = (wrong.found, wrong.expected);
            ContextError::Invalid(format!(
                "context.targetingKey: found {found}, expected {expected}"
            ))
        }),
        Some(_) => Err(ContextError::Invalid(
            "context.targetingKey: expected a string".to_owned(),
        )),
    }
}

fn invalid(problem: &str) -> ContextError {
    ContextError::Invalid(format!("context: {problem}"))
}
