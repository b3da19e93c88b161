//! A flag with its newest rows.

use flag_model::{FlagKey, Metadata, Revision};
use flag_store::UnreadableRow;
use serde::Serialize;

use super::json::{self, Entry};
use super::table::{of_metadata, of_revision};
use super::text::{Text, Tone};
use super::view::View;
use crate::maybe_readable::{MaybeReadable, UnreadableRows, created_by};
use crate::revision_numbers::RevisionNumbers;

/// The metadata and the revision in force, as far as they exist, or why they cannot be read.
pub(crate) struct Flag<'a> {
    pub(crate) key: &'a FlagKey,
    pub(crate) metadata: Option<&'a MaybeReadable<Metadata>>,
    pub(crate) revision: Option<&'a MaybeReadable<Revision>>,
    pub(crate) numbers: &'a RevisionNumbers,
}

impl Flag<'_> {
    /// An error if a row cannot be read.
    pub(crate) fn check_readable(&self) -> Result<(), UnreadableRows> {
        let metadata = self.metadata.and_then(|row| row.as_ref().err());
        let revision = self.revision.and_then(|row| row.as_ref().err());
        UnreadableRows::check(metadata.into_iter().chain(revision).cloned().collect())
    }
}

/// Only the revision in force.
pub(crate) struct Latest<'a> {
    pub(crate) flag: &'a FlagKey,
    pub(crate) revision: &'a Revision,
    pub(crate) numbers: &'a RevisionNumbers,
}

#[derive(Serialize)]
struct FlagData {
    #[serde(flatten)]
    key: json::Key,
    metadata: Option<Entry<json::Metadata>>,
    revision: Option<Entry<json::Revision>>,
}

#[derive(Serialize)]
struct LatestData {
    #[serde(flatten)]
    key: json::Key,
    revision: json::Revision,
}

impl View for Flag<'_> {
    fn data(&self) -> impl Serialize {
        FlagData {
            key: self.key.into(),
            metadata: (self.metadata)
                .map(|row| Entry::new(row, created_by(row, Metadata::created))),
            revision: (self.revision).map(|row| Entry::numbered(row, self.numbers)),
        }
    }

    fn text(&self) -> Text {
        let metadata = match self.metadata {
            Some(Ok(metadata)) => of_metadata(metadata),
            Some(Err(error)) => unreadable("metadata", error),
            None => Text::plain("no metadata"),
        };
        let revision = match self.revision {
            Some(Ok(revision)) => of_revision(revision, self.numbers),
            Some(Err(error)) => unreadable("newest revision", error),
            None => Text::plain("no revision yet"),
        };
        Text::plain(&self.key.to_string())
            .and(metadata)
            .and(revision)
    }

    fn names(&self) -> Vec<String> {
        vec![self.key.name.to_string()]
    }
}

impl View for Latest<'_> {
    fn data(&self) -> impl Serialize {
        LatestData {
            key: self.flag.into(),
            revision: json::Revision::numbered(self.revision, self.numbers),
        }
    }

    fn text(&self) -> Text {
        of_revision(self.revision, self.numbers)
    }

    fn names(&self) -> Vec<String> {
        vec![self.revision.created().to_string()]
    }
}

fn unreadable(what: &str, error: &UnreadableRow) -> Text {
    Text::line(Tone::Problem, &format!("{what}: unreadable: {error}"))
}
