//! Why a form was not carried out, and the way back to it.

use maud::{Markup, html};

use super::effect_link;
use crate::access::Identity;
use crate::dashboard::change::{Kind, Wanted};
use crate::dashboard::error::PageError;
use crate::dashboard::parts::{Frame, shown};
use crate::dashboard::query::{HOME, Query, flag_link, link};
use crate::dashboard::sources::DashboardSettings;

/// Says why a form was not carried out, with the ways to go on.
pub(in crate::dashboard) fn refused(
    error: &PageError,
    form: &Query,
    identity: Option<&Identity>,
    settings: &DashboardSettings,
) -> Markup {
    let title = match error {
        PageError::NotKnown => "Perhaps changed",
        _ => "Not changed",
    };
    let flag = form.flag().ok();
    let again = effect(form);
    let to_sign_in = error.is_mended_by_signing_in(identity);
    let next = again.as_deref().unwrap_or(HOME);
    let frame = Frame {
        settings,
        title,
        crumbs: Vec::new(),
        identity,
    };
    frame.render(&html! {
        p.problem role="alert" { (shown(&error.message(identity))) }
        p.actions {
            @if to_sign_in { a.action href=(link("/sign-in", &[("next", next)])) { "Sign in" } " " }
            @else if let Some(again) = &again { a.action href=(again) { "Open the form again" } " " }
            @if let Some(flag) = &flag { a href=(flag_link(flag)) { "Back to the flag" } }
            @else { a href=(HOME) { "Projects" } }
        }
    })
}

/// The address of the page that shows what was wanted.
fn effect(form: &Query) -> Option<String> {
    let kind = Kind::of(form).ok()?;
    let wanted = Wanted::of(kind, form).ok()??;
    Some(effect_link(&form.flag().ok()?, &wanted))
}
