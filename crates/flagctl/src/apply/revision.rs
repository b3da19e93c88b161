//! The revision that a file wants, on top of the one in force.

use flag_model::{
    AlgorithmSource, BucketRange, BucketScheme, FlagKey, FormatVersion, HashAlgorithm, Revision,
    RevisionParts, Salt, Treatment,
};
use flag_rollout::assign_buckets;

use super::Defaults;
use super::merge::{self, group, is_same};
use super::origin::{ChangedSince, OnConflict, Origin};
use crate::change::Change;
use crate::flag_file::RevisionInFile;
use crate::maybe_readable::MaybeReadable;
use crate::output::visible;
use crate::write::NextRevision;

/// What the next revision is made of.
pub(super) struct Sources<'a> {
    pub(super) flag: &'a FlagKey,
    pub(super) wanted: &'a RevisionInFile,
    /// The newest revision.
    pub(super) newest: Option<&'a MaybeReadable<Revision>>,
    /// The bucket scheme of the flag, if its newest revision cannot be read.
    pub(super) unread: Option<&'a BucketScheme>,
    /// The revision that the file was exported from.
    pub(super) origin: Origin<'a, Revision>,
    pub(super) defaults: &'a Defaults,
}

/// The next revision; none if the one in force is equal. An unreadable one is replaced.
pub(super) fn next_revision(
    sources: &Sources<'_>,
) -> Result<(Option<NextRevision>, Option<ChangedSince>), String> {
    let newest = sources.newest.and_then(|stored| stored.as_ref().ok());
    let scheme = newest.map(|newest| &newest.scheme).or(sources.unread);
    if sources.newest.is_some() && scheme.is_none() && sources.wanted.version.is_none() {
        return Err(
            "format_version: found none, expected one, as the newest revision cannot be read"
                .to_owned(),
        );
    }
    let in_file = sources.parts(scheme, newest)?;
    if newest.is_some_and(|newest| says_the_same(newest, &in_file)) {
        return Ok((None, None));
    }
    let is_changed = match sources.origin {
        Origin::Newest => false,
        Origin::Older(base) => !base
            .zip(newest)
            .is_some_and(|(base, newest)| says_the_same(base, newest)),
        Origin::Unknown(_) => true,
    };
    if !is_changed {
        return Ok((Some(sources.append(in_file)?), None));
    }
    let mut changed = sources.changed_since(&in_file)?;
    match sources.defaults.on_conflict {
        OnConflict::Refuse => Ok((Some(sources.append(in_file)?), Some(changed))),
        OnConflict::Force => {
            let mut forced = sources.append(in_file)?;
            forced.change = changed.taken_back_by(forced.change);
            Ok((Some(forced), None))
        }
        OnConflict::Rebase => match sources.merged() {
            Ok(Some(merged)) => {
                let mut rebased = sources.append(merged)?;
                rebased.change = changed.kept_by(rebased.change);
                Ok((Some(rebased), None))
            }
            Ok(None) => Ok((None, None)),
            Err(obstacle) => {
                changed.obstacle = Some(obstacle);
                Ok((Some(sources.append(in_file)?), Some(changed)))
            }
        },
    }
}

