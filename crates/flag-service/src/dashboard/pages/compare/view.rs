//! How two projects are shown side by side.

use flag_describe::allocation_differences;
use flag_model::{ProjectName, Revision};
use maud::{Markup, html};

use super::pairs::Comparison;
use super::{Page, Row};
use crate::dashboard::listing::FlagSummary;
use crate::dashboard::parts::{counted, difference_table, follows, shown, split_bar, thousands};
use crate::dashboard::query::{compare_link, flag_link};

impl Page<'_> {
    /// What the page shows below its title.
    pub(super) fn content(&self) -> Markup {
        let sends_events = self.request.state.push;
        html! {
            @for project in self.projects { (follows(sends_events, project, None)) }
            (self.filter())
            div id="results" {
                (self.notices())
                p.count { (self.summary()) }
                @if self.rows.is_empty() { p { "No flag to show." } }
                ul.compared { @for row in &self.rows { li data-row { (self.row(row)) } } }
                (self.pager.links(&self.request.query, "/compare"))
            }
        }
    }

    fn filter(&self) -> Markup {
        let query = &self.request.query;
        let [first, second] = self.projects.map(ProjectName::as_str);
        let [_, with] = self.projects;
        let shows = [
            ("", "what differs"),
            ("all", "all flags"),
            ("different", "what gives something else"),
            ("placed", "the same shares, other instances"),
            ("equal", "what is equal"),
        ];
        let only = [("first", first), ("second", second)];
        html! {
            form.filter method="get" role="search" {
                input type="hidden" name="project" value=(first);
                input type="hidden" name="with" value=(second);
                div { label for="q" { "Search" }
                    input id="q" name="q" type="search" value=(query.get("q")) placeholder="name, text, owner, tag" autocomplete="off" spellcheck="false"; }
                div { label for="show" { "Show" }
                    select id="show" name="show" {
                        @for (value, text) in shows { option value=(value) selected[value == query.get("show")] { (text) } }
                        @for (value, project) in only { option value=(value) selected[value == query.get("show")] { "only in " (flag_describe::visible(project)) } }
                    } }
                button type="submit" { "Show" }
            }
            p { a href=(compare_link(with, first)) { "Exchange the sides" } }
        }
    }

    fn notices(&self) -> Markup {
        let sides = self.listings.into_iter().zip(self.projects);
        html! {
            @for (listing, project) in sides {
                @if listing.expected.is_some() {
                    p.notice data-refresh="1" { "The flags of " (shown(project.as_str())) " are being read. Load the page again to see more." }
                }
                @if let Some(problem) = &listing.problem {
                    p.problem role="alert" { "The store does not answer (" (shown(problem)) ")." }
                }
            }
        }
    }

    /// How many flags differ in which way, as a sentence.
    fn summary(&self) -> Markup {
        let [different, placed, first, second, equal] = self.counts.map(number);
        let [one, other] = self.projects.map(|project| shown(project.as_str()));
        html! {
            (counted(equal, "flag")) " equal, " (thousands(different)) " different, "
            (thousands(placed)) " with the same shares for other instances, "
            (thousands(first)) " only in " (one) ", " (thousands(second)) " only in " (other)
            @if self.found != self.rows.len() { "; " (thousands(number(self.found))) " found" }
        }
    }

    fn row(&self, row: &Row) -> Markup {
        let [first, second] = &row.pair.sides;
        let either = first.as_ref().or(second.as_ref());
        html! {
            @if let Some(flag) = either {
                h2 { a href=(flag_link(&flag.flag)) { (shown(flag.flag.name.as_str())) } " " span.type { (flag.flag.flag_type.as_str()) } }
            }
            p.verdict { (self.verdict(row.comparison)) }
            dl.sides {
                @for (side, project) in row.pair.sides.iter().zip(self.projects) {
                    div { dt { (shown(project.as_str())) } dd { (given(side.as_deref())) } }
                }
            }
            @if let Some([first, second]) = &row.revisions { (self.differences(first, second)) }
        }
    }

    fn verdict(&self, comparison: Comparison) -> Markup {
        let [first, second] = self.projects.map(|project| shown(project.as_str()));
        match comparison {
            Comparison::Equal => html! { "Equal: every instance gets the same." },
            Comparison::OtherInstances => {
                html! { "The same shares, but other instances: the buckets are not the same." }
            }
            Comparison::Different => html! { "Different." },
            Comparison::OnlyFirst => html! { "Only in " (first) "." },
            Comparison::OnlySecond => html! { "Only in " (second) "." },
        }
    }

    fn differences(&self, first: &Revision, second: &Revision) -> Markup {
        let rows = allocation_differences(Some(first), second);
        let sides = self
            .projects
            .map(|project| flag_describe::visible(project.as_str()));
        let [one, other] = &sides;
        let table = difference_table(&rows, "What differs", [one, other]);
        html! { @if let Some(table) = table { (table) } }
    }
}

/// What a project gives.
fn given(flag: Option<&FlagSummary>) -> Markup {
    let Some(flag) = flag else {
        return html! { span.hint { "has no such flag" } };
    };
    html! {
        bdi { a href=(flag_link(&flag.flag)) { (flag.sentence()) } }
        @if let Some(Ok(revision)) = &flag.revision { (split_bar(&revision.split)) }
        @if let Some(problem) = flag.problem() { div.problem { (shown(problem)) } }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
