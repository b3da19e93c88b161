//! `GET /dashboard/events`: the events of a project for a page of the dashboard, whose browser has signed in.

use actix_web::HttpResponse;
use actix_web::web::Data;
use flag_api::PROJECT;
use flag_keys::Scope;
use flag_store::ProjectDigest;

use super::{encoding, last_event, respond};
use crate::access::AccessRequirement;
use crate::dashboard::Dashboard;
use crate::http::{ApiError, RequestContext, not_found, valid_project};

/// What the viewer must still have while the stream is open.
const REQUIREMENT: AccessRequirement = AccessRequirement::NeedsForProject(Scope::Read);

/// Answers `GET /dashboard/events?project=…`: a stream of events.
pub(in crate::handlers) async fn dashboard_events(
    context: &RequestContext,
) -> Result<HttpResponse, ApiError> {
    let request = &context.request;
    if request.app_data::<Data<Dashboard>>().is_none() {
        return not_found(context).await;
    }
    let viewer = context.authorization.viewer()?;
    let mut pairs = form_urlencoded::parse(request.query_string().as_bytes());
    let project = pairs.find_map(|(name, value)| (name == PROJECT).then_some(value));
    let project = valid_project(&project.unwrap_or_default())?;
    // As for its pages: a project that the viewer may not see does not exist.
    if !viewer.may_see(&project) {
        return not_found(context).await;
    }
    let last_event_digest = last_event(context).and_then(ProjectDigest::parse);
    respond(
        context,
        REQUIREMENT,
        project,
        last_event_digest,
        encoding::FOR_PAGES,
    )
    .await
}
