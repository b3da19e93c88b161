//! Errors as OFREP describes them.

use actix_web::HttpResponse;
use flag_api::{Code, OfrepErrorCode, OfrepFailure};

use super::problem::{ApiError, ofrep_status};

/// The media type of every answer of OFREP.
const JSON: &str = "application/json";

/// Returns the response that describes an error to the caller; `key` is that of the requested flag.
pub(super) fn respond(error: &ApiError, key: Option<&str>) -> HttpResponse {
    let (code, detail) = error.describe();
    let failure = OfrepFailure {
        key: key.map(Into::into),
        error_code: error_code(error, code),
        error_details: detail.into(),
    };
    error
        .begin_response(ofrep_status(code))
        .content_type(JSON)
        .body(serde_json::to_vec(&failure).unwrap_or_default())
}

/// Returns the error code that OFREP has for an error.
pub(crate) fn error_code(error: &ApiError, code: Code) -> OfrepErrorCode {
    match (error, code) {
        (ApiError::NoTargetingKey, _) => OfrepErrorCode::TargetingKeyMissing,
        (ApiError::InvalidContext(_), _) => OfrepErrorCode::InvalidContext,
        (_, Code::FlagNotFound) => OfrepErrorCode::FlagNotFound,
        (ApiError::InvalidBody(_), _)
        | (
            _,
            Code::UnsupportedMediaType | Code::InvalidFlagData | Code::InvalidRolloutPercentage,
        ) => OfrepErrorCode::ParseError,
        _ => OfrepErrorCode::General,
    }
}
