//! A revision: one immutable state of a flag: its values and who receives them.

mod bucket_scheme;
mod overrides;

use std::collections::HashSet;
use std::ops::Deref;

use crate::bucket::{BUCKETS, BucketRange};
use crate::flag::FlagKey;
use crate::invalid::{Invalid, quoted};
use crate::name::OwnerId;
use crate::percent::{InvalidPercent, Percent};
use crate::time::Timestamp;
use crate::treatment::Treatment;
use crate::value::FlagValue;

pub use self::bucket_scheme::{AlgorithmSource, BucketScheme, FormatVersion};
pub use self::overrides::DuplicateOverride;

/// The rollout group of the instances that receive the control value.
pub const CONTROL_GROUP: &str = "control";

/// One immutable state of a flag: its values and who receives them; valid by construction.
///
/// Dereferences to its [`RevisionParts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    created: Timestamp,
    parts: RevisionParts,
}

/// The content of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionParts {
    /// The flag.
    pub flag: FlagKey,
    /// How instances are placed on the rollout line.
    pub scheme: BucketScheme,
    /// The value of the instances without a treatment.
    pub control: FlagValue,
    /// The other values and who receives them: the first treatment whose override list names the instance, else the first whose
    /// buckets include it.
    pub treatments: Vec<Treatment>,
    /// Why the revision was made, for people.
    pub comment: String,
    /// Who made it.
    pub owner: Option<OwnerId>,
    /// The older revision that this one copies, but for comment and owner.
    pub rollback_of: Option<Timestamp>,
}

