//! What the pages of a flag and of a revision offer to change, and what was changed just now.

use flag_describe::sentence;
use flag_model::{FlagKey, Revision, Timestamp};
use maud::{Markup, html};

use super::{change_link, check_may_change, effect_link};
use crate::dashboard::change::{Kind, Wanted};
use crate::dashboard::error::PageError;
use crate::dashboard::pages::stored::StoredRevision;
use crate::dashboard::pages::timeline::RevisionNumbers;
use crate::dashboard::parts::shown;
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::DashboardSettings;

/// Links to the pages of changes; with the reason for people who may only look.
pub(in crate::dashboard::pages) fn offer(
    settings: &DashboardSettings,
    request: &PageRequest,
    flag: &FlagKey,
    history: &[StoredRevision],
) -> Markup {
    let Some(newest) = history.first() else {
        return html! { p.hint { "These commands ask before they write." } };
    };
    let newest = newest.as_ref().ok();
    let treatments = newest.map_or(0, |newest| newest.treatments.len());
    let to = |kind, text| html! { a.action href=(change_link(flag, kind)) { (text) } " " };
    html! {
        p.actions {
            @if history.len() > 1 { (to(Kind::Rollback, "Roll back…")) }
            @if treatments > 0 {
                (to(Kind::Percent, "Set a percentage…"))
                (to(Kind::Off, "Switch off…"))
            }
        }
        @match check_may_change(settings, &request.viewer, flag) {
            Ok(()) => p.hint { "Each shows first what it does, and asks before it writes. So do these commands." },
            Err(why) => p.hint { "Each only shows what it would do. " (reason(&why, request)) " These commands ask before they write." },
        }
    }
}

/// Why the caller can change nothing here.
pub(super) fn reason(why: &PageError, request: &PageRequest) -> Markup {
    let identity = request.identity.as_ref();
    match why {
        PageError::ReadOnly => html! {
            "This dashboard only reads; " code { "FLAG_DASHBOARD_WRITES=on" } " allows changes here."
        },
        PageError::NoAdmin if why.is_mended_by_signing_in(identity) => html! {
            "To change flags here takes a key with the scope " code { "admin" } " for this project."
        },
        _ => html! { (why.message(identity)) },
    }
}

/// The link to the effect of rolling back to a revision.
pub(in crate::dashboard::pages) fn roll_back_to(
    settings: &DashboardSettings,
    request: &PageRequest,
    flag: &FlagKey,
    made: Timestamp,
) -> Markup {
    let link = effect_link(flag, &Wanted::Rollback(made));
    html! {
        p.actions { a.action href=(link) { "Show what rolling back to it does…" } }
        @if let Err(why) = check_may_change(settings, &request.viewer, flag) { p.hint { (reason(&why, request)) } }
    }
}

/// What was changed just now, for the page that the browser was sent to.
pub(in crate::dashboard::pages) fn done(
    request: &PageRequest,
    history: &[StoredRevision],
    numbers: &RevisionNumbers,
) -> Markup {
    let done = request.query.given("done");
    let done = done.and_then(|done| Timestamp::parse(done).ok());
    let mut readable = history.iter().flatten();
    let Some(made) = readable.find(|revision| Some(revision.created()) == done) else {
        return html! {};
    };
    let newest = history.first().and_then(|newest| newest.as_ref().ok());
    html! {
        p.done role="status" data-say {
            @match newest {
                Some(newest) if newest.created() != made.created() => (overtaken(made, newest, numbers)),
                _ => { (numbers.label(made.created())) " is in force: " bdi { (sentence(made)) } "." }
            }
        }
    }
}

fn overtaken(made: &Revision, newest: &Revision, numbers: &RevisionNumbers) -> Markup {
    html! {
        (numbers.label(made.created())) " was made, but " (numbers.label(newest.created()))
        @if let Some(by) = &newest.owner { ", by " (shown(by.as_str())) "," }
        " has come after it and is in force: " bdi { (sentence(newest)) } "."
    }
}
