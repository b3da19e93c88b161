//! Why a form was not carried out, and the way back to it.

use form_urlencoded::byte_serialize;
use maud::{Markup, html};

use super::effect_link;
use crate::access::Identity;
use crate::dashboard::change::{Kind, Wanted};
use crate::dashboard::error::PageError;
use crate::dashboard::parts::{Frame, copy_button, lines, shown};
use crate::dashboard::query::{HOME, Query, flag_link, link};
use crate::dashboard::sources::DashboardSettings;

/// The longest comment that an address carries, in bytes: signing in encodes it twice.
const CARRIED: usize = 1_000;

/// The most characters of a comment on the page; the form takes no more.
const SHOWN: usize = 4_000;

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
    let comment = form.get("comment").trim();
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
        @if !comment.is_empty() { (typed(comment)) }
    })
}

/// The comment that was typed, so that it is not lost.
fn typed(comment: &str) -> Markup {
    let shown: String = comment.chars().take(SHOWN).collect();
    html! {
        h2 id="typed" { "Your comment" }
        @if comment.len() <= CARRIED { p.hint { "It stands in the form again when you open it from here." } }
        @else { p.hint { "It is too long to be carried over: copy it." } }
        p { (lines(&shown)) }
        (copy_button(&shown, "comment"))
    }
}

/// The address of the page that shows what was wanted, with the comment in its form unless that is long.
fn effect(form: &Query) -> Option<String> {
    let kind = Kind::of(form).ok()?;
    let wanted = Wanted::of(kind, form).ok()??;
    let address = effect_link(&form.flag().ok()?, &wanted);
    let comment = form.get("comment").trim();
    if comment.is_empty() || comment.len() > CARRIED {
        return Some(address);
    }
    let comment: String = byte_serialize(comment.as_bytes()).collect();
    Some(format!("{address}&comment={comment}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(comment: &str) -> String {
        let form = format!("project=p&type=feature&name=f&do=off&base=x&token=t&comment={comment}");
        effect(&Query::parse(form.as_bytes())).unwrap()
    }

    #[test]
    fn a_comment_is_carried_over_within_a_bound_and_nothing_else_is() {
        let begin = "/dashboard/change?project=p&type=feature&name=f&do=off";
        assert_eq!(link(""), begin);
        assert_eq!(link("+%0A"), begin);
        assert_eq!(
            link("a+%26b%3D%22%0A1"),
            format!("{begin}&comment=a+%26b%3D%22%0A1")
        );
        assert!(link(&"a".repeat(CARRIED)).ends_with("aaa"));
        assert_eq!(link(&"a".repeat(CARRIED + 1)), begin);
    }

    #[test]
    fn a_comment_of_any_length_is_shown_as_text() {
        let text = typed(&"<img>".repeat(2_000)).into_string();
        assert!(
            text.contains("too long") && !text.contains("<img>"),
            "{text}"
        );
        assert_eq!(text.matches("&lt;img&gt;").count(), 2 * SHOWN / 5);
    }
}
