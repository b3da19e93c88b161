//! A flag with what is newest of it.

use flag_model::{FlagKey, Metadata, Revision};
use serde::Serialize;

use super::Answer;
use super::json;
use super::table::{of_metadata, of_revision};
use super::text::Text;

/// What a flag is for, and the revision in force, as far as there are such.
pub(crate) struct Flag<'a> {
    pub(crate) key: &'a FlagKey,
    pub(crate) metadata: Option<&'a Metadata>,
    pub(crate) revision: Option<&'a Revision>,
}

/// The revision in force, alone.
pub(crate) struct Latest<'a> {
    pub(crate) flag: &'a FlagKey,
    pub(crate) revision: &'a Revision,
}

#[derive(Serialize)]
struct FlagData {
    #[serde(flatten)]
    key: json::Key,
    metadata: Option<json::Metadata>,
    revision: Option<json::Revision>,
}

#[derive(Serialize)]
struct LatestData {
    #[serde(flatten)]
    key: json::Key,
    revision: json::Revision,
}

impl Answer for Flag<'_> {
    fn data(&self) -> impl Serialize {
        FlagData {
            key: self.key.into(),
            metadata: self.metadata.map(Into::into),
            revision: self.revision.map(Into::into),
        }
    }

    fn text(&self) -> Text {
        let metadata = self.metadata.map(of_metadata);
        let revision = self.revision.map(of_revision);
        Text::plain(&self.key.to_string())
            .and(metadata.unwrap_or_else(|| Text::plain("no metadata")))
            .and(revision.unwrap_or_else(|| Text::plain("no revision yet")))
    }

    fn names(&self) -> Vec<String> {
        vec![self.key.name.to_string()]
    }
}

impl Answer for Latest<'_> {
    fn data(&self) -> impl Serialize {
        LatestData {
            key: self.flag.into(),
            revision: self.revision.into(),
        }
    }

    fn text(&self) -> Text {
        of_revision(self.revision)
    }

    fn names(&self) -> Vec<String> {
        vec![self.revision.created().to_string()]
    }
}
