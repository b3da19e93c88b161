//! What can be chosen: an earlier revision, a treatment and its percentage, or nothing more.

use flag_describe::sentence;
use flag_model::Revision;
use flag_rollout::are_equivalent;
use maud::{Markup, html};

use super::{ChangePage, effect_link};
use crate::dashboard::change::{Kind, SEARCHED, Wanted};
use crate::dashboard::pages::timeline::RevisionNumbers;
use crate::dashboard::parts::{lines, shown, time_ago};
use crate::dashboard::query::{flag_parameters, link};

/// How many revisions are listed, unless all are asked for.
const LISTED: usize = 20;

impl ChangePage<'_> {
    /// What can be chosen.
    pub(super) fn choice(&self, numbers: &RevisionNumbers) -> Markup {
        match self.kind {
            Kind::Rollback => self.revisions(numbers),
            Kind::Percent => self.treatments(),
            Kind::Off => html! {},
        }
    }

    fn revisions(&self, numbers: &RevisionNumbers) -> Markup {
        let path = self.state.path();
        let wanted = |revision: &Revision| {
            effect_link(&self.state.flag, &Wanted::Rollback(revision.created()))
        };
        let max = match self.request.query.get("all") {
            "yes" => SEARCHED,
            _ => LISTED,
        };
        let older = self.state.history.iter().skip(1);
        html! {
            @match path.back(1) {
                Some(last) => {
                    p.sentence { "Back to " (numbers.label(last.created())) ": " bdi { (sentence(last)) } }
                    p { a.action href=(wanted(last)) { "Show what rolling back to " (numbers.label(last.created())) " does" } }
                    p.hint { "The last revision in force that decides differently; revisions that were rolled back are skipped." }
                }
                None => { p.notice { "No earlier revision in force decides differently." } }
            }
            h2 { "Or to another revision" }
            ol.timeline {
                @for revision in older.clone().take(max) {
                    li data-row {
                        @match revision {
                            Ok(revision) => (self.revision(revision, &wanted(revision), path.was_taken_back(revision), numbers)),
                            Err(problem) => { p.problem { "This revision cannot be read: " (shown(&problem.to_string())) } }
                        }
                    }
                }
            }
            @if older.count() > max {
                p { a href=(self.request.query.link("/change", &[("all", "yes")])) { "Older revisions" } }
            }
        }
    }

    fn revision(
        &self,
        revision: &Revision,
        wanted: &str,
        was_taken_back: bool,
        numbers: &RevisionNumbers,
    ) -> Markup {
        let newest = self.state.in_force();
        let is_equal = newest.is_some_and(|newest| are_equivalent(newest, revision));
        let label = numbers.label(revision.created());
        html! {
            p.head {
                @if is_equal { (label) } @else { a href=(wanted) { (label) } }
                " " (time_ago(revision.created(), self.request.now))
                @if let Some(by) = &revision.owner { " by " (shown(by.as_str())) }
                @if is_equal { " · decides as the one in force" }
                @if was_taken_back && !is_equal { " · was rolled back" }
            }
            p.sentence { bdi { (sentence(revision)) } }
            @if !revision.comment.is_empty() { p { (lines(&revision.comment)) } }
        }
    }

    fn treatments(&self) -> Markup {
        let Some(newest) = self.state.in_force() else {
            return html! {};
        };
        let groups: Vec<String> = (0..newest.treatments.len())
            .map(|at| newest.group(at))
            .collect();
        let first = newest.treatments.first();
        let Some(first) = first else {
            return html! { p.notice { "The flag has no treatment whose percentage could be set. "
            code { "flagctl revise" } " adds one." } };
        };
        let query = &self.request.query;
        let percent = first.percent.to_string();
        let percent = query.given("percent").unwrap_or(&percent);
        html! {
            p.sentence { "Now: " bdi { (sentence(newest)) } }
            form.change method="get" action=(link("/change", &[])) {
                @for (name, value) in flag_parameters(&self.state.flag) { input type="hidden" name=(name) value=(value); }
                input type="hidden" name="do" value=(self.kind.as_str());
                @if let [only] = groups.as_slice() {
                    input type="hidden" name="group" value=(only);
                } @else {
                    label for="group" { "Treatment" }
                    select id="group" name="group" {
                        @for (group, treatment) in groups.iter().zip(&newest.treatments) {
                            option value=(group) selected[group == query.get("group")] {
                                (flag_describe::visible(group)) ", now " (treatment.percent) " %"
                            }
                        }
                    }
                }
                label for="percent" { "Percentage of all instances, from 0 to 100" }
                input id="percent" name="percent" type="text" inputmode="decimal" required autocomplete="off" value=(percent);
                button type="submit" { "Show what it does" }
            }
        }
    }
}
