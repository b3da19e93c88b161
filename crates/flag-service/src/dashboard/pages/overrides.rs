//! The instances that get a value by name.

use flag_model::{InstanceId, Revision};
use maud::{Markup, html};

use crate::dashboard::parts::{copy_button, counted, shown};
use crate::dashboard::query::Query;

/// The most ids of a group on the page.
const MAX: usize = 200;

/// The most ids that one press of a button copies.
const COPIED: usize = 5_000;

/// The section; nothing if no instance is named.
pub(super) fn section(revision: &Revision, query: &Query) -> Markup {
    let lists = revision.treatments.iter().enumerate();
    let lists = lists.filter(|(_, treatment)| !treatment.overrides.is_empty());
    let lists: Vec<_> = lists
        .map(|(at, treatment)| (revision.group(at), treatment.overrides.as_slice()))
        .collect();
    if lists.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="names" {
            h2 id="names" { "By name" }
            form.filter method="get" action="#names" {
                @for name in ["project", "type", "name"] { input type="hidden" name=(name) value=(query.get(name)); }
                label for="ids" { "Search ids" }
                input id="ids" name="ids" type="search" value=(query.get("ids")) autocomplete="off" spellcheck="false";
                button type="submit" { "Search" }
            }
            @for (group, ids) in lists { (list(&group, ids, query.get("ids"))) }
        }
    }
}

fn list(group: &str, ids: &[InstanceId<'_>], word: &str) -> Markup {
    let found = ids.iter().map(InstanceId::as_str);
    let found: Vec<&str> = found.filter(|id| id.contains(word)).collect();
    let copied: Vec<&str> = found.iter().copied().take(COPIED).collect();
    let count = |ids: usize| counted(u64::try_from(ids).unwrap_or(u64::MAX), "id");
    html! {
        h3 { (shown(group)) ": " (count(ids.len()))
            @if found.len() < ids.len() { ", " (found.len()) " found" } }
        @if !found.is_empty() {
            (copy_button(&copied.join("\n"), "ids, one a line"))
            ul.ids { @for id in found.iter().take(MAX) { li { code { (shown(id)) } } } }
            @if found.len() > MAX { p.hint { "The first " (MAX) " are shown; search for others." } }
        }
    }
}
