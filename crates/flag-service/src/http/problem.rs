//! Errors of requests; the only file that turns them into statuses.
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder};
use flag_api::{Code, InvalidParameter, PROBLEM_JSON, Problem, UNKNOWN_FLAG};
use flag_model::{InvalidPercent, ProjectName, quoted};
use flag_runtime::{CacheError, QueueFull, SubscribeError};
use flag_store::{StoreError, UnreadableRow};

use super::access_problem;
use super::limits::LimitError;
use super::request_id::RequestId;
use super::route::Route;
use crate::access::AccessError;

/// Seconds after which a caller may retry when the store failed or too many requests wait.
const RETRY_AFTER_SECONDS: &str = "1";

/// The same when too many event streams are open: streams last for minutes.
const RETRY_STREAM_AFTER_SECONDS: &str = "10";

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The flag type is neither `feature` nor `data`.
    InvalidFlagType(String),
    /// These parameters are missing or invalid.
    InvalidRequest(Vec<InvalidParameter>),
    /// There is no revision of the flag to decide with.
    Flag(CacheError),
    /// The store failed to list the flags of a project.
    Project(ProjectName, StoreError),
    /// No flag of the project has this key.
    UnknownKey {
        /// The project.
        project: ProjectName,
        /// The key.
        key: String,
    },
    /// The request names no project, and none is implied.
    NoProject,
    /// The evaluation context has no targeting key.
    NoTargetingKey,
    /// The evaluation context is invalid: what is wrong with it.
    InvalidContext(String),
    /// The body is invalid: what is wrong with it.
    InvalidBody(String),
    /// The body did not arrive within this time.
    RequestTimeout(Duration),
    /// The body has another media type: what was found.
    UnsupportedMediaType(String),
    /// The exposure log failed.
    ExposureLog(StoreError),
    /// The path has no route.
    NotFound(String),
    /// The route does not take this method.
    MethodNotAllowed {
        /// The method.
        found: String,
        /// The route.
        route: Route,
    },
    /// The caller has no access.
    Access(AccessError),
    /// The request exceeds a limit.
    Limit(LimitError),
    /// A bug of the service.
    Internal,
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        Self::Access(error)
    }
}

impl From<LimitError> for ApiError {
    fn from(error: LimitError) -> Self {
        Self::Limit(error)
    }
}

impl From<QueueFull> for ApiError {
    fn from(QueueFull: QueueFull) -> Self {
        LimitError::ExposuresWait.into()
    }
}

impl From<SubscribeError> for ApiError {
    fn from(error: SubscribeError) -> Self {
        match error {
            // This replica is about to stop; another one, or its successor, has room at once.
            SubscribeError::Closed => LimitError::Overloaded.into(),
            SubscribeError::TooManyProjects => LimitError::TooManyStreams.into(),
        }
    }
}

impl From<CacheError> for ApiError {
    fn from(error: CacheError) -> Self {
        Self::Flag(error)
    }
}

impl ApiError {
    /// Returns the response that describes the error to the caller.
    pub(crate) fn respond(&self, id: &RequestId) -> HttpResponse {
        let (code, detail) = self.describe();
        let status = status(code);
        let problem = Problem {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or_default().into(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.as_str().into(),
            request_id: id.as_str().into(),
        };
        self.begin_response(status)
            .content_type(PROBLEM_JSON)
            .body(serde_json::to_vec(&problem).unwrap_or_default())
    }

    /// Begins a response with this status and the headers of the error.
    pub(super) fn begin_response(&self, status: StatusCode) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(status);
        match self {
            Self::Flag(CacheError::Store { .. }) | Self::ExposureLog(_) | Self::Project(..)
                if status == StatusCode::SERVICE_UNAVAILABLE =>
            {
                response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
            }
            Self::MethodNotAllowed { route, .. } => {
                response.insert_header((ALLOW, route.allow()));
            }
            Self::Access(error) => access_problem::add_headers(error, &mut response),
            Self::Limit(LimitError::Overloaded | LimitError::ExposuresWait) => {
                response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
            }
            Self::Limit(LimitError::TooManyStreams) => {
                response.insert_header((RETRY_AFTER, RETRY_STREAM_AFTER_SECONDS));
            }
            _ => {}
        }
        response
    }

    /// Returns the code of the error.
    pub(crate) fn code(&self) -> Code {
        self.describe().0
    }

