//! The result of `flagctl history`.

use flag_model::{FlagKey, Metadata, Revision, Timestamp};
use flag_store::UnreadableRow;
use serde::Serialize;

use super::escape::visible;
use super::json::{self, Entry};
use super::table::{listed, or_none, placing, short, treatments};
use super::terminal;
use super::text::{Columns, Text, Tone};
use super::view::View;
use super::when::{age, to_the_second};
use crate::maybe_readable::{MaybeReadable, created_by};
use crate::revision_numbers::RevisionNumbers;

/// Revisions of a flag; unreadable ones with the reason.
pub(crate) struct Revisions<'a> {
    pub(crate) flag: &'a FlagKey,
    pub(crate) rows: &'a [MaybeReadable<Revision>],
    pub(crate) numbers: &'a RevisionNumbers,
}

/// Metadata of a flag; unreadable rows with the reason.
pub(crate) struct MetadataHistory<'a> {
    pub(crate) flag: &'a FlagKey,
    pub(crate) metadata: &'a [MaybeReadable<Metadata>],
}

#[derive(Serialize)]
struct RevisionsData {
    #[serde(flatten)]
    key: json::Key,
    revisions: Vec<Entry<json::Revision>>,
}

#[derive(Serialize)]
struct MetadataData {
    #[serde(flatten)]
    key: json::Key,
    metadata: Vec<Entry<json::Metadata>>,
}

impl View for Revisions<'_> {
    fn data(&self) -> impl Serialize {
        let revisions = self.rows.iter();
        let revisions = revisions.map(|row| Entry::numbered(row, self.numbers));
        RevisionsData {
            key: self.flag.into(),
            revisions: revisions.collect(),
        }
    }

    fn text(&self) -> Text {
        revisions_table(self.rows, self.numbers)
    }

    fn wide(&self) -> Text {
        wide_table(self.rows, self.numbers)
    }

    fn names(&self) -> Vec<String> {
        let revisions = self.rows.iter();
        let times = revisions.filter_map(|row| created_by(row, Revision::created));
        times.map(|time| time.to_string()).collect()
    }
}

impl View for MetadataHistory<'_> {
    fn data(&self) -> impl Serialize {
        let metadata = self.metadata.iter();
        let metadata = metadata.map(|row| Entry::new(row, created_by(row, Metadata::created)));
        MetadataData {
            key: self.flag.into(),
            metadata: metadata.collect(),
        }
    }

    fn text(&self) -> Text {
        if self.metadata.is_empty() {
            return Text::default();
        }
        let heading = [
            "CREATED",
            "EDITED BY",
            "OWNER",
            "EXPIRES ON",
            "TICKET",
            "TAGS",
            "DESCRIPTION",
        ];
        let mut columns = Columns::headed(heading);
        for row in self.metadata {
            match row {
                Ok(metadata) => columns.line(Tone::Plain, of_metadata(metadata)),
                Err(error) => columns.line(
                    Tone::Problem,
                    unreadable(created_by(row, Metadata::created), error),
                ),
            }
        }
        columns.text()
    }

    fn names(&self) -> Vec<String> {
        let metadata = self.metadata.iter();
        let times = metadata.filter_map(|row| created_by(row, Metadata::created));
        times.map(|time| time.to_string()).collect()
    }
}

/// A line for each revision, in columns.
pub(crate) fn revisions_table(
    revisions: &[MaybeReadable<Revision>],
    numbers: &RevisionNumbers,
) -> Text {
    revisions_table_at(terminal::began(), revisions, numbers)
}

/// The same at a time, which ages are counted from.
pub(super) fn revisions_table_at(
    now: Timestamp,
    revisions: &[MaybeReadable<Revision>],
    numbers: &RevisionNumbers,
) -> Text {
    table(headed(), revisions, numbers, &|revision| {
        of_revision(revision, now)
    })
}

/// Lines of revisions below each other, as they are made.
pub(crate) struct RevisionLines {
    columns: Columns,
    shown: usize,
}

