//! The parts of results in JSON and YAML, which scripts rely on. Fields are added, never changed; `docs/flagctl.md`
//! lists them all.

use flag_model::{
    AlgorithmSource, BucketRange, BucketScheme, FlagKey, FlagValue, HashAlgorithm, InstanceId,
    Percent, Timestamp,
};
use flag_rollout::groups;
use flag_store::UnreadableRow;
use serde::Serialize;
use serde_json::Number;

use crate::maybe_readable::{MaybeReadable, created};
use crate::revision_numbers::RevisionNumbers;

#[derive(Serialize)]
pub(super) struct Key {
    project: String,
    flag_type: &'static str,
    name: String,
}

#[derive(Serialize)]
pub(super) struct Metadata {
    created: String,
    description: String,
    owner: Option<String>,
    edited_by: Option<String>,
    ticket: Option<String>,
    tags: Vec<String>,
    expires_on: Option<String>,
}

/// A row, or why it cannot be read.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Entry<T> {
    Readable(Box<T>),
    Unreadable {
        created: Option<String>,
        unreadable: String,
    },
}

#[derive(Serialize)]
pub(super) struct Revision {
    created: String,
    /// Its position in the history of the flag; absent where the history is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<usize>,
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
pub(super) enum Value {
    Boolean(bool),
    Text(String),
}

impl<T> Entry<T> {
    /// A row as it was read; `created` is when it was made, as far as that is known.
    pub(super) fn new<'a, R>(row: &'a Result<R, UnreadableRow>, created: Option<Timestamp>) -> Self
    where
        T: From<&'a R>,
    {
        match row {
            Ok(row) => Self::Readable(Box::new(row.into())),
            Err(error) => Self::Unreadable {
                created: created.as_ref().map(text),
                unreadable: text(error),
            },
        }
    }
}

impl Entry<Revision> {
    /// A revision with its number, or why it cannot be read.
    pub(super) fn numbered(
        row: &MaybeReadable<flag_model::Revision>,
        numbers: &RevisionNumbers,
    ) -> Self {
        match row {
            Ok(revision) => Self::Readable(Box::new(Revision::numbered(revision, numbers))),
            Err(_) => Self::new(row, created(row)),
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
            edited_by: metadata.edited_by.as_ref().map(text),
            ticket: metadata.ticket.clone(),
            tags: metadata.tags.clone(),
            expires_on: metadata.expires_on.as_ref().map(text),
        }
    }
}

impl From<&flag_model::Revision> for Revision {
    fn from(revision: &flag_model::Revision) -> Self {
        let treatments = revision.treatments.iter().zip(groups(revision));
        Self {
            created: text(&revision.created()),
            number: None,
            format_version: match revision.scheme {
                BucketScheme::V1 { .. } => 1,
                BucketScheme::V2 { .. } => 2,
            },
            hash_algorithm: named_algorithm(&revision.scheme).map(HashAlgorithm::as_str),
            salt: revision.scheme.salt().map(text),
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

impl Revision {
    /// A revision with its number.
    pub(super) fn numbered(revision: &flag_model::Revision, numbers: &RevisionNumbers) -> Self {
        let number = numbers.number(revision.created());
        Self {
            number,
            ..revision.into()
        }
    }
}

impl Treatment {
    fn new(treatment: &flag_model::Treatment, group: String, ranges: &[BucketRange]) -> Self {
        let ranges = ranges.iter().map(|range| [range.from(), range.to()]);
        let overrides = treatment.overrides.iter().map(InstanceId::to_string);
        Self {
            group,
            percent: number(treatment.percent),
            value: (&treatment.value).into(),
            overrides: overrides.collect(),
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

/// A whole number if possible, else with up to three decimals, which a double holds.
pub(crate) fn number(percent: Percent) -> Number {
    let whole = Number::from(percent.buckets() / 1_000);
    if percent.is_whole() {
        return whole;
    }
    Number::from_f64(f64::from(percent.buckets()) / 1_000.0).unwrap_or(whole)
}

fn text(value: &impl ToString) -> String {
    value.to_string()
}

/// The hash algorithm that the row of a revision names.
pub(crate) fn named_algorithm(scheme: &BucketScheme) -> Option<HashAlgorithm> {
    match scheme {
        BucketScheme::V1 {
            source: AlgorithmSource::Setting,
            ..
        } => None,
        _ => Some(scheme.algorithm()),
    }
}
