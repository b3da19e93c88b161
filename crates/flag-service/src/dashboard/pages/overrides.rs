//! The instances that get a value by name: counted, searched for by a part of an id or by a list of ids, copied.

use std::collections::BTreeSet;

use flag_model::{InstanceId, Revision};
use maud::{Markup, html};

use crate::dashboard::parts::{copy_button, kept_fields, pluralized, shown, thousands};
use crate::dashboard::query::Query;

/// The most ids of a list on the page.
const MAX: usize = 200;

/// The most ids that one press of a button copies.
const COPIED: usize = 5_000;

/// The ids of a group.
struct Group<'a> {
    name: String,
    ids: Vec<&'a str>,
}

/// What is searched for.
#[derive(Debug, PartialEq, Eq)]
enum Search<'q> {
    /// A part of an id; empty for all.
    Part(&'q str),
    /// These ids, each once, in the order in which they were given.
    Ids(Vec<&'q str>),
}

/// The section; nothing if no instance is named.
pub(super) fn section(revision: &Revision, query: &Query) -> Markup {
    let groups = groups(revision);
    if groups.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="names" {
            h2 id="names" { "By name" }
            form.filter method="get" action="#names" {
                (kept_fields(query, &["ids"]))
                div { label for="ids" { "Search: a part of an id, or a list of ids" }
                    input id="ids" name="ids" type="search" value=(on_one_line(query.get("ids"))) autocomplete="off" spellcheck="false" aria-describedby="ids-hint"; }
                button type="submit" { "Search" }
            }
            p.hint id="ids-hint" { "A pasted list is split at spaces, lines and commas. About 400 ids fit into an address." }
            @match Search::of(query.get("ids"), &groups) {
                Search::Part(part) => { @for group in &groups { (part_of(group, part)) } }
                Search::Ids(ids) => { (looked_up(&groups, &ids)) }
            }
        }
    }
}

/// A field of one line would join what stands on several.
fn on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

fn groups(revision: &Revision) -> Vec<Group<'_>> {
    let lists = revision.treatments.iter().enumerate();
    let lists = lists.filter(|(_, treatment)| !treatment.overrides.is_empty());
    let lists = lists.map(|(at, treatment)| Group {
        name: revision.group(at),
        ids: treatment.overrides.iter().map(InstanceId::as_str).collect(),
    });
    lists.collect()
}

impl<'q> Search<'q> {
    /// Reads it. Ids may have spaces and commas, so what is a part of an id as it stands is no list.
    fn of(text: &'q str, groups: &[Group<'_>]) -> Self {
        let text = text.trim();
        let mut ids = groups.iter().flat_map(|group| &group.ids);
        let is_separator = |c: char| c.is_whitespace() || c == ',';
        if !text.contains(is_separator) || ids.any(|id| id.contains(text)) {
            return Self::Part(text);
        }
        let mut known = BTreeSet::new();
        let words = text.split(is_separator).filter(|word| !word.is_empty());
        Self::Ids(words.filter(|word| known.insert(*word)).collect())
    }
}

/// The ids of a group that have a part.
fn part_of(group: &Group<'_>, part: &str) -> Markup {
    let found = group.ids.iter().copied().filter(|id| id.contains(part));
    let found: Vec<&str> = found.collect();
    html! {
        h3 { (shown(&group.name)) ": " (count(group.ids.len()))
            @if found.len() < group.ids.len() { ", " (number(found.len())) " found" } }
        (list(&found))
    }
}

/// In which group each id is.
fn looked_up(groups: &[Group<'_>], wanted: &[&str]) -> Markup {
    let mut absent: Vec<&str> = wanted.to_vec();
    let found = groups.iter().map(|group| {
        let ids: BTreeSet<&str> = group.ids.iter().copied().collect();
        absent.retain(|id| !ids.contains(id));
        let found = wanted.iter().copied().filter(|id| ids.contains(id));
        (group, found.collect::<Vec<&str>>())
    });
    let found: Vec<_> = found.collect();
    html! {
        div role="status" {
            p { "Of " (count(wanted.len())) " asked about, "
                @for (group, ids) in &found { (number(ids.len())) " in " (shown(&group.name)) ", " }
                (number(absent.len())) " in no list." }
        }
        @for (group, ids) in &found {
            h3 { (shown(&group.name)) ": " (number(ids.len())) " of " (count(group.ids.len())) }
            (list(ids))
        }
        h3 { "In no list: " (count(absent.len())) }
        (list(&absent))
    }
}

/// Ids, and a button that copies them.
fn list(ids: &[&str]) -> Markup {
    let copied: Vec<&str> = ids.iter().copied().take(COPIED).collect();
    html! {
        @if !ids.is_empty() {
            (copy_button(&copied.join("\n"), "ids, one a line"))
            @if ids.len() > COPIED {
                span.hint { " The first " (number(COPIED)) " of " (number(ids.len())) " are copied; "
                    code { "flagctl export" } " writes all." }
            }
            ul.ids { @for id in ids.iter().take(MAX) { li { code { (shown(id)) } } } }
            @if ids.len() > MAX { p.hint { "The first " (MAX) " are shown; search for others." } }
        }
    }
}

fn count(ids: usize) -> String {
    pluralized(u64::try_from(ids).unwrap_or(u64::MAX), "id")
}

fn number(ids: usize) -> String {
    thousands(u64::try_from(ids).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group<'a>(name: &str, ids: &[&'a str]) -> Group<'a> {
        Group {
            name: name.to_owned(),
            ids: ids.to_vec(),
        }
    }

    #[test]
    fn a_word_is_a_part_and_several_are_a_list() {
        let groups = [group("treatment_1", &["A1", "A12", "has space, and comma"])];
        let search = |text| Search::of(text, &groups);
        assert_eq!(search(""), Search::Part(""));
        assert_eq!(search(" A1\r\n"), Search::Part("A1"));
        assert_eq!(search("space, and"), Search::Part("space, and"));
        let ids = Search::Ids(vec!["A1", "B2", "C3"]);
        assert_eq!(search("A1, B2,,A1\r\n\tC3 B2 "), ids);
    }

    #[test]
    fn a_list_says_which_ids_are_where_and_which_are_absent() {
        let groups = [group("treatment_1", &["A1", "A2"]), group("b", &["B1"])];
        let text = looked_up(&groups, &["B1", "A2", "<x>"]).into_string();
        for part in [
            "Of 3 ids asked about, 1 in <bdi>treatment_1</bdi>, 1 in <bdi>b</bdi>, 1 in no list.",
            "<bdi>treatment_1</bdi>: 1 of 2 ids</h3>",
            "In no list: 1 id</h3>",
            "data-copy=\"&lt;x&gt;\"",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn copying_says_when_it_is_cut() {
        let ids: Vec<String> = (0..=COPIED).map(|id| format!("A{id}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let text = list(&ids).into_string();
        assert!(
            text.contains("The first 5,000 of 5,001 are copied"),
            "{text}"
        );
        let (_, copied) = text.split_once("data-copy=\"").unwrap();
        let (copied, _) = copied.split_once('"').unwrap();
        assert_eq!(copied.lines().count(), COPIED);
        assert!(!list(&ids[..COPIED]).into_string().contains("are copied"));
    }
}