    /// The table of errors: the code, and the detail, which clients of the Python framework read.
    pub(crate) fn describe(&self) -> (Code, String) {
        match self {
            Self::InvalidFlagType(found) => (
                Code::InvalidFlagType,
                format!("Invalid flag type: {found}."),
            ),
            Self::InvalidRequest(wrong) => (Code::InvalidRequest, list(wrong)),
            Self::Flag(error) => describe_flag(error),
            Self::UnknownKey { project, key } => (
                Code::FlagNotFound,
                format!("{UNKNOWN_FLAG}: {project} has no flag {}", quoted(key)),
            ),
            Self::NoProject => (
                Code::InvalidRequest,
                "no project: ask at /projects/PROJECT/ofrep/v1/evaluate/flags, with an API key for one project, or set FLAG_DEFAULT_PROJECT"
                    .to_owned(),
            ),
            Self::NoTargetingKey => (
                Code::InvalidRequest,
                "context.targetingKey: found none, expected the instance id".to_owned(),
            ),
            Self::InvalidContext(problem) | Self::InvalidBody(problem) => {
                (Code::InvalidRequest, problem.clone())
            }
            Self::RequestTimeout(after) => (
                Code::RequestTimeout,
                format!("body: expected all of it within {} s", after.as_secs()),
            ),
            Self::UnsupportedMediaType(found) => (
                Code::UnsupportedMediaType,
                format!("body: found {found}, expected application/json in UTF-8"),
            ),
            Self::Project(project, error) => describe_store(project, error),
            Self::ExposureLog(error) => describe_store(&"the exposure log", error),
            Self::NotFound(path) => (Code::NotFound, format!("nothing at {path}")),
            Self::MethodNotAllowed { found, route } => (
                Code::MethodNotAllowed,
                format!("found {found}, expected {}", route.allow()),
            ),
            Self::Access(error) => (access_problem::code(error), access_problem::detail(error)),
            Self::Limit(error) => (error.code(), error.detail()),
            Self::Internal => internal(),
        }
    }
}

/// Returns the status of a code.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidFlagType | Code::InvalidRolloutPercentage | Code::InvalidRequest => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthorized => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::FlagNotFound | Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UriTooLong => StatusCode::URI_TOO_LONG,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Code::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Code::InvalidFlagData | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::StoreUnavailable | Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// The status of a form of the dashboard whose flag has changed since the form was shown.
pub(crate) const CHANGED_MEANWHILE: StatusCode = StatusCode::CONFLICT;

/// Returns the status of a code in OFREP, which has fewer: a body that cannot be read is a bad request whatever its type, and a flag
/// that cannot be read is an error of the service.
pub(crate) fn ofrep_status(code: Code) -> StatusCode {
    match code {
        Code::UnsupportedMediaType => StatusCode::BAD_REQUEST,
        Code::InvalidRolloutPercentage => StatusCode::INTERNAL_SERVER_ERROR,
        _ => status(code),
    }
}

fn describe_flag(error: &CacheError) -> (Code, String) {
    match error {
        CacheError::NotFound(flag) => {
            let detail = format!("{UNKNOWN_FLAG}: {flag} has no revision");
            (Code::FlagNotFound, detail)
        }
        CacheError::Unreadable(row) => describe_unreadable(row),
        CacheError::Store { flag, error } => describe_store(flag, error),
        CacheError::Panicked => internal(),
    }
}

fn internal() -> (Code, String) {
    (Code::Internal, "the service made a mistake".to_owned())
}

