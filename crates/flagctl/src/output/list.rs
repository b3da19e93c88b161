//! The flags of a project.

use std::collections::BTreeMap;

use flag_model::{FlagKey, Metadata, ProjectName, Revision};
use flag_store::{FlagEntry, UnreadableRow};
use serde::Serialize;

use super::escape::visible;
use super::json::{self, Entry};
use super::table::{listed, or_none, short, treatments};
use super::text::{Columns, Text, Tone};
use super::view::View;
use super::when::to_the_second;
use crate::maybe_readable::created_by;

/// Which columns are shown for each flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListColumns {
    /// Those of its metadata.
    Metadata,
    /// Those of the revision in force.
    MetadataAndRevision,
    /// Most of both, nothing shortened.
    Wide,
    /// Why it is stale.
    Stale,
}

/// The flags of a project, by type and name.
pub(crate) struct Flags<'a> {
    pub(crate) project: &'a ProjectName,
    pub(crate) entries: &'a [FlagEntry],
    pub(crate) columns: ListColumns,
    /// Why flags are stale, if that was asked for.
    pub(crate) stale: Option<&'a BTreeMap<FlagKey, String>>,
}

#[derive(Serialize)]
struct Data {
    project: String,
    flags: Vec<FlagData>,
}

#[derive(Serialize)]
struct FlagData {
    #[serde(flatten)]
    key: json::Key,
    metadata: Option<Entry<json::Metadata>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<Newest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<String>,
}

/// The revision in force, or null.
#[derive(Serialize)]
#[serde(untagged)]
enum Newest {
    Revision(Entry<json::Revision>),
    None,
}

impl View for Flags<'_> {
    fn data(&self) -> impl Serialize {
        let flags = self.entries.iter().map(|entry| FlagData {
            key: (&entry.flag).into(),
            metadata: (entry.metadata.as_ref())
                .map(|row| Entry::new(row, created_by(row, Metadata::created))),
            revision: (self.columns == ListColumns::MetadataAndRevision).then(|| {
                let revision = entry.revision.as_ref();
                revision.map_or(Newest::None, |row| {
                    Newest::Revision(Entry::new(row, created_by(row, Revision::created)))
                })
            }),
            stale: self.reason(entry),
        });
        Data {
            project: self.project.to_string(),
            flags: flags.collect(),
        }
    }

    fn text(&self) -> Text {
        if self.entries.is_empty() {
            return Text::default();
        }
        match self.columns {
            ListColumns::Metadata => self.with_metadata(),
            ListColumns::MetadataAndRevision => self.with_latest(),
            ListColumns::Wide => self.wide(),
            ListColumns::Stale => self.with_reasons(),
        }
    }

    fn names(&self) -> Vec<String> {
        let flags = self.entries.iter();
        flags.map(|entry| entry.flag.name.to_string()).collect()
    }
}

impl Flags<'_> {
    fn reason(&self, entry: &FlagEntry) -> Option<String> {
        self.stale?.get(&entry.flag).cloned()
    }

    fn with_reasons(&self) -> Text {
        let mut columns = Columns::headed(["TYPE", "NAME", "OWNER", "STALE"]);
        for entry in self.entries {
            let metadata = entry.metadata.as_ref().and_then(|row| row.as_ref().ok());
            let owner = metadata.and_then(|metadata| metadata.owner.as_ref());
            let rest = vec![
                or_none(owner.map(ToString::to_string)),
                or_none(self.reason(entry)),
            ];
            columns.line(Tone::Plain, [of_flag(entry), rest].concat());
        }
        columns.text()
    }

    fn wide(&self) -> Text {
        let heading = [
            "TYPE",
            "NAME",
            "OWNER",
            "EXPIRES ON",
            "TICKET",
            "TAGS",
            "REVISED (UTC)",
            "VERSION",
            "CONTROL",
            "TREATMENTS",
            "DESCRIPTION",
        ];
        let mut columns = Columns::headed(heading);
        for entry in self.entries {
            columns.line(Tone::Plain, [of_flag(entry), wide_cells(entry)].concat());
        }
        columns.text()
    }

    fn with_metadata(&self) -> Text {
        let heading = [
            "TYPE",
            "NAME",
            "OWNER",
            "EXPIRES ON",
            "UPDATED",
            "DESCRIPTION",
        ];
        let mut columns = Columns::headed(heading);
        for entry in self.entries {
            let (tone, rest) = match &entry.metadata {
                Some(Ok(metadata)) => (Tone::Plain, of_metadata(metadata)),
                Some(Err(error)) => (Tone::Problem, unreadable(error)),
                None => (Tone::Plain, vec!["-".to_owned()]),
            };
            columns.line(tone, [of_flag(entry), rest].concat());
        }
        columns.text()
    }

    fn with_latest(&self) -> Text {
        let heading = [
            "TYPE",
            "NAME",
            "REVISION",
            "CONTROL",
            "TREATMENTS",
            "COMMENT",
        ];
        let mut columns = Columns::headed(heading);
        for entry in self.entries {
            let (tone, rest) = match &entry.revision {
                Some(Ok(revision)) => (Tone::Plain, of_revision(revision)),
                Some(Err(error)) => (Tone::Problem, unreadable(error)),
                None => (Tone::Plain, vec!["no revision yet".to_owned()]),
            };
            columns.line(tone, [of_flag(entry), rest].concat());
        }
        columns.text()
    }
}

fn of_flag(entry: &FlagEntry) -> Vec<String> {
    vec![
        entry.flag.flag_type.to_string(),
        entry.flag.name.to_string(),
    ]
}

fn of_metadata(metadata: &Metadata) -> Vec<String> {
    vec![
        or_none(metadata.owner.as_ref().map(ToString::to_string)),
        or_none(metadata.expires_on.map(|date| date.to_string())),
        to_the_second(metadata.created()),
        short(&metadata.description),
    ]
}

fn of_revision(revision: &Revision) -> Vec<String> {
    vec![
        to_the_second(revision.created()),
        short(&revision.control.to_string()),
        treatments(revision),
        short(&revision.comment),
    ]
}

/// The cells of a flag behind its name; a dash for what is missing or cannot be read.
fn wide_cells(entry: &FlagEntry) -> Vec<String> {
    let metadata = entry.metadata.as_ref().and_then(|row| row.as_ref().ok());
    let revision = entry.revision.as_ref().and_then(|row| row.as_ref().ok());
    let of_metadata = |of: &dyn Fn(&Metadata) -> Option<String>| or_none(metadata.and_then(of));
    let of_revision =
        |of: &dyn Fn(&Revision) -> String| revision.map_or_else(|| "-".to_owned(), of);
    vec![
        of_metadata(&|metadata| Some(metadata.owner.as_ref()?.to_string())),
        of_metadata(&|metadata| Some(metadata.expires_on?.to_string())),
        of_metadata(&|metadata| metadata.ticket.clone()),
        metadata.map_or_else(|| "-".to_owned(), |metadata| listed(&metadata.tags)),
        of_revision(&|revision| to_the_second(revision.created())),
        of_revision(&|revision| revision.scheme.version().to_string()),
        of_revision(&|revision| visible(&revision.control.to_string())),
        of_revision(&treatments),
        of_metadata(&|metadata| Some(metadata.description.clone())),
    ]
}

fn unreadable(error: &UnreadableRow) -> Vec<String> {
    vec![format!("unreadable: {error}")]
}
