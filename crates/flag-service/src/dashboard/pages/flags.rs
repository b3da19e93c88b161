//! The flags of a project: search, filters, order, pages; all of them in the address.
mod selection;

use std::sync::Arc;

use flag_describe::visible;
use flag_model::ProjectName;
use maud::{Markup, html};

use self::selection::{Context, Selected, Selection, SortBy, State};
use super::Page;
use crate::dashboard::error::PageError;
use crate::dashboard::listing::{FlagSummary, Listing};
use crate::dashboard::parts::{
    Crumb, Frame, environment_mark, follows, pluralized, shown, split_bar, thousands, time,
    time_ago,
};
use crate::dashboard::query::{Query, compare_link, flag_link, other_store_link};
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;

/// Gathers what the page shows.
pub(super) async fn gather(
    sources: &Arc<Sources>,
    request: &Arc<PageRequest>,
) -> Result<Page, PageError> {
    let project = request.query.project()?;
    let no_project = || PageError::NotFound(format!("project {project}"));
    if !request.viewer.may_see(&project) {
        return Err(no_project());
    }
    let listing = sources.listings.current(&project).await;
    if listing.flags.is_empty() && listing.expected.is_none() {
        return Err(no_project());
    }
    let context = Context {
        now: request.now,
        stale: request.state.flags.stale_flags(&project),
        last_exposures: sources.listings.last_exposures(&project),
    };
    let page = FlagsPage {
        sources: Arc::clone(sources),
        selection: Selection::read(&request.query),
        request: Arc::clone(request),
        project,
        listing,
        context,
    };
    Ok(Page::Deferred(Box::new(move || page.render())))
}

struct FlagsPage {
    sources: Arc<Sources>,
    request: Arc<PageRequest>,
    project: ProjectName,
    listing: Arc<Listing>,
    selection: Selection,
    context: Context,
}

impl FlagsPage {
    fn render(&self) -> Markup {
        let flags = &self.listing.flags;
        let query = &self.request.query;
        let selected = self.selection.select(flags, &self.context, query);
        let frame = Frame {
            settings: &self.sources.settings,
            title: self.project.as_str(),
            crumbs: vec![Crumb::home()],
            identity: self.request.identity.as_ref(),
        };
        frame.render(&self.content(&selected))
    }

    fn content(&self, selected: &Selected) -> Markup {
        let other_store = self.sources.other_store.as_ref();
        html! {
            (follows(self.request.state.has_event_streams, &self.project, None))
            (self.filter())
            p { a href=(compare_link(&self.project, "")) { "Compare with another project" }
                @if let Some(store) = other_store {
                    " · " a href=(other_store_link(&self.project)) { "Compare with " (environment_mark(store.environment())) }
                } }
            div id="results" {
                (self.notices())
                p.count { (self.count(selected.found)) }
                @if !selected.flags.is_empty() { (self.table(selected)) }
                (selected.pager.links(&self.request.query, "/flags"))
            }
        }
    }

    fn filter(&self) -> Markup {
        let query = &self.request.query;
        let suggestions = &self.listing.suggestions;
        html! {
            form.filter method="get" role="search" {
                input type="hidden" name="project" value=(self.project.as_str());
                div { label for="q" { "Search" }
                    input id="q" name="q" type="search" value=(query.get("q")) placeholder="name, text, owner, tag" autocomplete="off" spellcheck="false"; }
                div { label for="type" { "Type" } (choice("type", query, &[("", "all"), ("feature", "feature"), ("data", "data")])) }
                div { label for="owner" { "Owner" } (suggested("owner", query, &suggestions.owners)) }
                div { label for="tag" { "Tag" } (suggested("tag", query, &suggestions.tags)) }
                div { label for="state" { "State" } (choice("state", query, &State::CHOICES)) }
                div { label for="sort" { "Order" } (choice("sort", query, &SortBy::CHOICES)) }
                button type="submit" { "Show" }
            }
        }
    }

