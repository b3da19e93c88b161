//! The revision that a file wants, on top of the one in force.

use std::collections::BTreeSet;

use flag_model::{
    AlgorithmSource, BucketRange, FlagKey, Format, FormatVersion, HashAlgorithm, InstanceId,
    Revision, RevisionParts, Salt, Treatment,
};

use super::Defaults;
use crate::flag_file::RevisionInFile;
use crate::interpret;
use crate::stored::Stored;
use crate::write::PlannedRevision;

/// The next revision; none if the one in force is equal. An unreadable one is replaced; its format is `unread`.
pub(super) fn planned(
    flag: &FlagKey,
    wanted: &RevisionInFile,
    stored: Option<&Stored<Revision>>,
    unread: Option<&Format>,
    defaults: &Defaults,
) -> Result<Option<PlannedRevision>, String> {
    let newest = stored.and_then(|stored| stored.as_ref().ok());
    let format = newest.map(|newest| &newest.format).or(unread);
    if stored.is_some() && format.is_none() && wanted.version.is_none() {
        return Err(
            "format_version: found none, expected one, as the newest revision cannot be read"
                .to_owned(),
        );
    }
    let format = self::format(flag, wanted, format, defaults.v1)?;
    let mut parts = RevisionParts {
        flag: flag.clone(),
        control: wanted.control.clone(),
        treatments: wanted.treatments.clone().unwrap_or_default(),
        comment: defaults.comment.clone(),
        owner: defaults.owner.clone(),
        rollback_of: None,
        format,
    };
    let has_ranges = |treatment: &Treatment| !treatment.ranges.is_empty();
    if parts.format.version() == FormatVersion::V1 && parts.treatments.iter().any(has_ranges) {
        return Err("ranges need format_version 2".to_owned());
    }
    if let Some(newest) = newest.filter(|newest| newest.format == parts.format) {
        keep_buckets(&mut parts, newest);
    }
    interpret::assign_buckets(&mut parts, true);
    parts.validate().map_err(|refused| refused.to_string())?;
    if newest.is_some_and(|newest| says_the_same(newest, &parts)) {
        return Ok(None);
    }
    let planned = PlannedRevision::on(stored, parts).map_err(|refused| refused.to_string())?;
    Ok(Some(match wanted.treatments {
        Some(_) => planned,
        None => planned.leaving_out_treatments(stored),
    }))
}

/// The format: that of the file, else of the flag, else of new flags.
fn format(
    flag: &FlagKey,
    wanted: &RevisionInFile,
    newest: Option<&Format>,
    v1: HashAlgorithm,
) -> Result<Format, String> {
    let version = wanted.version.or(newest.map(Format::version));
    if version == Some(FormatVersion::V1) {
        if newest.is_some_and(|newest| newest.version() == FormatVersion::V2) {
            return Err(
                "format_version: found 1, but the flag has 2, and cannot go back to 1".to_owned(),
            );
        }
        if wanted.salt.is_some() {
            return Err("salt needs format_version 2".to_owned());
        }
        let named = wanted.algorithm.map(|algorithm| Format::V1 {
            algorithm,
            source: AlgorithmSource::Row,
        });
        return Ok(named.or(newest.cloned()).unwrap_or(Format::v1(v1)));
    }
    let (algorithm, salt) = match newest {
        Some(Format::V2 { algorithm, salt }) => (*algorithm, Some(salt.clone())),
        Some(Format::V1 { .. }) | None => (HashAlgorithm::Md5, Salt::try_from(&flag.name).ok()),
    };
    let salt = wanted.salt.clone().or(salt);
    Ok(Format::V2 {
        algorithm: wanted.algorithm.unwrap_or(algorithm),
        salt: salt.ok_or("salt: found none, expected one, as the flag's name cannot be it")?,
    })
}

/// Gives each treatment the buckets that it has in force, so that as few instances as possible move.
///
/// A treatment is identified by its rollout group, or by its position if it was renamed.
fn keep_buckets(parts: &mut RevisionParts, newest: &Revision) {
    let groups: Vec<String> = (0..newest.treatments.len())
        .map(|at| newest.group(at))
        .collect();
    let wanted: Vec<String> = parts.treatments.iter().enumerate().map(group).collect();
    let mut free: Vec<Option<&[BucketRange]>> = newest
        .treatments
        .iter()
        .map(|treatment| Some(treatment.ranges.as_slice()))
        .collect();
    let mut take = |at: usize| free.get_mut(at).and_then(Option::take).map(<[_]>::to_vec);
    let same_group: Vec<Option<Vec<BucketRange>>> = wanted
        .iter()
        .map(|group| take(groups.iter().position(|other| other == group)?))
        .collect();
    for (at, (treatment, ranges)) in parts.treatments.iter_mut().zip(same_group).enumerate() {
        treatment.ranges = ranges.or_else(|| take(at)).unwrap_or_default();
    }
}

fn group((at, treatment): (usize, &Treatment)) -> String {
    let name = treatment.name.as_ref().map(ToString::to_string);
    name.unwrap_or_else(|| format!("treatment_{}", at + 1))
}

/// Whether two revisions are equal in everything that a file contains; it does not contain the buckets of a percentage.
fn says_the_same(newest: &Revision, parts: &RevisionParts) -> bool {
    let same = |(one, other): (&Treatment, &Treatment)| {
        one.name == other.name
            && one.percent == other.percent
            && one.value == other.value
            && ids(one) == ids(other)
    };
    newest.format == parts.format
        && newest.control == parts.control
        && newest.treatments.len() == parts.treatments.len()
        && newest.treatments.iter().zip(&parts.treatments).all(same)
}

/// The override list, without its order.
fn ids(treatment: &Treatment) -> BTreeSet<&str> {
    treatment.overrides.iter().map(InstanceId::as_str).collect()
}
