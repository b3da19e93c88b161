//! Converts flags to a file.

use flag_model::{
    BucketRange, BucketScheme, FlagValue, HashAlgorithm, InstanceId, Metadata, Percent,
    ProjectName, Revision, Timestamp, Treatment,
};
use flag_rollout::reweight;
use flag_store::FlagEntry;
use serde::Serialize;
use serde_json::{Number, Value};
use serde_saphyr::FlowSeq;

use super::FILE_VERSION;
use crate::maybe_readable::{created, created_by};
use crate::output::{named_algorithm, number};

/// A file as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct Written {
    file_version: u8,
    project: String,
    pub(crate) flags: Vec<WrittenFlag>,
}

#[derive(Debug, Serialize)]
pub(crate) struct WrittenFlag {
    flag_type: &'static str,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<WrittenMetadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<FileRevision>,
    /// The rows that it was exported from; none if it never was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    exported_from: Option<WrittenTimes>,
}

/// When the newest rows were written, also those that cannot be read.
#[derive(Debug, Serialize)]
struct WrittenTimes {
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
}

#[derive(Debug, Serialize)]
struct WrittenMetadata {
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_on: Option<String>,
}

#[derive(Debug, Serialize)]
struct FileRevision {
    format_version: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash_algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    control: Value,
    treatments: Vec<WrittenTreatment>,
}

#[derive(Debug, Serialize)]
struct WrittenTreatment {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    percent: Number,
    value: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<String>,
    /// Only if they differ from those that a new flag would get.
    #[serde(skip_serializing_if = "Option::is_none")]
    ranges: Option<FlowSeq<Vec<[u32; 2]>>>,
}

impl Written {
    /// The readable rows of the flags.
    pub(crate) fn new(project: &ProjectName, flags: &[FlagEntry]) -> Self {
        let flags = flags.iter().map(WrittenFlag::from);
        Self {
            file_version: FILE_VERSION,
            project: project.to_string(),
            flags: flags
                .filter(|flag| flag.metadata.is_some() || flag.revision.is_some())
                .collect(),
        }
    }
}

impl Written {
    /// The same file of flags that no store has.
    pub(crate) fn without_origin(mut self) -> Self {
        for flag in &mut self.flags {
            flag.exported_from = None;
        }
        self
    }
}

impl From<&FlagEntry> for WrittenFlag {
    fn from(entry: &FlagEntry) -> Self {
        let metadata = entry.metadata.as_ref().and_then(|row| row.as_ref().ok());
        let revision = entry.revision.as_ref().and_then(|row| row.as_ref().ok());
        Self {
            flag_type: entry.flag.flag_type.as_str(),
            name: entry.flag.name.to_string(),
            metadata: metadata.map(Into::into),
            revision: revision.map(Into::into),
            exported_from: Some(WrittenTimes {
                metadata: time(
                    (entry.metadata.as_ref()).and_then(|row| created_by(row, Metadata::created)),
                ),
                revision: time(entry.revision.as_ref().and_then(created)),
            }),
        }
    }
}

impl From<&Metadata> for WrittenMetadata {
    fn from(metadata: &Metadata) -> Self {
        Self {
            description: metadata.description.clone(),
            owner: metadata.owner.as_ref().map(ToString::to_string),
            ticket: metadata.ticket.clone(),
            tags: metadata.tags.clone(),
            expires_on: metadata.expires_on.map(|day| day.to_string()),
        }
    }
}

impl From<&Revision> for FileRevision {
    fn from(revision: &Revision) -> Self {
        let is_new = has_ranges_of_a_new_flag(revision);
        let treatments = revision.treatments.iter();
        Self {
            format_version: match revision.scheme {
                BucketScheme::V1 { .. } => 1,
                BucketScheme::V2 { .. } => 2,
            },
            hash_algorithm: named_algorithm(&revision.scheme).map(HashAlgorithm::as_str),
            salt: revision.scheme.salt().map(ToString::to_string),
            control: value(&revision.control),
            treatments: treatments
                .map(|treatment| WrittenTreatment::new(treatment, is_new))
                .collect(),
        }
    }
}

impl WrittenTreatment {
    fn new(treatment: &Treatment, is_new: bool) -> Self {
        let ranges = treatment.ranges.iter();
        let ranges: Vec<_> = ranges.map(|range| [range.from(), range.to()]).collect();
        Self {
            name: treatment.name.as_ref().map(ToString::to_string),
            percent: number(treatment.percent),
            value: value(&treatment.value),
            overrides: treatment
                .overrides
                .iter()
                .map(InstanceId::to_string)
                .collect(),
            ranges: (!is_new && !ranges.is_empty()).then_some(FlowSeq(ranges)),
        }
    }
}

fn time(time: Option<Timestamp>) -> Option<String> {
    Some(time?.to_string())
}

fn value(value: &FlagValue) -> Value {
    match value {
        FlagValue::Boolean(value) => Value::from(*value),
        FlagValue::Text(text) => Value::from(&**text),
    }
}

/// Whether a new flag would get the same ranges, so that they can be left out.
fn has_ranges_of_a_new_flag(revision: &Revision) -> bool {
    let treatments = revision.treatments.iter();
    let shares: Vec<(&[BucketRange], Percent)> = treatments
        .map(|treatment| (&[][..], treatment.percent))
        .collect();
    let ranges = reweight(&shares);
    let treatments = revision.treatments.iter();
    treatments
        .zip(ranges)
        .all(|(treatment, ranges)| treatment.ranges == ranges)
}
