//! The context of a request, which its handler gets.

use std::borrow::Cow;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::error::ErrorInternalServerError;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use flag_api::{InvalidParameter, PROJECT, ParameterProblem, project_of_path};
use flag_model::ProjectName;
use percent_encoding::percent_decode_str;
use tokio::time::Instant;

use super::problem::ApiError;
use super::request_id::RequestId;
use super::state::AppState;
use crate::access::Authorization;
use crate::telemetry::RequestSpan;

/// A request, its id, and the state of the application.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    /// The request.
    pub(crate) request: HttpRequest,
    /// The id of the request.
    pub(crate) id: RequestId,
    /// The state of the application.
    pub(crate) state: Data<AppState>,
    /// What the caller may do.
    pub(crate) authorization: Authorization,
    /// The span of the request.
    pub(crate) span: RequestSpan,
    /// When this context was made, after the head of the request was parsed.
    pub(crate) began: Instant,
}

impl RequestContext {
    /// Refuses a caller that may not use the project. Every handler of a route about projects must call this.
    pub(crate) fn check_project(&self, project: &ProjectName) -> Result<(), ApiError> {
        Ok(self.authorization.check_project(project)?)
    }

    /// Returns the OFREP key of the requested flag, as the caller spelled it, if the path has one.
    pub(crate) fn ofrep_key(&self) -> Option<Cow<'_, str>> {
        self.path_part("key")
    }

    /// Returns the project that the path names, the only one of the caller's key, or the default.
    pub(crate) fn project(&self) -> Result<ProjectName, ApiError> {
        let Some(part) = self.request.match_info().get(PROJECT) else {
            let implied = self.authorization.single_project();
            let implied = implied.or(self.state.ofrep.default_project.as_ref());
            return implied.cloned().ok_or(ApiError::NoProject);
        };
        let name = project_of_path(part).map_err(|wrong| ApiError::InvalidRequest(vec![wrong]))?;
        valid_project(&name)
    }

    /// Returns a part of the path, decoded. The router has decoded all of it but `%2F`, `%25` and `%2B`.
    fn path_part(&self, name: &str) -> Option<Cow<'_, str>> {
        let part = self.request.match_info().get(name)?;
        Some(percent_decode_str(part).decode_utf8_lossy())
    }

    /// Counts this many answers towards the rate limit of the caller; the request itself was the first.
    pub(crate) fn charge(&self, answers: usize) -> Result<(), ApiError> {
        let authenticator = &self.state.authenticator;
        match self.authorization.principal() {
            Some(principal) => {
                let more = answers.saturating_sub(1);
                Ok(authenticator.charge(&self.request, principal, more)?)
            }
            None => Ok(()),
        }
    }
}

/// Checks a project that a path names.
pub(crate) fn valid_project(name: &str) -> Result<ProjectName, ApiError> {
    ProjectName::new(name).map_err(|wrong| {
        let (found, expected) = (wrong.found, wrong.expected);
        ApiError::InvalidRequest(vec![InvalidParameter {
            name: PROJECT,
            problem: ParameterProblem::Invalid { found, expected },
        }])
    })
}

impl FromRequest for RequestContext {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let began = Instant::now();
        let Some(state) = request.app_data::<Data<AppState>>() else {
            return ready(Err(ErrorInternalServerError(
                "the state of the application is missing",
            )));
        };
        ready(Ok(Self {
            id: RequestId::of(request),
            span: state.telemetry.request_span(request),
            state: state.clone(),
            request: request.clone(),
            authorization: Authorization::default(),
            began,
        }))
    }
}
