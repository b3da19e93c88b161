//! The state of this replica: store, flags by name, propagation, event streams, exposures, caches, build.
mod flags;
mod numbers;
mod readings;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use flag_describe::{SILENT_REPLICA, clock_error};
use flag_model::Timestamp;
use flag_store::{KnownReplicas, Replica, known_replicas};
use futures_util::future::join;
use maud::{Markup, html};
use serde_json::Value;
use tokio::time::timeout;

use self::flags::OfCache;
use self::readings::Readings;
use super::Page;
use crate::dashboard::error::PageError;
use crate::dashboard::parts::{Frame, again_and_again, capitalised, shown, time};
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;
use crate::telemetry::metrics::Exposition;

/// How long the page waits for the store and for the exposure log: less than a page may take, as it is needed most when they
/// fail.
const WAITS: Duration = Duration::from_millis(1_200);

/// What the page shows.
struct HealthPage {
    sources: Arc<Sources>,
    request: Arc<PageRequest>,
    /// The text that scrapers get.
    metrics: String,
    /// The answer of `/readyz`; none if the store does not answer in time.
    health: Option<(StatusCode, Value)>,
    flags: OfCache,
    replicas: Option<KnownReplicas>,
}

/// Gathers what the page shows.
pub(super) async fn gather(
    sources: &Arc<Sources>,
    request: &Arc<PageRequest>,
) -> Result<Page, PageError> {
    let (health, replicas) = join(
        timeout(WAITS, request.state.readiness.describe()),
        timeout(WAITS, known_replicas(&*sources.log)),
    )
    .await;
    let health = match health {
        Ok((status, health)) => {
            let health = serde_json::to_value(health).map_err(|_| PageError::Internal)?;
            Some((status, health))
        }
        Err(_) => None,
    };
    let metrics = request.state.metrics.text(Exposition::Prometheus);
    let replicas = replicas.ok().and_then(Result::ok);
    let page = HealthPage {
        sources: Arc::clone(sources),
        request: Arc::clone(request),
        metrics: metrics.map_err(|_| PageError::Internal)?,
        health,
        flags: flags::of_cache(request),
        replicas: replicas.map(|replicas| replicas.as_of(request.now)),
    };
    Ok(Page::Deferred(Box::new(move || page.render())))
}

impl HealthPage {
    fn render(&self) -> Markup {
        let (request, readings) = (&*self.request, Readings::parse(&self.metrics));
        let frame = Frame {
            settings: &self.sources.settings,
            title: "Health",
            crumbs: Vec::new(),
            identity: request.identity.as_ref(),
        };
        frame.render(&html! {
            (again_and_again())
            p { "Of the replica that answered, at " (time(request.now)) ". Another one may answer the next time." }
            (replica(self.health.as_ref(), &readings))
            (flags::section(&self.flags, request, &readings))
            (numbers::sections(&readings))
            (others(self.replicas.as_ref(), request.now))
        })
    }
}

/// Readiness and build of the replica that answered.
fn replica(health: Option<&(StatusCode, Value)>, readings: &Readings) -> Markup {
    let build = readings.all("flag_build_info").next();
    let of_build = |name: &str| build.map_or("unknown", |build| build.label(name));
    html! {
        section aria-labelledby="replica" {
            h2 id="replica" { "Replica" }
            dl.about {
                @if let Some((status, health)) = health {
                    div { dt { "Readiness" } dd { (status.as_u16()) " " (shown(&text(health.get("status")))) } }
                    @for (name, value) in fields(health) { div { dt { (name) } dd { (shown(&value)) } } }
                } @else {
                    div { dt { "Readiness" } dd { "The store has not answered within 1.2 s." } }
                }
                div { dt { "Build" } dd { "flag-service " (of_build("version")) } }
                div { dt { "Commit" } dd { code { (shown(of_build("commit"))) } } }
                div { dt { "Compiler" } dd { "rustc " (of_build("rustc")) } }
            }
        }
    }
}

/// All replicas that have reported in the last minutes.
fn others(replicas: Option<&KnownReplicas>, now: Timestamp) -> Markup {
    html! {
        section {
            h2 { "All replicas" }
            @match replicas {
                Some(replicas) if replicas.live.is_empty() && replicas.silent.is_empty() => p { "None has reported in the last 3 minutes." },
                Some(replicas) => div.wide tabindex="0" role="region" aria-label="All replicas" {
                    table {
                        thead { tr { th scope="col" { "Name" } th scope="col" { "Build" } th scope="col" { "Started" } th.number scope="col" { "Last report" } th scope="col" { "Remark" } } }
                        tbody { @for replica in replicas.live.iter().chain(&replicas.silent) {
                            tr {
                                th scope="row" { (shown(&replica.name)) }
                                td { (shown(&replica.build)) }
                                td { (time(replica.started)) }
                                td.number { (now.since(replica.last_heard()).as_secs()) " s ago" }
                                td { (remark(replica, &replicas.silent)) }
                            }
                        } }
                    }
                },
                None => p { "The log did not answer." },
            }
            p { code { "flagctl replicas PROJECT" } " shows which of them serve the newest revisions." }
        }
    }
}

/// What is wrong with a replica.
fn remark(replica: &Replica, silent: &[Replica]) -> String {
    let mut remarks = Vec::new();
    if silent.iter().any(|silent| silent.id == replica.id) {
        remarks.push(SILENT_REPLICA.to_owned());
    }
    remarks.extend(replica.clock_error().map(clock_error));
    remarks.join("; ")
}

/// The fields of the health of a replica, except its status; names as in `/readyz`, with spaces.
fn fields(health: &Value) -> Vec<(String, String)> {
    let fields = health.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| *name != "status");
    fields
        .map(|(name, value)| (capitalised(&name.replace('_', " ")), text(Some(value))))
        .collect()
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}