impl RevisionLines {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            columns: headed(),
            shown: 0,
        }
    }

    /// The lines of further revisions, in the columns of those before; the first ones have a heading.
    pub(crate) fn with(
        &mut self,
        revisions: &[MaybeReadable<Revision>],
        numbers: &RevisionNumbers,
        now: Timestamp,
    ) -> Text {
        for row in revisions {
            push(&mut self.columns, row, numbers, &|revision| {
                of_revision(revision, now)
            });
        }
        let before = std::mem::replace(&mut self.shown, self.columns.rows());
        self.columns.clone().after(before)
    }
}

fn headed() -> Columns {
    Columns::headed([
        "REV",
        "CREATED (UTC)",
        "AGE",
        "CONTROL",
        "TREATMENTS",
        "OWNER",
        "COMMENT",
    ])
}

/// The same with nothing left out.
fn wide_table(revisions: &[MaybeReadable<Revision>], numbers: &RevisionNumbers) -> Text {
    let columns = Columns::headed([
        "REV",
        "CREATED (UTC)",
        "AGE",
        "VERSION",
        "CONTROL",
        "TREATMENTS",
        "OWNER",
        "ROLLBACK OF",
        "COMMENT",
    ]);
    table(columns, revisions, numbers, &|revision| {
        all_of_revision(revision, numbers)
    })
}

fn table(
    mut columns: Columns,
    revisions: &[MaybeReadable<Revision>],
    numbers: &RevisionNumbers,
    cells: &dyn Fn(&Revision) -> Vec<String>,
) -> Text {
    if revisions.is_empty() {
        return Text::default();
    }
    for row in revisions {
        push(&mut columns, row, numbers, cells);
    }
    columns.text()
}

fn push(
    columns: &mut Columns,
    row: &MaybeReadable<Revision>,
    numbers: &RevisionNumbers,
    cells: &dyn Fn(&Revision) -> Vec<String>,
) {
    let created = created_by(row, Revision::created);
    let label = or_none(created.and_then(|created| numbers.label(created)));
    let (tone, rest) = match row {
        Ok(revision) => (Tone::Plain, cells(revision)),
        Err(error) => (Tone::Problem, unreadable(created, error)),
    };
    columns.line(tone, [vec![label], rest].concat());
}

fn unreadable(created: Option<Timestamp>, error: &UnreadableRow) -> Vec<String> {
    let created = created.map_or_else(|| "?".to_owned(), to_the_second);
    vec![created, format!("unreadable: {error}")]
}

fn of_revision(revision: &Revision, now: Timestamp) -> Vec<String> {
    vec![
        to_the_second(revision.created()),
        age(revision.created(), now),
        short(&revision.control.to_string()),
        treatments(revision),
        or_none(revision.owner.as_ref().map(ToString::to_string)),
        short(&revision.comment),
    ]
}

fn all_of_revision(revision: &Revision, numbers: &RevisionNumbers) -> Vec<String> {
    let rollback_of = revision.rollback_of;
    let rollback_of = rollback_of.map(|of| numbers.label(of).unwrap_or_else(|| to_the_second(of)));
    vec![
        to_the_second(revision.created()),
        age(revision.created(), terminal::began()),
        placing(&revision.scheme),
        visible(&revision.control.to_string()),
        treatments(revision),
        or_none(revision.owner.as_ref().map(ToString::to_string)),
        or_none(rollback_of),
        visible(&revision.comment),
    ]
}

fn of_metadata(metadata: &Metadata) -> Vec<String> {
    vec![
        to_the_second(metadata.created()),
        or_none(metadata.edited_by.as_ref().map(ToString::to_string)),
        or_none(metadata.owner.as_ref().map(ToString::to_string)),
        or_none(metadata.expires_on.map(|date| date.to_string())),
        or_none(metadata.ticket.clone()),
        listed(&metadata.tags),
        short(&metadata.description),
    ]
}
