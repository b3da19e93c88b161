//! What the service counts, as Prometheus reads it.
//!
//! Each part of the service counts in a struct of its own, whose metrics it resolves when it starts: the request path
//! looks no label up. Labels are bounded; no instance id and no request id is ever one.
mod requests;

use actix_web::HttpResponse;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::problem::ApiError;
use crate::routes::Route;
use crate::visit::Visit;

pub(crate) use self::requests::RequestMetrics;

/// The media type of the text that `/metrics` answers with.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Requests.
    pub(crate) requests: RequestMetrics,
}

impl Metrics {
    /// Begins to count requests; what else is counted is in `registry` already.
    pub(crate) fn new(mut registry: Registry) -> Self {
        let requests = RequestMetrics::register(&mut registry);
        Self { registry, requests }
    }
}

/// A registry whose metrics all begin with `flag_`.
pub(crate) fn registry() -> Registry {
    Registry::with_prefix("flag")
}

/// Answers `GET /metrics`.
pub(crate) async fn metrics(visit: Visit) -> HttpResponse {
    let scrape = async {
        let mut text = String::new();
        encode(&mut text, &visit.site.metrics.registry).map_err(|_| ApiError::Internal)?;
        Ok(HttpResponse::Ok().content_type(OPENMETRICS).body(text))
    };
    visit.answer(Route::Metrics, scrape).await
}
