//! How two projects are shown side by side.

use flag_describe::allocation_fields;
use flag_model::{ProjectName, Revision};
use maud::{Markup, html};

use super::pairs::Comparison;
use super::side::Side;
use super::{ComparePage, CompareRow};
use crate::dashboard::listing::FlagSummary;
use crate::dashboard::parts::{
    again_and_again, command, difference_table, follows, pluralized, shown, split_bar, thousands,
    time,
};
use crate::dashboard::query::{OTHER_STORE, compare_link};

impl ComparePage<'_> {
    /// What the page shows below its title.
    pub(super) fn content(&self) -> Markup {
        let has_event_streams = self.request.state.has_event_streams;
        html! {
            @if self.is_of_two_stores() { (again_and_again()) }
            @else { @for side in &self.sides { (follows(has_event_streams, side.project, None)) } }
            (self.filter())
            div id="results" {
                (self.notices())
                p.count { (self.summary()) }
                @if self.rows.is_empty() { p { "No flag to show." } }
                ul.compared { @for row in &self.rows { li data-row { (self.row(row)) } } }
                (self.pager.links(&self.request.query, "/compare"))
            }
            (self.commands())
        }
    }

    /// The commands that compare both sides as files, and carry the first one over to the second.
    fn commands(&self) -> Markup {
        let [first, second] = self.sides.each_ref().map(|side| side.project);
        html! {
            section aria-labelledby="commands" {
                h2 id="commands" { "With " code { "flagctl" } }
                @if self.is_of_two_stores() {
                    p { code { "flagctl copy --dry-run --from STORE --to STORE " (flag_describe::word(first.as_str())) }
                        " compares the rows of two stores, and copies them without " code { "--dry-run" } "." }
                } @else {
                    h3 { "Both as files side by side" }
                    (command(&compared(first, second)))
                    @if let Some(carried) = carried_over(first, second) {
                        h3 { "What carrying over " (shown(first.as_str())) " to " (shown(second.as_str())) " would change" }
                        (command(&carried))
                        p.hint { "Without " code { "--dry-run" } " it is done, after a question. Flags that only "
                            (shown(second.as_str())) " has stay." }
                    }
                }
            }
        }
    }

    fn is_of_two_stores(&self) -> bool {
        self.sides.iter().any(|side| !side.is_ours)
    }

    fn filter(&self) -> Markup {
        let query = &self.request.query;
        let [first, second] = self.sides.each_ref();
        let (one, other) = (first.project.as_str(), second.project.as_str());
        let shows = [
            ("", "what differs"),
            ("all", "all flags"),
            ("different", "what gives something else"),
            ("placed", "the same shares, other instances"),
            ("equal", "what is equal"),
        ];
        let only = [("first", first.name()), ("second", second.name())];
        html! {
            form.filter method="get" role="search" {
                input type="hidden" name="project" value=(one);
                input type="hidden" name="with" value=(other);
                @if self.is_of_two_stores() { input type="hidden" name="in" value=(OTHER_STORE); }
                div { label for="q" { "Search" }
                    input id="q" name="q" type="search" value=(query.get("q")) placeholder="name, text, owner, tag" autocomplete="off" spellcheck="false"; }
                div { label for="show" { "Show" }
                    select id="show" name="show" {
                        @for (value, text) in shows { option value=(value) selected[value == query.get("show")] { (text) } }
                        @for (value, side) in &only { option value=(value) selected[*value == query.get("show")] { "only in " (flag_describe::visible(side)) } }
                    } }
                button type="submit" { "Show" }
            }
            @if !self.is_of_two_stores() { p { a href=(compare_link(second.project, one)) { "Exchange the sides" } } }
        }
    }

    fn notices(&self) -> Markup {
        html! {
            @for side in &self.sides {
                @if side.listing.expected.is_some() {
                    p.notice data-refresh="1" { "The flags of " (side.label()) " are being read. Load the page again to see more." }
                }
                @if let Some(problem) = &side.listing.problem {
                    p.problem role="alert" { "The store of " (side.label()) " does not answer (" (shown(problem)) ")."
                        @if let Some(as_of) = side.listing.as_of { " This is what was known at " (time(as_of)) "." } }
                }
            }
        }
    }

    /// How many flags differ in which way, as a sentence.
    fn summary(&self) -> Markup {
        let [different, placed, first, second, equal] = self.counts.map(number);
        let [one, other] = self.sides.each_ref().map(Side::label);
        html! {
            (pluralized(equal, "flag")) " equal, " (thousands(different)) " different, "
            (thousands(placed)) " with the same shares for other instances, "
            (thousands(first)) " only in " (one) ", " (thousands(second)) " only in " (other)
            @if self.found != self.rows.len() { "; " (thousands(number(self.found))) " found" }
        }
    }

    fn row(&self, row: &CompareRow) -> Markup {
        let sides = row.pair.sides.iter().zip(&self.sides);
        let mut there = sides
            .clone()
            .filter_map(|(flag, side)| Some((flag.as_ref()?, side)));
        html! {
            @if let Some((flag, side)) = there.next() {
                h2 { (side.link(&flag.flag, &shown(flag.flag.name.as_str()))) " " span.type { (flag.flag.flag_type.as_str()) } }
            }
            p.verdict { (self.verdict(row.comparison)) }
            dl.sides {
                @for (flag, side) in sides { div { dt { (side.label()) } dd { (given(flag.as_deref(), side)) } } }
            }
            @if let Some([first, second]) = &row.revisions { (self.differences(first, second)) }
        }
    }

    fn verdict(&self, comparison: Comparison) -> Markup {
        let [first, second] = self.sides.each_ref().map(Side::label);
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
        let rows = allocation_fields(Some(first), second);
        let sides = self.sides.each_ref();
        let sides = sides.map(|side| flag_describe::visible(&side.name()));
        let [one, other] = &sides;
        let table = difference_table(&rows, "What differs", [one, other]);
        html! { @if let Some(table) = table { (table) } }
    }
}

/// Both projects as files, compared by line.
fn compared(first: &ProjectName, second: &ProjectName) -> String {
    let [first, second] = [first, second].map(|project| flag_describe::word(project.as_str()));
    format!("diff <(flagctl export {first}) <(flagctl export {second})")
}

/// Applies the file of the first project to the second one; `None` where the name of that is more than a plain word.
fn carried_over(first: &ProjectName, second: &ProjectName) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let second = second.as_str();
    if !second.starts_with(|c: char| c.is_ascii_alphabetic()) || !second.chars().all(is_plain) {
        return None;
    }
    let first = flag_describe::word(first.as_str());
    Some(format!(
        "flagctl export {first} | sed 's/^project: .*/project: {second}/' | flagctl apply --force --dry-run -f -"
    ))
}

/// What a project gives.
fn given(flag: Option<&FlagSummary>, side: &Side<'_>) -> Markup {
    let Some(flag) = flag else {
        return html! { span.hint { "has no such flag" } };
    };
    html! {
        bdi { (side.link(&flag.flag, &html! { (flag.sentence()) })) }
        @if let Some(Ok(revision)) = &flag.revision { (split_bar(&revision.split)) }
        @if let Some(problem) = flag.problem() { div.problem { (shown(problem)) } }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
