//! Marks that tell the script `live.js` to keep a page up to date; without it they do nothing.

use flag_model::{FlagKey, ProjectName};
use maud::{Markup, html};

use crate::dashboard::query::link;
use crate::http::HEARTBEAT;

/// How often a page is made again that shows what no event announces, in milliseconds.
const EVERY: u128 = 2_000;

/// How often a page with counts is made again, in milliseconds: as often as replicas write them.
const COUNTS_EVERY: u128 = 60_000;

/// The page is made again when a flag of the project changes, or this flag; nothing if the service sends no events.
pub(in crate::dashboard) fn follows(
    has_event_streams: bool,
    project: &ProjectName,
    flag: Option<&FlagKey>,
) -> Markup {
    let events = link("/events", &[("project", project.as_str())]);
    let flag = flag.map(|flag| format!("{}/{}", flag.flag_type.as_str(), flag.name.as_str()));
    html! {
        @if has_event_streams { div hidden data-events=(events) data-flag=[flag] data-beat=(HEARTBEAT.as_millis()) {} }
    }
}

/// The page is made again every two seconds.
pub(in crate::dashboard) fn again_and_again() -> Markup {
    html! { div hidden data-beat=(EVERY) {} }
}

/// The page is made again each minute besides, as it shows counts.
pub(in crate::dashboard) fn each_minute() -> Markup {
    html! { div hidden data-every=(COUNTS_EVERY) {} }
}
