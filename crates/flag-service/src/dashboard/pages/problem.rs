//! The page of an error.

use maud::{Markup, html};

use crate::dashboard::error::PageError;
use crate::dashboard::parts::{Frame, shown};
use crate::dashboard::query::{HOME, link};
use crate::dashboard::sources::DashboardSettings;

/// Says what happened, and what to do.
pub(in crate::dashboard) fn problem(error: &PageError, settings: &DashboardSettings) -> Markup {
    let frame = Frame {
        settings,
        title: "No page",
        crumbs: Vec::new(),
        is_signed_in: false,
    };
    frame.render(&html! {
        p.problem role="alert" { (shown(&error.message())) }
        p {
            a href=(HOME) { "Projects" }
            @if let PageError::NoScope = error { " · " a href=(link("/sign-in", &[])) { "Sign in" } }
        }
    })
}