    fn notices(&self) -> Markup {
        let listing = &self.listing;
        html! {
            @if let Some(expected) = listing.expected {
                p.notice data-refresh="1" { "The flags are being read: "
                    (thousands(number(listing.flags.len()))) " of " (thousands(number(expected))) " so far. Load the page again to see more." }
            }
            @if let Some(problem) = &listing.problem {
                p.problem role="alert" { "The store does not answer (" (shown(problem)) ")."
                    @if let Some(as_of) = listing.as_of { " This is what was known at " (time(as_of)) "." } }
            }
            @if self.selection.state == Some(State::NotAsked) && !self.are_last_exposures_known() {
                p.notice { "It is not known yet of every flag when it was asked for. Load the page again to see more." }
            }
        }
    }

    /// Whether the last exposures of all flags were read.
    fn are_last_exposures_known(&self) -> bool {
        self.context.last_exposures.len() >= self.listing.flags.len()
    }

    fn count(&self, found: usize) -> String {
        let all = pluralized(number(self.listing.flags.len()), "flag");
        if found == self.listing.flags.len() {
            return all;
        }
        format!("{} of {all}", thousands(number(found)))
    }

    fn table(&self, selected: &Selected) -> Markup {
        html! {
            table.flags {
                caption.hidden { "Flags of " (shown(self.project.as_str())) }
                thead { tr {
                    th scope="col" { "Flag" } th scope="col" { "Who gets what" } th scope="col" { "Changed" }
                    th scope="col" { "Owner, tags" } th scope="col" { "State" }
                } }
                tbody { @for (flag, states) in &selected.flags { (self.row(flag, states)) } }
            }
        }
    }

    fn row(&self, flag: &FlagSummary, states: &[State]) -> Markup {
        html! {
            tr data-row {
                th scope="row" {
                    a href=(flag_link(&flag.flag)) { (shown(flag.flag.name.as_str())) }
                    " " span.type { (flag.flag.flag_type.as_str()) }
                    @if !flag.description.is_empty() { div.hint { (shown(&flag.description)) } }
                }
                td {
                    (shown_sentence(flag.sentence()))
                    @if let Some(Ok(revision)) = &flag.revision { (split_bar(&revision.split)) }
                    @if let Some(problem) = flag.problem() { div.problem { (shown(problem)) } }
                }
                td { (self.changed(flag)) }
                td {
                    @if !flag.owner.is_empty() { div { (shown(&flag.owner)) } }
                    @for tag in &flag.tags { a.tag href=(self.request.query.link("/flags", &[("tag", tag), ("page", "")])) { (shown(tag)) } " " }
                }
                td {
                    @for state in states { span class={ "state " (state.class()) } { (state.text()) } " " }
                    @if let Some(text) = self.context.last_exposure_text(flag) { div.hint { (text) } }
                }
            }
        }
    }

    fn changed(&self, flag: &FlagSummary) -> Markup {
        let Some(Ok(revision)) = &flag.revision else {
            return html! {};
        };
        html! {
            (time_ago(revision.created, self.request.now))
            @if !revision.by.is_empty() { " by " (shown(&revision.by)) }
            @if !revision.comment.is_empty() { div.hint { (shown(&revision.comment)) } }
        }
    }
}

/// A sentence; it is already escaped for a reader.
fn shown_sentence(sentence: &str) -> Markup {
    html! { bdi.sentence { (sentence) } }
}

fn choice(name: &str, query: &Query, choices: &[(&str, &str)]) -> Markup {
    let chosen = query.get(name);
    html! {
        select id=(name) name=(name) {
            @for (value, text) in choices { option value=(value) selected[*value == chosen] { (text) } }
        }
    }
}

/// A field with suggestions as a person sees them; the selection understands those, too.
fn suggested(name: &str, query: &Query, suggestions: &[String]) -> Markup {
    let list = format!("{name}s");
    html! {
        input id=(name) name=(name) list=(list) value=(query.get(name)) autocomplete="off" spellcheck="false";
        datalist id=(list) { @for suggestion in suggestions { option value=(visible(suggestion)) {} } }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
