//! `GET /metrics`: the metrics, as Prometheus reads them.

use actix_web::HttpResponse;
use actix_web::http::header::{ACCEPT, VARY};

use crate::http::{ApiError, RequestContext};
use crate::telemetry::metrics::Exposition;

/// Answers `GET /metrics`.
pub(super) async fn metrics(context: &RequestContext) -> Result<HttpResponse, ApiError> {
    let accept = context.request.headers().get(ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let exposition = Exposition::accepted(accept.unwrap_or_default());
    let text = context.state.metrics.text(exposition);
    let text = text.map_err(|_| ApiError::Internal)?;
    Ok(HttpResponse::Ok()
        .content_type(exposition.media_type())
        .insert_header((VARY, "Accept"))
        .body(text))
}
