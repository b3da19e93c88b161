//! The state of this replica: store, caches, exposures, build.

use flag_describe::{SILENT_REPLICA, clock_error};
use flag_model::Timestamp;
use flag_store::{KnownReplicas, Replica, StoreError, known_replicas};
use maud::{Markup, html};
use serde_json::Value;

use crate::dashboard::error::PageError;
use crate::dashboard::parts::{Frame, again_and_again, shown, time};
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;
use crate::telemetry::metrics::Exposition;

/// The metrics on the page, by the beginning of their names, under a heading each.
const METRICS: [(&str, &[&str]); 4] = [
    ("Flags in memory", &["flag_cache_", "flag_flags_"]),
    (
        "Exposures",
        &[
            "flag_exposures_",
            "flag_exposure_lag",
            "flag_exposure_counts",
            "flag_exposure_waits",
        ],
    ),
    (
        "Calls to the store",
        &["flag_store_circuit", "flag_store_calls"],
    ),
    (
        "Pages of the dashboard",
        &["flag_requests_total{route=\"/dashboard\""],
    ),
];

/// The page.
pub(super) async fn render(sources: &Sources, request: &PageRequest) -> Result<Markup, PageError> {
    let (status, health) = request.state.readiness.describe().await;
    let health = serde_json::to_value(health).map_err(|_| PageError::Internal)?;
    let metrics = request.state.metrics.text(Exposition::Prometheus);
    let metrics = metrics.map_err(|_| PageError::Internal)?;
    let replicas = known_replicas(&*sources.log).await;
    let replicas = replicas.map(|replicas| replicas.seen_at(request.now));
    let frame = Frame {
        settings: &sources.settings,
        title: "Health",
        crumbs: Vec::new(),
        identity: request.identity.as_ref(),
    };
    Ok(frame.render(&html! {
        (again_and_again())
        p { "Of the replica that answered, at " (time(request.now)) ". Another one may answer the next time." }
        section aria-labelledby="replica" {
            h2 id="replica" { "Replica" }
            dl.about {
                div { dt { "Readiness" } dd { (status.as_u16()) " " (shown(&text(health.get("status")))) } }
                @for (name, value) in fields(&health) { div { dt { (name) } dd { (shown(&value)) } } }
                div { dt { "Build" } dd { "flag-service " (env!("CARGO_PKG_VERSION")) } }
            }
        }
        (others(replicas, request.now))
        @for (heading, prefixes) in METRICS { (section(heading, prefixes, &metrics)) }
    }))
}

/// All replicas that have reported in the last minutes.
fn others(replicas: Result<KnownReplicas, StoreError>, now: Timestamp) -> Markup {
    html! {
        section {
            h2 { "All replicas" }
            @match replicas {
                Ok(replicas) if replicas.live.is_empty() && replicas.silent.is_empty() => p { "None has reported in the last 3 minutes." },
                Ok(replicas) => div.wide tabindex="0" role="region" aria-label="All replicas" {
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
                Err(_) => p { "The log did not answer." },
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

fn section(heading: &str, prefixes: &[&str], metrics: &str) -> Markup {
    let lines = metrics.lines().filter(|line| {
        prefixes.iter().any(|prefix| line.starts_with(prefix)) && !line.contains("_bucket{")
    });
    let values = lines.filter_map(|line| line.rsplit_once(' '));
    let values: Vec<_> = values
        .filter(|(_, value)| !["0", "0.0"].contains(value))
        .collect();
    html! {
        section {
            h2 { (heading) }
            @if values.is_empty() {
                p { "Every number is 0." }
            } @else {
                div.wide tabindex="0" role="region" aria-label=(heading) {
                    table {
                        thead { tr { th scope="col" { "Metric" } th.number scope="col" { "Value" } } }
                        tbody { @for (name, value) in values { tr { th scope="row" { code { (name) } } td.number { (value) } } } }
                    }
                }
            }
        }
    }
}

/// The fields of the health of a replica, except its status; names as in `/readyz`, with spaces.
fn fields(health: &Value) -> Vec<(String, String)> {
    let fields = health.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| *name != "status");
    fields
        .map(|(name, value)| (name.replace('_', " "), text(Some(value))))
        .collect()
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}
