//! The flags of a project.

use flag_model::{Metadata, ProjectName, Revision};
use flag_store::{FlagEntry, UnreadableRow};
use serde::Serialize;

use super::json::{self, Entry};
use super::table::{or_none, short, treatments};
use super::text::{Columns, Text, Tone};
use super::view::View;
use super::when::to_the_second;
use crate::stored::created_by;

/// Which columns are shown for each flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListColumns {
    /// Those of its metadata.
    Metadata,
    /// Those of the revision in force.
    MetadataAndRevision,
}

/// The flags of a project, by type and name.
pub(crate) struct Flags<'a> {
    pub(crate) project: &'a ProjectName,
    pub(crate) entries: &'a [FlagEntry],
    pub(crate) columns: ListColumns,
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
        }
    }

    fn names(&self) -> Vec<String> {
        let flags = self.entries.iter();
        flags.map(|entry| entry.flag.name.to_string()).collect()
    }
}

impl Flags<'_> {
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

fn unreadable(error: &UnreadableRow) -> Vec<String> {
    vec![format!("unreadable: {error}")]
}
