//! Converts a tree to flags.

use std::collections::HashSet;

use flag_model::{
    BucketRange, Date, FlagKey, FlagName, FlagType, FlagValue, FormatVersion, HashAlgorithm,
    InstanceId, MetadataParts, OwnerId, Percent, ProjectName, Salt, Timestamp, Treatment,
    TreatmentName,
};

use super::fields::{At, Fields, Reading};
use super::node::{self, Node};
use super::{ExportedFrom, FILE_VERSION, FileErrors, FlagFile, FlagInFile, RevisionInFile};

/// Reads a file, YAML or JSON; returns every error with its position.
pub(crate) fn read(text: &str) -> Result<FlagFile, FileErrors> {
    let node: Node = node::parse(text)?;
    let mut reading = Reading::default();
    let file = file(&mut reading, &At::root(&node));
    reading.finish(file)
}

fn file(reading: &mut Reading, at: &At<'_>) -> Option<FlagFile> {
    let fields = reading.fields(at, &["file_version", "project", "flags"])?;
    if let Some(version) = reading.required(&fields, "file_version")
        && let Some(digits) = reading.number(&version)
        && digits != FILE_VERSION.to_string()
    {
        let problem = format!("found {}, expected {FILE_VERSION}", version.node.found());
        let _: Option<()> = reading.refuse(&version, problem);
    }
    let project = reading.required(&fields, "project");
    let project = project.and_then(|at| reading.valid(&at, |text| ProjectName::new(text)));
    // The flags are read for their mistakes also if the project has one.
    let known = project.clone().or_else(|| ProjectName::new(UNKNOWN).ok())?;
    let flags = reading.required(&fields, "flags")?;
    let mut seen = HashSet::new();
    let mut read = Vec::new();
    let flags = reading.list(&flags, |reading, at| {
        let flag = flag(reading, &known, at)?;
        read.push(flag.clone());
        if !seen.insert(flag.flag.clone()) {
            let problem = format!("found {} once more, expected each flag once", flag.flag);
            return reading.refuse(at, problem);
        }
        Some(flag)
    });
    reading.check_others(&read);
    Some(FlagFile {
        project: project?,
        flags: flags?,
    })
}

/// Stands for a name that has a mistake.
const UNKNOWN: &str = "unknown";

const FLAG: &[&str] = &["flag_type", "name", "metadata", "revision", "exported_from"];

fn flag(reading: &mut Reading, project: &ProjectName, at: &At<'_>) -> Option<FlagInFile> {
    let position = at.node.position;
    let fields = reading.fields(at, FLAG)?;
    let flag_type = reading.required(&fields, "flag_type");
    let flag_type = flag_type.and_then(|at| reading.valid(&at, FlagType::parse));
    let name = reading.required(&fields, "name");
    let name = name.and_then(|at| reading.valid(&at, |text| FlagName::new(text)));
    let known = FlagKey {
        project: project.clone(),
        flag_type: flag_type.unwrap_or(FlagType::Data),
        name: name.clone().or_else(|| FlagName::new(UNKNOWN).ok())?,
    };
    let metadata = reading.optional(&fields, "metadata", |reading, at| {
        metadata(reading, &known, at)
    });
    // Which values are valid is not known without the type.
    let revision = match flag_type {
        Some(_) => reading.optional(&fields, "revision", |reading, at| {
            revision(reading, &known, at)
        }),
        None => None,
    };
    let exported_from = reading.optional(&fields, "exported_from", exported_from);
    let (Some(_), Some(_)) = (flag_type, name) else {
        return None;
    };
    Some(FlagInFile {
        position,
        metadata: metadata?,
        revision: revision?,
        exported_from: exported_from?,
        flag: known,
    })
}

fn exported_from(reading: &mut Reading, at: &At<'_>) -> Option<ExportedFrom> {
    let fields = reading.fields(at, &["metadata", "revision"])?;
    let time = |reading: &mut Reading, at: &At<'_>| reading.valid(at, Timestamp::parse);
    let metadata = reading.optional(&fields, "metadata", time);
    let revision = reading.optional(&fields, "revision", time);
    Some(ExportedFrom {
        metadata: metadata?,
        revision: revision?,
    })
}

const METADATA: &[&str] = &["description", "owner", "ticket", "tags", "expires_on"];

