//! Results as JSON: names and shapes that scripts rely on. Fields are added, never changed.

use std::collections::BTreeMap;

use flag_model::{
    BucketRange, FlagKey, FlagValue, Format, HashAlgorithm, InstanceId, Percent, Timestamp,
};
use flag_store::{Row, UnreadableRow};
use serde::Serialize;
use serde_json::Number;

use super::{created, groups};

/// A row as it was written.
#[derive(Serialize)]
pub(super) struct Written {
    #[serde(flatten)]
    key: Key,
    created: String,
    row_key: String,
    cells: BTreeMap<String, String>,
}

/// A flag with what is newest of it.
#[derive(Serialize)]
pub(super) struct Flag {
    #[serde(flatten)]
    key: Key,
    metadata: Option<Metadata>,
    revision: Option<Revision>,
}

/// Revisions of a flag, the newest first.
#[derive(Serialize)]
pub(super) struct History {
    #[serde(flatten)]
    key: Key,
    revisions: Vec<Entry>,
}

#[derive(Serialize)]
struct Key {
    project: String,
    flag_type: &'static str,
    name: String,
}

#[derive(Serialize)]
struct Metadata {
    created: String,
    description: String,
    owner: Option<String>,
    ticket: Option<String>,
    tags: Vec<String>,
    expires_on: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Revision(Box<Revision>),
    Unreadable {
        created: Option<String>,
        unreadable: String,
    },
}

#[derive(Serialize)]
struct Revision {
    created: String,
    format_version: u8,
    hash_algorithm: Option<&'static str>,
    salt: Option<String>,
    control: Value,
    treatments: Vec<Treatment>,
    comment: String,
    owner: Option<String>,
    rollback_of: Option<String>,
}

#[derive(Serialize)]
struct Treatment {
    group: String,
    percent: Number,
    value: Value,
    overrides: Vec<String>,
    ranges: Vec<[u32; 2]>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Boolean(bool),
    Text(String),
}

impl Written {
    pub(super) fn new(flag: &FlagKey, created: Timestamp, row: &Row) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let cells = row.cells.iter();
        Self {
            key: flag.into(),
            created: created.to_string(),
            row_key: text(&row.key),
            cells: cells
                .map(|(column, value)| (text(column), text(value)))
                .collect(),
        }
    }
}

impl Flag {
    pub(super) fn new(
        flag: &FlagKey,
        metadata: Option<&flag_model::Metadata>,
        revision: Option<&flag_model::Revision>,
    ) -> Self {
        Self {
            key: flag.into(),
            metadata: metadata.map(Metadata::from),
            revision: revision.map(Revision::from),
        }
    }
}

impl History {
    pub(super) fn new(
        flag: &FlagKey,
        revisions: &[Result<flag_model::Revision, UnreadableRow>],
    ) -> Self {
        let entries = revisions.iter().map(|revision| match revision {
            Ok(revision) => Entry::Revision(Box::new(revision.into())),
            Err(error) => Entry::Unreadable {
                created: created(revision).as_ref().map(text),
                unreadable: text(error),
            },
        });
        Self {
            key: flag.into(),
            revisions: entries.collect(),
        }
    }
}

impl From<&FlagKey> for Key {
    fn from(flag: &FlagKey) -> Self {
        Self {
            project: text(&flag.project),
            flag_type: flag.flag_type.as_str(),
            name: text(&flag.name),
        }
    }
}

impl From<&flag_model::Metadata> for Metadata {
    fn from(metadata: &flag_model::Metadata) -> Self {
        Self {
            created: text(&metadata.created()),
            description: metadata.description.clone(),
            owner: metadata.owner.as_ref().map(text),
            ticket: metadata.ticket.clone(),
            tags: metadata.tags.clone(),
            expires_on: metadata.expires_on.as_ref().map(text),
        }
    }
}

impl From<&flag_model::Revision> for Revision {
    fn from(revision: &flag_model::Revision) -> Self {
        let (format_version, placing) = match &revision.format {
            Format::V1 => (1, None),
            Format::V2 { algorithm, salt } => (2, Some((algorithm, salt))),
        };
        let treatments = revision.treatments.iter().zip(groups(revision));
        Self {
            created: text(&revision.created()),
            format_version,
            hash_algorithm: placing.map(|(algorithm, _)| HashAlgorithm::as_str(*algorithm)),
            salt: placing.map(|(_, salt)| text(salt)),
            control: (&revision.control).into(),
            treatments: treatments
                .map(|(treatment, (group, ranges))| Treatment::new(treatment, group, &ranges))
                .collect(),
            comment: revision.comment.clone(),
            owner: revision.owner.as_ref().map(text),
            rollback_of: revision.rollback_of.as_ref().map(text),
        }
    }
}

impl Treatment {
    fn new(treatment: &flag_model::Treatment, group: String, ranges: &[BucketRange]) -> Self {
        let ranges = ranges.iter().map(|range| [range.from(), range.to()]);
        Self {
            group,
            percent: number(treatment.percent),
            value: (&treatment.value).into(),
            overrides: treatment
                .overrides
                .iter()
                .map(InstanceId::to_string)
                .collect(),
            ranges: ranges.collect(),
        }
    }
}

impl From<&FlagValue> for Value {
    fn from(value: &FlagValue) -> Self {
        match value {
            FlagValue::Boolean(value) => Self::Boolean(*value),
            FlagValue::Text(text) => Self::Text(text.to_string()),
        }
    }
}

/// A whole number where it is one, else with up to three decimals, which a double holds.
fn number(percent: Percent) -> Number {
    let whole = Number::from(percent.buckets() / 1_000);
    if percent.is_whole() {
        return whole;
    }
    Number::from_f64(f64::from(percent.buckets()) / 1_000.0).unwrap_or(whole)
}

fn text(value: &impl ToString) -> String {
    value.to_string()
}
