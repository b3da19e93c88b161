//! Two revisions of a flag side by side, at an address that stays; and the form that asks for them.

use flag_describe::{flag_words, revision_fields, sentence, word};
use flag_model::{FlagKey, Revision};
use flag_rollout::ChangeImpact;
use futures_util::future::try_join3;
use maud::{Markup, html};

use super::stored::{StoredRevision, no_revision, revision_of};
use super::timeline::RevisionNumbers;
use crate::dashboard::error::PageError;
use crate::dashboard::parts::{
    Crumb, Frame, bucket_line, command, difference_table, legend, lines, shown, time_ago, time_text,
};
use crate::dashboard::query::{flag_parameters, link, moment, revision_link};
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;

/// The path of the page.
const PATH: &str = "/revisions";

/// The page.
pub(super) async fn render(sources: &Sources, request: &PageRequest) -> Result<Markup, PageError> {
    let flag = request.query.flag()?;
    let (from, to) = (request.query.moment("from")?, request.query.moment("to")?);
    if !request.viewer.may_see(&flag.project) {
        return Err(no_revision(&flag, from));
    }
    let store = &sources.store;
    let numbers = async { Ok(RevisionNumbers::read(store, &flag).await?) };
    let (from, to, numbers) = try_join3(
        revision_of(store, &flag, from),
        revision_of(store, &flag, to),
        numbers,
    )
    .await?;
    let labels = [&from, &to].map(|revision| numbers.label(revision.created()));
    let [first, second] = &labels;
    let title = format!("{} {first} and {second}", flag.name);
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
    Ok(frame.render(&html! {
        p { a href=(swapped(&flag, &from, &to)) { "Exchange the sides" } }
        div.sides {
            (side(&flag, &from, first, request))
            (side(&flag, &to, second, request))
        }
        h2 { "Difference" }
        (difference(&from, &to, &labels))
        (command(&diff_command(&flag, &from, &to)))
    }))
}

fn side(flag: &FlagKey, revision: &Revision, label: &str, request: &PageRequest) -> Markup {
    html! {
        section {
            h2 { a href=(revision_link(flag, revision.created())) { (label) } }
            p.sentence { bdi { (sentence(revision)) } }
            p { (time_ago(revision.created(), request.now))
                @if let Some(by) = &revision.owner { " by " (shown(by.as_str())) }
                @if !revision.comment.is_empty() { ": " (lines(&revision.comment)) } }
            (bucket_line(revision, None))
            (legend(revision))
        }
    }
}

/// What differs in words, then field by field.
fn difference(from: &Revision, to: &Revision, [first, second]: &[String; 2]) -> Markup {
    let effect = ChangeImpact::of(Some(from), to).summary();
    let rows = revision_fields(Some(from), to);
    html! {
        @if let Some(effect) = effect { p.effect { "From " (first) " to " (second) ": " bdi { (effect) } "." } }
        @match difference_table(&rows, "What differs", [first, second]) {
            Some(table) => (table),
            None => p.hint { "They are the same in every field." },
        }
    }
}

fn swapped(flag: &FlagKey, from: &Revision, to: &Revision) -> String {
    let (from, to) = (moment(from.created()), moment(to.created()));
    let mut parameters = flag_parameters(flag).to_vec();
    parameters.extend([("from", to.as_str()), ("to", from.as_str())]);
    link(PATH, &parameters)
}

fn diff_command(flag: &FlagKey, from: &Revision, to: &Revision) -> String {
    let [from, to] = [from, to].map(|revision| word(&revision.created().to_string()));
    format!("flagctl diff {} {from} {to}", flag_words(flag))
}

/// A form that asks for two of these revisions; nothing if there are not two.
pub(super) fn form(
    flag: &FlagKey,
    history: &[StoredRevision],
    numbers: &RevisionNumbers,
) -> Markup {
    let readable = history.iter().filter_map(|revision| revision.as_ref().ok());
    let readable: Vec<&Revision> = readable.collect();
    if readable.len() < 2 {
        return html! {};
    }
    let choice = |name: &str, chosen: usize| {
        html! {
            select id=(name) name=(name) {
                @for (at, revision) in readable.iter().enumerate() {
                    option value=(moment(revision.created())) selected[at == chosen] {
                        (numbers.label(revision.created())) ", " (time_text(revision.created()))
                    }
                }
            }
        }
    };
    html! {
        form.filter method="get" action=(link(PATH, &[])) {
            @for (name, value) in flag_parameters(flag) { input type="hidden" name=(name) value=(value); }
            div { label for="from" { "Compare" } (choice("from", 1)) }
            div { label for="to" { "with" } (choice("to", 0)) }
            button type="submit" { "Compare" }
        }
    }
}
