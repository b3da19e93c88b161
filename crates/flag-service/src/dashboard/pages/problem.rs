//! The page of an error.

use maud::{Markup, html};

use crate::access::Identity;
use crate::dashboard::error::PageError;
use crate::dashboard::parts::{Frame, shown};
use crate::dashboard::query::{HOME, link};
use crate::dashboard::sources::DashboardSettings;

/// Says what happened, and what to do.
pub(in crate::dashboard) fn problem(
    error: &PageError,
    identity: Option<&Identity>,
    settings: &DashboardSettings,
) -> Markup {
    let frame = Frame {
        settings,
        title: "No page",
        crumbs: Vec::new(),
        identity,
    };
    frame.render(&html! {
        p.problem role="alert" { (shown(&error.message(identity))) }
        p {
            a href=(HOME) { "Projects" }
            @if error.is_mended_by_signing_in(identity) { " · " a href=(link("/sign-in", &[])) { "Sign in" } }
        }
    })
}
