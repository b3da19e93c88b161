//! The form that confirms a change: why, and in production the name of the flag.

use maud::{Markup, html};

use super::offer::reason;
use super::{ChangePage, Missing};
use crate::dashboard::change::{NextRevision, Wanted};
use crate::dashboard::error::PageError;
use crate::dashboard::pages::timeline::RevisionNumbers;
use crate::dashboard::parts::{capitalised, shown};
use crate::dashboard::query::{flag_link, flag_parameters, link};

impl ChangePage<'_> {
    /// The form.
    pub(super) fn confirmation(
        &self,
        wanted: &Wanted,
        next: &NextRevision,
        numbers: &RevisionNumbers,
    ) -> Markup {
        let flag = &self.state.flag;
        let wants_name = next.wants_name(&self.sources.settings.environment);
        html! {
            section aria-labelledby="confirm-it" {
                h2 id="confirm-it" { "Confirm" }
                @for warning in &next.warnings { p.problem { (warning) } }
                @for risk in &next.risks { p.notice { "Careful: " (risk.to_string()) "." } }
                form.change method="post" action=(link("/change", &[])) {
                    @for (name, value) in flag_parameters(flag) { input type="hidden" name=(name) value=(value); }
                    @for (name, value) in wanted.parameters() { input type="hidden" name=(name) value=(value); }
                    @if let Some(newest) = self.state.newest_created() {
                        input type="hidden" name="base" value=(newest.to_string());
                        @if let Some(tokens) = &self.request.form_tokens {
                            input type="hidden" name="token" value=(tokens.token(&wanted.purpose(flag, newest)));
                        }
                    }
                    (self.comment())
                    @if wants_name { (self.name()) }
                    p.hint {
                        @if let Ok(editor) = self.request.viewer.editor() { "Recorded as a change of " (shown(editor.as_str())) }
                        @if let Some(newest) = self.state.newest_created() { ", made on " (numbers.label(newest)) }
                        "."
                    }
                    p.actions {
                        button.action type="submit" { (button(wanted, numbers)) }
                        " " a href=(flag_link(flag)) { "Cancel" }
                    }
                }
            }
        }
    }

    /// What stands in the place of the form for people who may only look: why, and what the form would warn of.
    pub(super) fn no_form(&self, next: &NextRevision, why: &PageError) -> Markup {
        html! {
            section aria-labelledby="confirm-it" {
                h2 id="confirm-it" { "Nothing to confirm" }
                @for warning in &next.warnings { p.problem { (warning) } }
                @for risk in &next.risks { p.notice { "Careful: " (risk.to_string()) "." } }
                p.notice { "This is what the change would do; there is no form for it. " (reason(why, self.request)) }
                p { a href=(flag_link(&self.state.flag)) { "Back to the flag" } }
            }
        }
    }

    fn comment(&self) -> Markup {
        let Missing { comment, .. } = self.missing;
        let described = if comment {
            "no-comment"
        } else {
            "comment-hint"
        };
        html! {
            label for="comment" { "Why" }
            @if comment { p.problem id="no-comment" role="alert" { "Say why: the comment is missing. Nothing was changed." } }
            textarea id="comment" name="comment" rows="3" required maxlength="4000" aria-describedby=(described)
                aria-invalid=[comment.then_some("true")] autofocus[comment] { (self.request.query.get("comment")) }
            p.hint id="comment-hint" { "Everybody reads it in the history of the flag." }
        }
    }

    fn name(&self) -> Markup {
        let Missing {
            comment,
            name: is_wrong,
        } = self.missing;
        let name = self.state.flag.name.as_str();
        let described = if is_wrong { "wrong-name" } else { "name-hint" };
        html! {
            label for="confirm" { "Name of the flag" }
            @if is_wrong { p.problem id="wrong-name" role="alert" {
                "This is not the name of the flag. Nothing was changed." } }
            input id="confirm" name="confirm" type="text" required autocomplete="off" autocapitalize="none" spellcheck="false"
                aria-describedby=(described) aria-invalid=[is_wrong.then_some("true")] autofocus[is_wrong && !comment];
            p.hint id="name-hint" { "Type " code { (shown(name)) } " to confirm"
                @if flag_describe::visible(name) != name { ", with the quotes and codes: the name has characters that nobody sees" } "." }
        }
    }
}

fn button(wanted: &Wanted, numbers: &RevisionNumbers) -> String {
    match wanted {
        Wanted::Rollback(to) => format!("Roll back to {}", numbers.label(*to)),
        Wanted::Percent { group, percent } => {
            format!("Set {} to {percent} %", flag_describe::visible(group))
        }
        Wanted::Off { .. } => capitalised("give the control value to everybody"),
    }
}
