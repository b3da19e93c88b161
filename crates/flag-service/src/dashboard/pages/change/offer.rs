//! What the pages of a flag and of a revision offer to change, and what was changed just now.

use flag_describe::sentence;
use flag_model::{FlagKey, Revision, Timestamp};
use maud::{Markup, html};

use super::{change_link, check_may_change, effect_link};
use crate::access::Viewer;
use crate::dashboard::change::{Kind, Wanted};
use crate::dashboard::error::PageError;
use crate::dashboard::pages::stored::StoredRevision;
use crate::dashboard::pages::timeline::Numbers;
use crate::dashboard::parts::shown;
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::{DashboardSettings, Writes};

/// Links to the changes that the caller may make, or why there are none.
pub(in crate::dashboard::pages) fn offer(
    settings: &DashboardSettings,
    request: &PageRequest,
    flag: &FlagKey,
    history: &[StoredRevision],
) -> Markup {
    if settings.writes == Writes::Off {
        return html! { p.hint { "The dashboard only reads. These commands ask before they write." } };
    }
    if let Err(why) = check_may_change(settings, &request.viewer, flag) {
        return no_offer(&why, request);
    }
    let Some(newest) = history.first() else {
        return html! {};
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
        p.hint { "Each shows first what it does, and asks before it writes. So do these commands." }
    }
}

fn no_offer(why: &PageError, request: &PageRequest) -> Markup {
    let identity = request.identity.as_ref();
    html! {
        p.hint {
            @match why {
                PageError::NoAdmin if why.is_mended_by_signing_in(identity) => {
                    "To change flags here takes a key with the scope " code { "admin" } " for this project."
                }
                _ => (why.message(identity)),
            }
            " These commands ask before they write."
        }
    }
}

/// The link to the effect of rolling back to a revision, if the caller may.
pub(in crate::dashboard::pages) fn roll_back_to(
    settings: &DashboardSettings,
    viewer: &Viewer,
    flag: &FlagKey,
    made: Timestamp,
) -> Markup {
    let may = check_may_change(settings, viewer, flag).is_ok();
    html! {
        @if may {
            p.actions { a.action href=(effect_link(flag, &Wanted::Rollback(made))) { "Show what rolling back to it does…" } }
        }
    }
}

/// What was changed just now, for the page that the browser was sent to.
pub(in crate::dashboard::pages) fn done(
    request: &PageRequest,
    history: &[StoredRevision],
    numbers: &Numbers,
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

fn overtaken(made: &Revision, newest: &Revision, numbers: &Numbers) -> Markup {
    html! {
        (numbers.label(made.created())) " was made, but " (numbers.label(newest.created()))
        @if let Some(by) = &newest.owner { ", by " (shown(by.as_str())) "," }
        " has come after it and is in force: " bdi { (sentence(newest)) } "."
    }
}
