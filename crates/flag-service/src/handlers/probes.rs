//! `GET /livez` and `GET /readyz`: the probes of Kubernetes.

use actix_web::HttpResponse;

use crate::http::{ApiError, Health, RequestContext};

/// Answers `GET /livez`: the process answers requests.
pub(super) async fn livez(_: &RequestContext) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(Health::LIVE))
}

/// Answers `GET /readyz`: flags can be served.
pub(super) async fn readyz(context: &RequestContext) -> Result<HttpResponse, ApiError> {
    let (status, health) = context.state.readiness.describe().await;
    Ok(HttpResponse::build(status).json(health))
}