impl Sources<'_> {
    /// What the file says, on top of a revision, with its buckets.
    fn parts(
        &self,
        scheme: Option<&BucketScheme>,
        base: Option<&Revision>,
    ) -> Result<RevisionParts, String> {
        let Self {
            flag,
            wanted,
            defaults,
            ..
        } = self;
        let parts = RevisionParts {
            flag: FlagKey::clone(flag),
            control: wanted.control.clone(),
            treatments: wanted.treatments.clone().unwrap_or_default(),
            comment: defaults.comment.clone(),
            owner: defaults.owner.clone(),
            rollback_of: None,
            scheme: self::scheme(flag, wanted, scheme, defaults.v1)?,
        };
        let has_ranges = |treatment: &Treatment| !treatment.ranges.is_empty();
        if parts.scheme.version() == FormatVersion::V1 && parts.treatments.iter().any(has_ranges) {
            return Err("ranges need format_version 2".to_owned());
        }
        placed(parts, base)
    }

    /// The next revision, on top of the newest one.
    fn append(&self, parts: RevisionParts) -> Result<NextRevision, String> {
        let next = NextRevision::on(self.newest, parts);
        let next = next.map_err(|refused| refused.to_string())?;
        Ok(match self.wanted.treatments {
            Some(_) => next,
            None => next.leaving_out_treatments(self.newest),
        })
    }

    /// Both changes, none if the store has them all; else why they cannot be merged.
    fn merged(&self) -> Result<Option<RevisionParts>, String> {
        let Some(Ok(newest)) = self.newest else {
            return Err("the newest revision cannot be read".to_owned());
        };
        let base = match self.origin {
            Origin::Newest | Origin::Older(None) => {
                return Err("both added the first revision".to_owned());
            }
            Origin::Older(Some(base)) => base,
            Origin::Unknown(time) => return Err(format!("the store has no revision of {time}")),
        };
        let in_file = self.parts(Some(&base.scheme), Some(base))?;
        let merged = merge::revision(base, newest, &in_file)?;
        let merged = placed(merged, Some(newest))?;
        Ok((!says_the_same(newest, &merged)).then_some(merged))
    }

    /// What happened to the flag since it was exported, and what the file does.
    fn changed_since(&self, in_file: &RevisionParts) -> Result<ChangedSince, String> {
        let newest = self.newest.and_then(|stored| stored.as_ref().ok());
        let base = match self.origin {
            Origin::Older(base) => base,
            Origin::Newest | Origin::Unknown(_) => None,
        };
        let described = match (newest, self.newest) {
            (Some(newest), _) => {
                let by = newest.owner.as_ref().map(|owner| format!(" by {owner}"));
                let (time, by) = (newest.created(), by.unwrap_or_default());
                format!("{time}{by}: {}", visible(&newest.comment))
            }
            (None, Some(Err(row))) => row.to_string(),
            (None, _) => String::new(),
        };
        let change = |from: Option<&Revision>, to: &RevisionParts| {
            Change::of(from, to).map_err(|refused| refused.to_string())
        };
        // The comment and the owner of an apply say nothing about the file.
        let unsigned = |of: Option<&Revision>, parts: &RevisionParts| RevisionParts {
            comment: of.map_or_else(String::new, |of| of.comment.clone()),
            owner: of.and_then(|of| of.owner.clone()),
            rollback_of: of.and_then(|of| of.rollback_of),
            ..parts.clone()
        };
        let in_store = match (base, newest) {
            (Some(_), Some(newest)) => Some(change(base, &unsigned(base, newest))?),
            _ => None,
        };
        let compared = base.or(newest);
        let in_file = match base {
            Some(base) => self.parts(Some(&base.scheme), Some(base))?,
            None => in_file.clone(),
        };
        Ok(ChangedSince {
            what: "revision",
            newest: described,
            obstacle: None,
            in_store,
            in_file: Some(change(compared, &unsigned(compared, &in_file))?),
        })
    }
}

/// The parts with the buckets that their treatments have in a revision, if they pass the checks.
fn placed(mut parts: RevisionParts, base: Option<&Revision>) -> Result<RevisionParts, String> {
    if let Some(base) = base.filter(|base| base.scheme == parts.scheme) {
        keep_buckets(&mut parts, base);
    }
    assign_buckets(&mut parts, true);
    parts.validate().map_err(|refused| refused.to_string())?;
    Ok(parts)
}

/// The bucket scheme: that of the file, else of the flag, else of new flags.
fn scheme(
    flag: &FlagKey,
    wanted: &RevisionInFile,
    newest: Option<&BucketScheme>,
    v1: HashAlgorithm,
) -> Result<BucketScheme, String> {
    let version = wanted.version.or(newest.map(BucketScheme::version));
    if version == Some(FormatVersion::V1) {
        if newest.is_some_and(|newest| newest.version() == FormatVersion::V2) {
            return Err(
                "format_version: found 1, but the flag has 2, and cannot go back to 1".to_owned(),
            );
        }
        if wanted.salt.is_some() {
            return Err("salt needs format_version 2".to_owned());
        }
        let named = wanted.algorithm.map(|algorithm| BucketScheme::V1 {
            algorithm,
            source: AlgorithmSource::Row,
        });
        return Ok(named.or(newest.cloned()).unwrap_or(BucketScheme::v1(v1)));
    }
    let (algorithm, salt) = match newest {
        Some(BucketScheme::V2 { algorithm, salt }) => (*algorithm, Some(salt.clone())),
        Some(BucketScheme::V1 { .. }) | None => {
            (HashAlgorithm::Md5, Salt::try_from(&flag.name).ok())
        }
    };
    let salt = wanted.salt.clone().or(salt);
    Ok(BucketScheme::V2 {
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

/// Whether two revisions are equal in everything that a file contains; it does not contain the buckets of a percentage.
fn says_the_same(newest: &Revision, parts: &RevisionParts) -> bool {
    newest.scheme == parts.scheme
        && newest.control == parts.control
        && newest.treatments.len() == parts.treatments.len()
        && (newest.treatments.iter().zip(&parts.treatments)).all(|(one, other)| is_same(one, other))
}