/// Why a revision is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRevision {
    /// An invalid percentage.
    #[error(transparent)]
    Percent(#[from] InvalidPercent),
    /// The total of all percentages is more than 100 %.
    #[error("{0} {found} is the total of all treatments.", found = .0.found)]
    Total(InvalidPercent),
    /// Another invalid field.
    #[error(transparent)]
    Field(#[from] Invalid),
}

impl RevisionParts {
    /// The percentage of the buckets that no treatment owns. Instances in override lists do not count.
    pub fn control_percent(&self) -> Percent {
        let treatments = self.treatments.iter();
        let owned: u32 = treatments
            .map(|treatment| treatment.percent.buckets())
            .sum();
        let left = Percent::HUNDRED.buckets().saturating_sub(owned);
        Percent::from_buckets(left).unwrap_or(Percent::ZERO)
    }

    /// Checks whether a revision can be built of these parts.
    pub fn validate(&self) -> Result<(), InvalidRevision> {
        overrides::check(&self.treatments)?;
        self.validate_but_overrides()
    }

    fn validate_but_overrides(&self) -> Result<(), InvalidRevision> {
        check_values(self)?;
        check_total(self)?;
        check_groups(&self.treatments)?;
        match self.scheme {
            BucketScheme::V1 { .. } => check_version_1(&self.treatments),
            BucketScheme::V2 { .. } => Ok(check_ranges(&self.treatments)?),
        }
    }
}

impl Revision {
    /// Builds a revision of valid parts.
    ///
    /// Revisions of a flag are ordered by `created`, and no two have the same.
    pub fn new(created: Timestamp, parts: RevisionParts) -> Result<Self, InvalidRevision> {
        parts.validate()?;
        Ok(Self { created, parts })
    }

    /// Builds a revision of stored parts. As in the Python framework, an id may be in several override lists: the first one
    /// counts, it is removed from the others, and these are returned.
    pub fn from_stored(
        created: Timestamp,
        mut parts: RevisionParts,
    ) -> Result<(Self, Vec<DuplicateOverride>), InvalidRevision> {
        let repeated = overrides::take_repeated(&mut parts.treatments);
        parts.validate_but_overrides()?;
        Ok((Self { created, parts }, repeated))
    }

    /// Its parts, to build another revision.
    pub fn into_parts(self) -> RevisionParts {
        self.parts
    }

    /// When the revision was created.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// The rollout group of the treatment at `position`, counted from zero.
    pub fn group(&self, position: usize) -> String {
        group(&self.parts.treatments, position)
    }
}

impl Deref for Revision {
    type Target = RevisionParts;

    fn deref(&self) -> &RevisionParts {
        &self.parts
    }
}

/// The name of the treatment, or `treatment_1`, `treatment_2`, … by position.
fn group(treatments: &[Treatment], position: usize) -> String {
    let name = treatments
        .get(position)
        .and_then(|treatment| treatment.name.as_ref());
    name.map_or_else(
        || format!("treatment_{}", position + 1),
        ToString::to_string,
    )
}

fn field(position: usize, name: &str) -> String {
    format!("Treatments[{position}].{name}")
}

fn check_values(parts: &RevisionParts) -> Result<(), Invalid> {
    let check = |field: &str, value: &FlagValue| {
        if value.flag_type() == parts.flag.flag_type {
            return Ok(());
        }
        let found = match value {
            FlagValue::Boolean(value) => format!("the boolean {value}"),
            FlagValue::Text(text) => format!("the text {}", quoted(text)),
        };
        Err(Invalid::new(
            field,
            found,
            format!("a value of a {} flag", parts.flag.flag_type),
        ))
    };
    check("ControlValue", &parts.control)?;
    parts
        .treatments
        .iter()
        .enumerate()
        .try_for_each(|(at, treatment)| check(&field(at, "Value"), &treatment.value))
}

fn check_total(parts: &RevisionParts) -> Result<(), InvalidRevision> {
    let total = parts
        .treatments
        .iter()
        .map(|treatment| u64::from(treatment.percent.buckets()))
        .sum();
    if total > u64::from(BUCKETS) {
        let total = InvalidPercent::total(total, parts.scheme.version());
        return Err(InvalidRevision::Total(total));
    }
    Ok(())
}

fn check_groups(treatments: &[Treatment]) -> Result<(), Invalid> {
    let mut seen = HashSet::from([CONTROL_GROUP.to_owned()]);
    for at in 0..treatments.len() {
        let group = group(treatments, at);
        let found = quoted(&group);
        if !seen.insert(group) {
            return Err(Invalid::new(
                field(at, "Name"),
                found,
                "a name that no other rollout group has",
            ));
        }
    }
    Ok(())
}

fn check_version_1(treatments: &[Treatment]) -> Result<(), InvalidRevision> {
    for (at, treatment) in treatments.iter().enumerate() {
        if !treatment.percent.is_whole() {
            let found = treatment.percent.to_string();
            return Err(InvalidPercent {
                found,
                version: FormatVersion::V1,
            }
            .into());
        }
        if let Some(name) = &treatment.name {
            let found = quoted(name.as_str());
            return Err(
                Invalid::new(field(at, "Name"), found, "no name in FormatVersion 1").into(),
            );
        }
        if let Some(range) = treatment.ranges.first() {
            return Err(Invalid::new(
                field(at, "Ranges"),
                range.to_string(),
                "no ranges in FormatVersion 1",
            )
            .into());
        }
    }
    Ok(())
}

fn check_ranges(treatments: &[Treatment]) -> Result<(), Invalid> {
    let mut all: Vec<(BucketRange, usize)> = Vec::new();
    for (at, treatment) in treatments.iter().enumerate() {
        let width: u64 = treatment
            .ranges
            .iter()
            .map(|range| u64::from(range.width()))
            .sum();
        if width != u64::from(treatment.percent.buckets()) {
            let expected = format!(
                "{} buckets for {} %",
                treatment.percent.buckets(),
                treatment.percent
            );
            return Err(Invalid::new(
                field(at, "Ranges"),
                format!("{width} buckets"),
                expected,
            ));
        }
        all.extend(treatment.ranges.iter().map(|&range| (range, at)));
    }
    all.sort_unstable();
    for pair in all.windows(2) {
        if let [(earlier, _), (later, at)] = pair
            && later.from() < earlier.to()
        {
            let found = format!("{later} beside {earlier}");
            return Err(Invalid::new(
                field(*at, "Ranges"),
                found,
                "ranges that share no bucket",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
