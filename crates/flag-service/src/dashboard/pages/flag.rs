//! A flag: who gets what, its history, what was served, and the commands that change it.

use std::sync::Arc;

use flag_describe::sentence;
use flag_model::{FlagKey, Metadata, Timestamp};
use flag_store::UnreadableRow;
use futures_util::future::join;
use maud::{Markup, html};

use super::commands::FlagCommands;
use super::exposure_chart::ExposureChart;
use super::stored::{StoredRevision, readable};
use super::timeline::{RevisionNumbers, timeline};
use super::{Page, change, lookup, overrides, revisions};
use crate::dashboard::error::PageError;
use crate::dashboard::parts::{
    Crumb, Frame, bucket_line, follows, legend, lines, shown, time, time_ago,
};
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;

/// Revisions in the timeline, unless more are asked for, and at most.
const REVISIONS: usize = 20;
const MAX_REVISIONS: usize = 500;

/// What the page shows.
struct FlagPage {
    sources: Arc<Sources>,
    flag: FlagKey,
    request: Arc<PageRequest>,
    metadata: Option<Result<Metadata, UnreadableRow>>,
    /// The newest first; one more than is shown, if there are more.
    history: Vec<StoredRevision>,
    numbers: RevisionNumbers,
    shown: usize,
    lookup: Option<Markup>,
    exposure_chart: Markup,
    stale_since: Option<Timestamp>,
}

/// Gathers what the page shows.
pub(super) async fn gather(
    sources: &Arc<Sources>,
    request: &Arc<PageRequest>,
) -> Result<Page, PageError> {
    let flag = request.query.flag()?;
    let no_flag = || PageError::NotFound(format!("flag {flag}"));
    if !request.viewer.may_see(&flag.project) {
        return Err(no_flag());
    }
    let shown = request.query.number("revisions").unwrap_or(REVISIONS);
    let shown = shown.clamp(1, MAX_REVISIONS);
    let (history, metadata) = join(
        sources.store.history(&flag, shown + 1),
        sources.store.newest_metadata(&flag),
    )
    .await;
    let (history, metadata) = (history?, readable(metadata)?);
    if history.is_empty() && metadata.is_none() {
        return Err(no_flag());
    }
    let newest = history.first().and_then(|newest| newest.as_ref().ok());
    let numbers = RevisionNumbers::read(&sources.store, &flag).await?;
    let (lookup, exposure_chart) = join(
        lookup::lookup(sources, request, &flag, &numbers),
        ExposureChart::read(sources, request, &flag),
    )
    .await;
    let page = FlagPage {
        sources: Arc::clone(sources),
        request: Arc::clone(request),
        lookup: lookup?,
        exposure_chart: exposure_chart.render(newest, &numbers, &request.query),
        metadata,
        numbers,
        shown,
        stale_since: request.state.flags.stale_flags(&flag.project).remove(&flag),
        history,
        flag,
    };
    Ok(Page::Deferred(Box::new(move || page.render())))
}

impl FlagPage {
    fn render(&self) -> Markup {
        let frame = Frame {
            settings: &self.sources.settings,
            title: self.flag.name.as_str(),
            crumbs: vec![Crumb::home(), Crumb::project(&self.flag.project)],
            identity: self.request.identity.as_ref(),
        };
        frame.render(&self.content())
    }

    fn content(&self) -> Markup {
        html! {
            (follows(self.request.state.has_event_streams, &self.flag.project, Some(&self.flag)))
            (change::done(&self.request, &self.history, &self.numbers))
            (self.about())
            section aria-labelledby="now" {
                h2 id="now" { "Now" }
                (self.now())
            }
            section aria-labelledby="lookup" {
                h2 id="lookup" { "Who gets what" }
                (lookup::form(&self.request.query))
                @if let Some(lookup) = &self.lookup { (lookup) }
            }
            section aria-labelledby="served" {
                h2 id="served" { "Served answers" }
                (self.exposure_chart)
            }
            @if let Some(Ok(newest)) = self.history.first() { (overrides::section(newest, &self.request.query)) }
            section aria-labelledby="history" {
                h2 id="history" { "History" }
                (revisions::form(&self.flag, &self.history, &self.numbers))
                (timeline(&self.flag, &self.history, self.shown, &self.numbers, &self.request))
            }
            section aria-labelledby="commands" {
                h2 id="commands" { "Change it" }
                (change::offer(&self.sources.settings, &self.request, &self.flag, &self.history))
                (self.commands())
            }
        }
    }

    fn about(&self) -> Markup {
        let metadata = match &self.metadata {
            Some(Ok(metadata)) => metadata,
            Some(Err(problem)) => {
                return html! { p.problem { "Its metadata cannot be read: " (shown(&problem.to_string())) } };
            }
            None => {
                return html! { p.hint { (self.flag.flag_type.as_str()) " flag without metadata" } };
            }
        };
        html! {
            @if !metadata.description.is_empty() { p { (lines(&metadata.description)) } }
            dl.about {
                div { dt { "Type" } dd { (self.flag.flag_type.as_str()) } }
                @if let Some(owner) = &metadata.owner { div { dt { "Owner" } dd { (shown(owner.as_str())) } } }
                @if let Some(ticket) = &metadata.ticket { div { dt { "Ticket" } dd { (shown(ticket)) } } }
                @if let Some(date) = &metadata.expires_on { div { dt { "Expires on" } dd { (date.to_string()) } } }
                @if !metadata.tags.is_empty() {
                    div { dt { "Tags" } dd { @for tag in &metadata.tags { span.tag { (shown(tag)) } " " } } }
                }
                div { dt { "Metadata of" } dd { (time(metadata.created()))
                    @if let Some(by) = &metadata.edited_by { " by " (shown(by.as_str())) } } }
            }
        }
    }

    fn now(&self) -> Markup {
        let newest = match self.history.first() {
            Some(Ok(newest)) => newest,
            Some(Err(problem)) => {
                return html! { p.problem role="alert" { "The newest revision cannot be read, so the flag is not served: " (shown(&problem.to_string())) } };
            }
            None => return html! { p { "There is no revision yet: the flag is not served." } },
        };
        html! {
            p.sentence { bdi { (sentence(newest)) } }
            @if let Some(since) = self.stale_since {
                p.notice { "Served by its last known value, as the store does not answer; last confirmed at " (time(since)) "." }
            }
            (bucket_line(newest, None))
            (legend(newest))
            p { (self.numbers.label(newest.created())) ", " (time_ago(newest.created(), self.request.now))
                @if let Some(by) = &newest.owner { " by " (shown(by.as_str())) }
                @if !newest.comment.is_empty() { ": " (lines(&newest.comment)) } }
        }
    }

    fn commands(&self) -> Markup {
        let commands = FlagCommands {
            flag: &self.flag,
            metadata: self
                .metadata
                .as_ref()
                .and_then(|metadata| metadata.as_ref().ok()),
            history: &self.history,
            has_more: self.history.len() > self.shown,
            asked: self.request.query.get("instance"),
        };
        commands.render()
    }
}
