//! One revision: its permanent address.

use std::time::Duration;

use flag_describe::sentence;
use flag_model::{FlagKey, Revision, Timestamp};
use flag_rollout::are_equivalent;
use maud::{Markup, html};

use super::change::roll_back_to;
use super::commands;
use super::stored::{no_revision, readable, revision_of};
use super::timeline::{RevisionNumbers, difference};
use crate::dashboard::error::PageError;
use crate::dashboard::parts::{
    Crumb, Frame, bucket_line, command, follows, legend, lines, shown, time, time_ago,
};
use crate::dashboard::query::revision_link;
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;

/// The page.
pub(super) async fn render(sources: &Sources, request: &PageRequest) -> Result<Markup, PageError> {
    let flag = request.query.flag()?;
    let at = request.query.moment("at")?;
    if !request.viewer.may_see(&flag.project) {
        return Err(no_revision(&flag, at));
    }
    let store = &sources.store;
    let revision = revision_of(store, &flag, at).await?;
    let numbers = RevisionNumbers::read(store, &flag).await?;
    let earlier = at.saturating_sub(Duration::from_micros(1));
    let before = readable(store.revision_at(&flag, earlier).await)?;
    let title = format!("{} {}", flag.name, numbers.label(at));
    let frame = Frame {
        settings: &sources.settings,
        title: &title,
        crumbs: vec![
            Crumb::home(),
            Crumb::project(&flag.project),
            Crumb::flag(&flag),
        ],
        identity: request.identity.as_ref(),
    };
    let no_way_back = no_way_back(sources, &flag, &revision).await?;
    Ok(frame.render(&html! {
        (follows(request.state.has_event_streams, &flag.project, Some(&flag)))
        (facts(&flag, &revision, &numbers, request.now))
        (bucket_line(&revision, None))
        (legend(&revision))
        h2 { "Difference to the revision before" }
        (difference(before.as_ref(), &revision))
        h2 { "Put it into force again" }
        @if let Some(why) = no_way_back { p.hint { (why) } }
        @else {
            (roll_back_to(&sources.settings, request, &flag, at))
            (command(&commands::roll_back_to(&flag, at)))
        }
    }))
}

/// Why there is nothing to roll back to; `None` if there is.
async fn no_way_back(
    sources: &Sources,
    flag: &FlagKey,
    revision: &Revision,
) -> Result<Option<&'static str>, PageError> {
    let newest = readable(sources.store.newest_revision(flag).await)?;
    Ok(match newest {
        Some(Ok(newest)) if newest.created() == revision.created() => Some(
            "This revision is in force, so there is nothing to roll back to. The revisions before it have a link here.",
        ),
        Some(Ok(newest)) if are_equivalent(&newest, revision) => Some(
            "The revision in force decides as this one does, so rolling back to it would change nothing.",
        ),
        _ => None,
    })
}

fn facts(flag: &FlagKey, revision: &Revision, numbers: &RevisionNumbers, now: Timestamp) -> Markup {
    let [before, after] = numbers.neighbours(revision.created());
    html! {
        p.sentence { bdi { (sentence(revision)) } }
        p { "Made " (time_ago(revision.created(), now))
            @if let Some(by) = &revision.owner { " by " (shown(by.as_str())) }
            @if let Some(of) = revision.rollback_of { "; rolls back to " a href=(revision_link(flag, of)) { (numbers.label(of)) } }
            @match after {
                Some(after) => { ". In force until " (time(after)) "." }
                None => { ". In force now." }
            }
        }
        @if !revision.comment.is_empty() { p { (lines(&revision.comment)) } }
        nav.pager aria-label="Revisions" {
            @if let Some(before) = before { a rel="prev" href=(revision_link(flag, before)) { (numbers.label(before)) ", before" } }
            @if let Some(after) = after { a rel="next" href=(revision_link(flag, after)) { (numbers.label(after)) ", after" } }
        }
    }
}
