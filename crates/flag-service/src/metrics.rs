//! What the service counts, as Prometheus reads it.
//!
//! Each part of the service counts in a struct of its own, whose metrics it resolves when it starts: the request path
//! looks no label up. Labels are bounded; no instance id and no request id is ever one.
mod build;
mod decisions;
mod exposition;
mod latencies;
mod process;
mod requests;

use actix_web::HttpResponse;
use actix_web::http::header::{ACCEPT, VARY};
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

use crate::problem::ApiError;
use crate::routes::Route;
use crate::visit::Visit;

pub(crate) use self::build::VERSION;
pub(crate) use self::decisions::DecisionMetrics;
pub(crate) use self::exposition::Exposition;
pub(crate) use self::requests::RequestMetrics;

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    process: Registry,
    /// Requests.
    pub(crate) requests: RequestMetrics,
    /// Decisions.
    pub(crate) decisions: DecisionMetrics,
}

impl Metrics {
    /// Begins to count requests; what else is counted is in `registry` already.
    pub(crate) fn new(mut registry: Registry) -> Self {
        let requests = RequestMetrics::register(&mut registry);
        let decisions = DecisionMetrics::register(&mut registry);
        build::register(&mut registry);
        let mut process = Registry::default();
        process::register(&mut process);
        Self {
            registry,
            process,
            requests,
            decisions,
        }
    }

    /// Everything, as it stands.
    fn text(&self, exposition: Exposition) -> Result<String, ApiError> {
        let mut text = String::new();
        for registry in [&self.registry, &self.process] {
            encode_registry(&mut text, registry).map_err(|_| ApiError::Internal)?;
        }
        Ok(exposition.of(&text))
    }
}

/// A registry whose metrics all begin with `flag_`.
pub(crate) fn registry() -> Registry {
    Registry::with_prefix("flag")
}

/// Answers `GET /metrics`.
pub(crate) async fn metrics(visit: Visit) -> HttpResponse {
    let scrape = async { scrape(&visit) };
    visit.answer(Route::Metrics, scrape).await
}

fn scrape(visit: &Visit) -> Result<HttpResponse, ApiError> {
    let accept = visit.request.headers().get(ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let exposition = Exposition::accepted(accept.unwrap_or_default());
    let text = visit.site.metrics.text(exposition)?;
    Ok(HttpResponse::Ok()
        .content_type(exposition.media_type())
        .insert_header((VARY, "Accept"))
        .body(text))
}
