//! `GET …/ofrep/v1/events`: tells providers when to evaluate all flags again; and how a bulk answer names this stream.

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use flag_model::ProjectName;
use flag_runtime::Event;
use flag_store::ProjectDigest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::handlers::events::{COMMENT, Encoding, last_event, respond};
use crate::http::{ApiError, RequestContext, Route};

/// What is encoded in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How providers read events.
const ENCODING: Encoding = Encoding {
    event: encode,
    heartbeat: COMMENT,
};

/// Answers `GET …/ofrep/v1/events`: a stream of events.
pub(in crate::handlers) async fn events(
    context: &RequestContext,
) -> Result<HttpResponse, ApiError> {
    let project = context.project()?;
    context.check_project(&project)?;
    let last_event_digest = last_event(context).and_then(ProjectDigest::parse);
    let requirement = Route::OfrepEvents.required_access();
    respond(context, requirement, project, last_event_digest, ENCODING).await
}

fn encode(event: &Event) -> Bytes {
    let digest = event.digest;
    format!("id: {digest}\ndata: {{\"type\":\"refetchEvaluation\",\"etag\":\"{digest}\"}}\n\n")
        .into()
}

/// Returns the field of a bulk answer that names the stream; `None` if no stream can be opened.
///
/// The URL is the same for every answer to a caller: providers connect again when it changes.
pub(super) fn field(context: &RequestContext, project: &ProjectName) -> Option<String> {
    if !context.state.has_event_streams || context.state.limits.streams().is_full() {
        return None;
    }
    let path = Route::OfrepEvents.path();
    let encoded = utf8_percent_encode(project.as_str(), PART).to_string();
    let path = path.replace("{project}", &encoded);
    let token = context.authorization.stream_token(project);
    let query = token.map_or_else(String::new, |token| format!("?token={token}"));
    Some(format!(
        "\"eventStreams\":[{{\"type\":\"sse\",\"endpoint\":{{\"requestUri\":\"{path}{query}\"}}}}]"
    ))
}
