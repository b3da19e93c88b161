//! Who gets what: what an instance receives, now or at a past time, why, and what was really served to it lately.

use flag_model::{BUCKETS, CONTROL_GROUP, FlagKey, InstanceId, Reason, Revision, Timestamp};
use flag_rollout::{Decision, Plan, decide};
use flag_store::StoreError;
use flag_verify::{RecheckedExposure, recheck_around};
use maud::{Markup, html};

use super::commands::explain;
use super::stored::readable;
use super::timeline::RevisionNumbers;
use crate::dashboard::error::PageError;
use crate::dashboard::parts::{bucket_line, command, kept_fields, shown, thousands, time};
use crate::dashboard::query::{Query, parse_time, revision_link};
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;

/// The most exposures on the page; with a time as many again after it.
const SERVED: usize = 10;

/// What was served to an instance lately, or why that is not known.
type ServedLately = Result<Vec<RecheckedExposure>, StoreError>;

/// The form.
pub(super) fn form(query: &Query) -> Markup {
    html! {
        form.filter method="get" action="#lookup" {
            (kept_fields(query, &["instance", "at"]))
            div { label for="instance" { "Instance id" }
                input id="instance" name="instance" value=(query.get("instance")) required autocomplete="off" spellcheck="false"; }
            div { label for="at" { "Time (UTC), or how long ago" }
                input id="at" name="at" value=(query.get("at")) placeholder="now, 24h, 2026-11-28 12:00" autocomplete="off" spellcheck="false"; }
            button type="submit" { "Look up" }
        }
    }
}

/// The answer, if an instance is asked about.
pub(super) async fn lookup(
    sources: &Sources,
    request: &PageRequest,
    flag: &FlagKey,
    numbers: &RevisionNumbers,
) -> Result<Option<Markup>, PageError> {
    let Some(text) = request.query.given("instance") else {
        return Ok(None);
    };
    let problem = |text: &str| html! { p.problem role="alert" { (shown(text)) } };
    let instance = match InstanceId::new(text) {
        Ok(instance) => instance,
        Err(error) => return Ok(Some(problem(&error.to_string()))),
    };
    let at = request.query.given("at");
    let moment = at.map(|text| parse_time(text, request.now));
    let revision = match moment {
        None => sources.store.newest_revision(flag).await,
        Some(Some(at)) => sources.store.revision_at(flag, at).await,
        Some(None) => {
            let text = "The time must be in UTC, such as 2026-11-28 12:00:00, or how long ago, such as 30m, 24h or 7d.";
            return Ok(Some(problem(text)));
        }
    };
    let decided = match readable(revision)? {
        Some(Ok(revision)) => decided(&revision, &instance, flag, numbers),
        Some(Err(error)) => problem(&format!("That revision cannot be read: {error}")),
        None => html! { p { "There was no revision then: the flag was not served." } },
    };
    let at = moment.flatten();
    let records = (&sources.store, &*sources.log);
    let served = recheck_around(records, &sources.id_mode, flag, &instance, at, SERVED).await;
    Ok(Some(html! {
        div.answer role="status" {
            h3 { (shown(text)) " "
                @match at { Some(at) => { "at " (time(at)) } None => { "now" } } }
            (decided)
        }
        h3 { @match at { Some(_) => { "Served to it around that time" } None => { "Served to it lately" } } }
        (lately(&served))
        (command(&explain(flag, text, at)))
    }))
}

fn decided(
    revision: &Revision,
    instance: &InstanceId<'_>,
    flag: &FlagKey,
    numbers: &RevisionNumbers,
) -> Markup {
    let plan = Plan::compile(revision.clone());
    let decision = decide(&plan, instance);
    html! {
        dl.about {
            div { dt { "Value" } dd { code.value { (shown(&decision.value.to_string())) } } }
            div { dt { "Group" } dd { (shown(decision.rollout_group)) } }
            div { dt { "Reason" } dd { (reason(&decision)) } }
            div { dt { "Revision" } dd { a href=(revision_link(flag, decision.revision)) { (numbers.label(decision.revision)) }
                " of " (time(decision.revision)) } }
        }
        (bucket_line(revision, decision.bucket))
    }
}

fn reason(decision: &Decision<'_>) -> String {
    let bucket = decision.bucket.map(|bucket| {
        let (number, all) = (bucket.get().into(), BUCKETS.into());
        format!("bucket {} of {}", thousands(number), thousands(all))
    });
    let bucket = bucket.unwrap_or_default();
    match decision.reason {
        Reason::Override => "override: it is in the list of the treatment".to_owned(),
        Reason::Rollout => format!("rollout: {bucket} is in the ranges of the treatment"),
        Reason::Control | Reason::Delivered => {
            format!("{CONTROL_GROUP}: no treatment has {bucket}")
        }
    }
}

fn lately(served: &ServedLately) -> Markup {
    let Ok(served) = served else {
        return html! { p.problem { "The exposure log does not answer." } };
    };
    html! {
        @if served.is_empty() {
            p { "Nothing is logged." }
        } @else {
            div.wide tabindex="0" role="region" aria-label="Served lately" {
                table {
                    thead { tr { th scope="col" { "Time" } th scope="col" { "Value" } th scope="col" { "Group" } th scope="col" { "Reason" } th scope="col" { "Revision" } th scope="col" { "Agrees" } } }
                    tbody {
                        @for again in served {
                            @let exposure = &again.exposure;
                            tr {
                                td { (logged_time(&exposure.created)) }
                                td { code.value { (shown(&exposure.value)) } }
                                td { (shown(&exposure.rollout_group)) }
                                td { (shown(exposure.reason.as_deref().unwrap_or("–"))) }
                                td { (logged_time(exposure.revision.as_deref().unwrap_or("–"))) }
                                td { (agrees(again)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether the revision that an exposure names decides the same.
fn agrees(again: &RecheckedExposure) -> &'static str {
    match again.agrees() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

/// A time as it stands in the exposure log, which other tooling may have written.
fn logged_time(text: &str) -> Markup {
    match Timestamp::parse(text) {
        Ok(at) => time(at),
        Err(_) => shown(text),
    }
}