fn metadata(reading: &mut Reading, flag: &FlagKey, at: &At<'_>) -> Option<MetadataParts> {
    let fields = reading.fields(at, METADATA)?;
    let text = |reading: &mut Reading, at: &At<'_>| reading.text(at).map(str::to_owned);
    let description = reading.required(&fields, "description");
    let description = description.and_then(|at| text(reading, &at));
    let owner = reading.optional(&fields, "owner", |reading, at| {
        reading.valid(at, |text| OwnerId::new(text))
    });
    let ticket = reading.optional(&fields, "ticket", text);
    let tags = reading.optional(&fields, "tags", |reading, at| reading.list(at, text));
    let expires_on = reading.optional(&fields, "expires_on", |reading, at| {
        reading.valid(at, Date::parse)
    });
    let parts = MetadataParts {
        flag: flag.clone(),
        description: description?,
        owner: owner?,
        edited_by: None,
        ticket: ticket?,
        tags: tags?.unwrap_or_default(),
        expires_on: expires_on?,
    };
    match parts.validate() {
        Ok(()) => Some(parts),
        Err(refused) => reading.refuse(at, refused),
    }
}

const REVISION: &[&str] = &[
    "format_version",
    "hash_algorithm",
    "salt",
    "control",
    "treatments",
];

fn revision(reading: &mut Reading, flag: &FlagKey, at: &At<'_>) -> Option<RevisionInFile> {
    let flag_type = flag.flag_type;
    let fields = reading.fields(at, REVISION)?;
    let version = reading.optional(&fields, "format_version", version);
    let algorithm = reading.optional(&fields, "hash_algorithm", |reading, at| {
        reading.parsed(at, HashAlgorithm::parse)
    });
    let salt = reading.optional(&fields, "salt", |reading, at| {
        reading.valid(at, |text| Salt::new(text))
    });
    let control = reading.required(&fields, "control");
    let control = control.and_then(|at| value(reading, flag_type, &at));
    let treatments = reading.optional(&fields, "treatments", |reading, at| {
        reading.list(at, |reading, at| treatment(reading, flag_type, at))
    });
    Some(RevisionInFile {
        version: version?,
        algorithm: algorithm?,
        salt: salt?,
        control: control?,
        treatments: treatments?,
    })
}

fn version(reading: &mut Reading, at: &At<'_>) -> Option<FormatVersion> {
    let digits = reading.number(at)?;
    match FormatVersion::parse(digits) {
        Ok(version) => Some(version),
        Err(_) => reading.refuse(at, format!("found {}, expected 1 or 2", at.node.found())),
    }
}

const TREATMENT: &[&str] = &["name", "percent", "value", "overrides", "ranges"];

fn treatment(reading: &mut Reading, flag_type: FlagType, at: &At<'_>) -> Option<Treatment> {
    let fields = reading.fields(at, TREATMENT)?;
    let name = reading.optional(&fields, "name", |reading, at| {
        reading.valid(at, |text| TreatmentName::new(text))
    });
    let percent = percent(reading, &fields);
    let value_at = reading.required(&fields, "value");
    let value = value_at.and_then(|at| value(reading, flag_type, &at));
    let overrides = reading.optional(&fields, "overrides", |reading, at| {
        reading.list(at, |reading, at| {
            reading.valid(at, |text| InstanceId::new(text.to_owned()))
        })
    });
    let ranges = reading.optional(&fields, "ranges", |reading, at| reading.list(at, range));
    Some(Treatment {
        name: name?,
        percent: percent?,
        value: value?,
        overrides: overrides?.unwrap_or_default(),
        ranges: ranges?.unwrap_or_default(),
    })
}

/// Whether the version allows its decimals is checked when the version is known.
fn percent(reading: &mut Reading, fields: &Fields<'_>) -> Option<Percent> {
    let at = reading.required(fields, "percent")?;
    let digits = reading.number(&at)?;
    match Percent::parse(digits, FormatVersion::V2) {
        Ok(percent) => Some(percent),
        Err(refused) => reading.refuse(&at, refused),
    }
}

fn value(reading: &mut Reading, flag_type: FlagType, at: &At<'_>) -> Option<FlagValue> {
    match flag_type {
        FlagType::Feature => reading.boolean(at).map(FlagValue::Boolean),
        FlagType::Data => reading.valid(at, FlagValue::text),
    }
}

fn range(reading: &mut Reading, at: &At<'_>) -> Option<BucketRange> {
    let ends = reading.list(at, |reading, at| {
        let digits = reading.number(at)?;
        let end = digits.parse::<u32>();
        end.map_or_else(
            |_| reading.refuse(at, "expected the number of a bucket"),
            Some,
        )
    })?;
    let &[from, to] = ends.as_slice() else {
        return reading.refuse(
            at,
            "expected two numbers: the first bucket, and the first one after",
        );
    };
    match BucketRange::new(from, to) {
        Ok(range) => Some(range),
        Err(refused) => {
            let problem = format!("found {}, expected {}", refused.found, refused.expected);
            reading.refuse(at, problem)
        }
    }
}

#[cfg(test)]
mod tests;
