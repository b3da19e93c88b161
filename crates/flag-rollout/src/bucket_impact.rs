//! How many instances receive another value after a change.

use std::collections::BTreeSet;
use std::fmt;

use flag_model::{BUCKETS, BucketRange, Percent, Revision};

use crate::ranges::groups;

/// How many buckets get another value, not counting override lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketImpact {
    /// Buckets whose value changes.
    changed: u32,
    /// Buckets that move from one treatment to another.
    between_treatments: u32,
    /// Buckets that get another value in the same treatment.
    within_treatments: u32,
    /// Whether the numbers are estimates, as everybody gets a new bucket.
    is_estimate: bool,
}

/// A range of buckets with the same owners before and after.
struct Stretch {
    width: u32,
    before: Option<usize>,
    after: Option<usize>,
}

impl BucketImpact {
    /// Compares the owners of the buckets.
    pub fn of(before: &Revision, after: &Revision) -> Self {
        if !before.scheme.assigns_equal_buckets(&after.scheme) {
            return Self::expected(before, after);
        }
        let mut impact = Self {
            changed: 0,
            between_treatments: 0,
            within_treatments: 0,
            is_estimate: false,
        };
        for stretch in stretches(before, after) {
            if value(before, stretch.before) == value(after, stretch.after) {
                continue;
            }
            impact.changed += stretch.width;
            if let (Some(from), Some(to)) = (stretch.before, stretch.after) {
                let is_kept =
                    keeps_instances(before, after, [&before.group(from), &after.group(to)]);
                let moved = if is_kept {
                    &mut impact.within_treatments
                } else {
                    &mut impact.between_treatments
                };
                *moved += stretch.width;
            }
        }
        impact
    }

    /// How many instances receive another value.
    pub fn percent(&self) -> Percent {
        percent(self.changed)
    }

    /// How many of them move from one treatment to another.
    pub fn between_treatments(&self) -> Percent {
        percent(self.between_treatments)
    }

    /// Whether that is an estimate, as everybody gets a new bucket.
    pub fn is_estimate(&self) -> bool {
        self.is_estimate
    }

    /// Whether every instance receives another value.
    pub fn is_everybody(&self) -> bool {
        !self.is_estimate && self.changed == BUCKETS
    }

    /// Whether any instance moves from one treatment to another, except by a new bucket for everybody.
    pub fn any_between_treatments(&self) -> bool {
        self.between_treatments > 0
    }

    /// Whether every instance that receives another value stays in its treatment.
    pub fn is_within_treatments(&self) -> bool {
        self.within_treatments == self.changed && !self.is_estimate
    }

    /// With a new bucket for everybody, old and new value are independent.
    fn expected(before: &Revision, after: &Revision) -> Self {
        let share = |revision: &Revision, wanted: &str| -> f64 {
            let mut control = BUCKETS;
            let mut owned = 0;
            for treatment in &revision.treatments {
                control -= treatment.percent.buckets();
                owned += if treatment.value.to_string() == wanted {
                    treatment.percent.buckets()
                } else {
                    0
                };
            }
            owned += if revision.control.to_string() == wanted {
                control
            } else {
                0
            };
            f64::from(owned) / f64::from(BUCKETS)
        };
        let values: BTreeSet<String> = [before, after]
            .into_iter()
            .flat_map(|revision| {
                let values = revision
                    .treatments
                    .iter()
                    .map(|treatment| treatment.value.to_string());
                values
                    .chain([revision.control.to_string()])
                    .collect::<Vec<_>>()
            })
            .collect();
        let same: f64 = values
            .iter()
            .map(|value| share(before, value) * share(after, value))
            .sum();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of BUCKETS, rounded"
        )]
        let value = ((1.0 - same) * f64::from(BUCKETS)).round() as u32;
        Self {
            changed: value,
            between_treatments: 0,
            within_treatments: 0,
            is_estimate: true,
        }
    }
}

/// Whether instances that receive another value are still in the same treatment. The group of a treatment without a name
/// is its position, which means another treatment when their number changes.
pub(crate) fn keeps_instances(before: &Revision, after: &Revision, [from, to]: [&str; 2]) -> bool {
    let names = after
        .treatments
        .iter()
        .filter_map(|treatment| treatment.name.as_ref());
    let is_named = names.into_iter().any(|name| name.as_str() == to);
    from == to && (is_named || before.treatments.len() == after.treatments.len())
}

fn value(revision: &Revision, owner: Option<usize>) -> String {
    let treatment = owner.and_then(|at| revision.treatments.get(at));
    treatment
        .map_or(&revision.control, |treatment| &treatment.value)
        .to_string()
}

fn stretches(before: &Revision, after: &Revision) -> Vec<Stretch> {
    let ranges = |revision| {
        groups(revision)
            .into_iter()
            .map(|(_, ranges)| ranges)
            .collect::<Vec<_>>()
    };
    let (ranges_before, ranges_after) = (ranges(before), ranges(after));
    let all = ranges_before.iter().chain(&ranges_after).flatten();
    let mut edges: BTreeSet<u32> = all.flat_map(|range| [range.from(), range.to()]).collect();
    edges.extend([0, BUCKETS]);
    let edges: Vec<u32> = edges.into_iter().collect();
    let stretches = edges.windows(2).filter_map(|pair| {
        let &[from, to] = pair else { return None };
        Some(Stretch {
            width: to - from,
            before: owner(&ranges_before, from),
            after: owner(&ranges_after, from),
        })
    });
    stretches.collect()
}

fn owner(treatments: &[Vec<BucketRange>], bucket: u32) -> Option<usize> {
    treatments.iter().position(|ranges| {
        ranges
            .iter()
            .any(|range| (range.from()..range.to()).contains(&bucket))
    })
}

fn percent(buckets: u32) -> Percent {
    Percent::from_buckets(buckets).unwrap_or(Percent::HUNDRED)
}

impl fmt::Display for BucketImpact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.is_estimate { "about " } else { "" };
        write!(
            f,
            "{about}{} % of all instances receive another value",
            self.percent()
        )?;
        if self.between_treatments > 0 {
            write!(
                f,
                ", {} % move from one treatment to another",
                self.between_treatments()
            )?;
        }
        Ok(())
    }
}
