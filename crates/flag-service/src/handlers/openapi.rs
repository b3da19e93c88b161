//! `GET /openapi.json`: the description of the service, for programs.

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;

use crate::http::{ApiError, RequestContext};
use crate::openapi::document;

/// Answers `GET /openapi.json`.
pub(super) async fn openapi(_: &RequestContext) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok()
        .content_type(ContentType::json())
        .body(document()))
}
