//! The revisions of a flag, each as a sentence with the difference to the one before.

use std::collections::HashMap;

use flag_describe::{revision_fields, sentence};
use flag_model::{FlagKey, Revision, Timestamp};
use flag_store::{FlagStore, StoreError};
use maud::{Markup, html};

use super::stored::StoredRevision;
use crate::dashboard::parts::{difference_table, lines, shown, time, time_ago};
use crate::dashboard::query::revision_link;
use crate::dashboard::request::PageRequest;

/// The most revisions that get numbers.
const MAX_NUMBERED: usize = 10_000;

/// The numbers of a flag's revisions: r1 is the first one.
#[derive(Debug, Default)]
pub(super) struct RevisionNumbers(HashMap<Timestamp, usize>);

impl RevisionNumbers {
    /// Reads them; usually one scan of keys.
    pub(super) async fn read(store: &FlagStore, flag: &FlagKey) -> Result<Self, StoreError> {
        let times = store.revision_times(flag, MAX_NUMBERED + 1).await?;
        if times.len() > MAX_NUMBERED {
            return Ok(Self::default());
        }
        let all = times.len();
        let numbered = times.into_iter().enumerate();
        Ok(Self(numbered.map(|(at, time)| (time, all - at)).collect()))
    }

    /// The number of the revision of this time, such as `r7`; its time if it has none.
    pub(super) fn label(&self, created: Timestamp) -> String {
        let number = self.0.get(&created);
        number.map_or_else(|| created.to_string(), |number| format!("r{number}"))
    }

    /// The revisions that were made within this time, in order.
    pub(super) fn between(&self, since: Timestamp, until: Timestamp) -> Vec<(Timestamp, String)> {
        let within = self.0.keys().filter(|time| (since..until).contains(*time));
        let mut within: Vec<_> = within.map(|time| (*time, self.label(*time))).collect();
        within.sort();
        within
    }

    /// The revisions just before and just after one.
    pub(super) fn neighbours(&self, created: Timestamp) -> [Option<Timestamp>; 2] {
        let before = self.0.keys().filter(|time| **time < created).max();
        let after = self.0.keys().filter(|time| **time > created).min();
        [before.copied(), after.copied()]
    }
}

/// The newest revisions first; the last one given is only compared with, if it is not shown.
pub(super) fn timeline(
    flag: &FlagKey,
    history: &[StoredRevision],
    max: usize,
    numbers: &RevisionNumbers,
    request: &PageRequest,
) -> Markup {
    html! {
        ol.timeline {
            @for (at, revision) in history.iter().take(max).enumerate() {
                li data-row {
                    @match revision {
                        Ok(revision) => (entry(flag, revision, history.get(at + 1), numbers, request)),
                        Err(problem) => { p.problem { "This revision cannot be read: " (shown(&problem.to_string())) } }
                    }
                }
            }
        }
        @if history.len() > max {
            p { a href=(request.query.link("/flag", &[("revisions", &(max * 5).to_string())])) { "Older revisions" } }
        }
    }
}

/// A revision as a sentence, who made it and why, and what differs from the one before.
pub(super) fn entry(
    flag: &FlagKey,
    revision: &Revision,
    before: Option<&StoredRevision>,
    numbers: &RevisionNumbers,
    request: &PageRequest,
) -> Markup {
    html! {
        p.head {
            a href=(revision_link(flag, revision.created())) { (numbers.label(revision.created())) }
            " " (time_ago(revision.created(), request.now))
            @if let Some(by) = &revision.owner { " by " (shown(by.as_str())) }
            @if let Some(of) = revision.rollback_of { " · rolls back to " a href=(revision_link(flag, of)) { (numbers.label(of)) } }
        }
        p.sentence { bdi { (sentence(revision)) } }
        @if !revision.comment.is_empty() { p { (lines(&revision.comment)) } }
        (difference(before, revision))
    }
}

/// What differs from the revision before, as a table with words and not only colours.
pub(super) fn difference(before: Option<&StoredRevision>, revision: &Revision) -> Markup {
    let before = match before {
        None => return html! { p.hint { "The first revision." } },
        Some(Err(_)) => return html! { p.hint { "The revision before cannot be read." } },
        Some(Ok(before)) => before,
    };
    let rows = revision_fields(Some(before), revision);
    let table = difference_table(
        &rows,
        "What differs from the revision before",
        ["Before", "Then"],
    );
    table.unwrap_or_else(
        || html! { p.hint { "The same as the revision of " (time(before.created())) "." } },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_from_the_first_revision() {
        let at = |micros| Timestamp::from_unix_micros(micros).unwrap();
        let numbers = RevisionNumbers([(at(10), 1), (at(20), 2), (at(30), 3)].into());
        assert_eq!(numbers.label(at(20)), "r2");
        assert_eq!(numbers.label(at(21)), at(21).to_string());
        assert_eq!(numbers.neighbours(at(20)), [Some(at(10)), Some(at(30))]);
        assert_eq!(numbers.neighbours(at(10)), [None, Some(at(20))]);
        let within = numbers.between(at(10), at(30));
        assert_eq!(
            within,
            [(at(10), "r1".to_owned()), (at(20), "r2".to_owned())]
        );
    }
}
