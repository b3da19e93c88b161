//! `GET /projects/{project}/events`: which flags of a project change, as server-sent events.
mod encoding;
mod for_dashboard;
mod stream;
#[cfg(test)]
mod tests;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use flag_api::{EVENT_STREAM, EventsQuery, LAST_EVENT_ID, PROJECT};
use flag_model::ProjectName;
use flag_store::ProjectDigest;

pub(super) use self::encoding::{COMMENT, Encoding};
pub(super) use self::for_dashboard::dashboard_events;
use self::stream::EventStream;
use crate::access::AccessRequirement;
use crate::http::{ApiError, RequestContext, Route, not_found, valid_project};

const STREAM: (HeaderName, HeaderValue) = (CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));

/// Makes nginx, and proxies that follow it, pass each event on at once.
const NOT_BUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// Answers `GET /projects/{project}/events`: a stream of events.
pub(super) async fn events(context: &RequestContext) -> Result<HttpResponse, ApiError> {
    let (project, last_event_digest) = decode(context)?;
    context.check_project(&project)?;
    let requirement = Route::Events.required_access();
    respond(
        context,
        requirement,
        project,
        last_event_digest,
        encoding::FOR_PROGRAMS,
    )
    .await
}

/// Responds with a stream of events, encoded like this, as long as the caller meets this requirement; with 404 if push is off.
pub(super) async fn respond(
    context: &RequestContext,
    requirement: AccessRequirement,
    project: ProjectName,
    last_event_digest: Option<ProjectDigest>,
    encoding: Encoding,
) -> Result<HttpResponse, ApiError> {
    if !context.state.has_event_streams {
        return not_found(context).await;
    }
    let mut response = HttpResponse::Ok();
    response.insert_header(STREAM).insert_header(NOT_BUFFERED);
    if context.request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let stream = EventStream::open(context, requirement, project, last_event_digest, encoding)?;
    Ok(response.streaming(stream.into_bytes()))
}

/// Decodes and checks the project, and the digest that the caller knows.
fn decode(context: &RequestContext) -> Result<(ProjectName, Option<ProjectDigest>), ApiError> {
    let request = &context.request;
    let project = request.match_info().get(PROJECT).unwrap_or_default();
    let query = EventsQuery::parse(project, request.query_string());
    let query = query.map_err(ApiError::InvalidRequest)?;
    let project = valid_project(&query.project)?;
    let last_event_digest = last_event(context).or(query.since.as_deref());
    Ok((project, last_event_digest.and_then(ProjectDigest::parse)))
}

/// Returns the id of the last event that the caller received.
pub(super) fn last_event(context: &RequestContext) -> Option<&str> {
    let last = context.request.headers().get(LAST_EVENT_ID)?;
    Some(last.to_str().unwrap_or_default())
}