fn list(wrong: &[InvalidParameter]) -> String {
    wrong
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Names only the row and column of the invalid cell, as its content is for flag owners only; except a percentage, as in the
/// Python framework.
fn describe_unreadable(row: &UnreadableRow) -> (Code, String) {
    match row {
        UnreadableRow::Percent { problem, .. } | UnreadableRow::Total { problem, .. } => {
            let problem: &InvalidPercent = problem;
            (Code::InvalidRolloutPercentage, problem.to_string())
        }
        other => (Code::InvalidFlagData, other.location()),
    }
}

/// Describes a failure of the store to a caller that requested `what`.
pub(crate) fn describe_store(what: &dyn fmt::Display, error: &StoreError) -> (Code, String) {
    if let StoreError::TimedOut { .. } = error {
        return (Code::Timeout, format!("Timeout error occurred for: {what}"));
    }
    (
        Code::StoreUnavailable,
        format!("the store is unavailable for {what}"),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::body::MessageBody as _;
    use actix_web::test::TestRequest;
    use flag_model::{FlagKey, FormatVersion};

    use super::*;

    fn flag() -> FlagKey {
        "p/feature/f".parse().unwrap()
    }

    #[track_caller]
    fn check(error: &ApiError, status: u16, code: &str, detail: &str) -> HttpResponse {
        let request = TestRequest::default()
            .insert_header(("x-request-id", "r-1"))
            .to_http_request();
        let id = RequestId::of(&request);
        let response = error.respond(&id);
        assert_eq!(
            response.headers().get("content-type").unwrap(),
            PROBLEM_JSON
        );
        let (response, body) = response.into_parts();
        let body = body.try_into_bytes().unwrap();
        let problem: Problem<'_> = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (
                problem.status,
                &*problem.code,
                &*problem.detail,
                &*problem.request_id
            ),
            (status, code, detail, "r-1")
        );
        assert_eq!(response.status().as_u16(), status);
        response.map_body(|_, ()| actix_web::body::BoxBody::new(()))
    }

    fn store(error: StoreError) -> ApiError {
        let error = Arc::new(error);
        CacheError::Store {
            flag: flag(),
            error,
        }
        .into()
    }

    #[test]
    fn every_error_has_the_status_and_the_words_of_the_specification() {
        check(
            &ApiError::InvalidFlagType("boolean".into()),
            400,
            "invalid_flag_type",
            "Invalid flag type: boolean.",
        );
        check(
            &CacheError::NotFound(flag()).into(),
            404,
            "flag_not_found",
            "No Flag Data found: p/feature/f has no revision",
        );
        check(
            &ApiError::NotFound("/x".into()),
            404,
            "not_found",
            "nothing at /x",
        );
        check(
            &ApiError::Internal,
            500,
            "internal",
            "the service made a mistake",
        );
        let late = StoreError::TimedOut {
            after: Duration::from_millis(280),
        };
        check(
            &store(late),
            504,
            "timeout",
            "Timeout error occurred for: p/feature/f",
        );
        let percent = InvalidPercent {
            found: "140".into(),
            version: FormatVersion::V1,
        };
        let row = UnreadableRow::Percent {
            key: "k".into(),
            problem: percent,
        };
        check(
            &CacheError::Unreadable(Arc::new(row)).into(),
            400,
            "invalid_rollout_percentage",
            "Rollout percentage: 140 is invalid. Value should be an integer in range [0, 100].",
        );
        let total = InvalidPercent {
            found: "120".into(),
            version: FormatVersion::V2,
        };
        let row = UnreadableRow::Total {
            key: "k".into(),
            problem: total,
        };
        check(
            &CacheError::Unreadable(Arc::new(row)).into(),
            400,
            "invalid_rollout_percentage",
            "Rollout percentage: 120 is invalid. Value should be a number in range [0, 100] with at most three decimals.",
        );
        let row = UnreadableRow::Cell {
            key: "k".into(),
            column: "ControlValue".into(),
            problem: "found x".into(),
        };
        check(
            &CacheError::Unreadable(Arc::new(row)).into(),
            500,
            "invalid_flag_data",
            "row k, column ControlValue",
        );
    }

    #[test]
    fn a_failed_store_says_when_to_come_back_and_nothing_of_its_insides() {
        let down = StoreError::Unavailable {
            source: "10.0.0.7:443 refused".into(),
        };
        let response = check(
            &store(down),
            503,
            "store_unavailable",
            "the store is unavailable for p/feature/f",
        );
        assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "1");
    }

    #[test]
    fn a_replica_that_stops_sends_callers_elsewhere_sooner_than_one_that_is_full() {
        for (error, seconds) in [
            (SubscribeError::Closed, "1"),
            (SubscribeError::TooManyProjects, "10"),
        ] {
            let id = RequestId::of(&TestRequest::default().to_http_request());
            let response = ApiError::from(error).respond(&id);
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), seconds);
        }
    }

    #[test]
    fn a_response_to_a_wrong_method_lists_the_right_ones() {
        let error = ApiError::MethodNotAllowed {
            found: "PUT".into(),
            route: Route::Livez,
        };
        let detail = "found PUT, expected GET, HEAD";
        let response = check(&error, 405, "method_not_allowed", detail);
        assert_eq!(response.headers().get(ALLOW).unwrap(), "GET, HEAD");
    }
}
