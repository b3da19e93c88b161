//! What of a change deserves a second thought.

use std::fmt;

use flag_model::{Percent, Revision};

use crate::bucket_impact::BucketImpact;
use crate::overrides::OverrideImpact;

/// A risk that needs a confirmation by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Risk {
    /// The treatments in force are removed because the input leaves them out.
    LeavesOutTreatments,
    /// No instance keeps the control value, or gets it in a first revision.
    NobodyKeepsControl,
    /// Every instance receives another value, though not all a treatment.
    EveryValueChanges,
    /// Everybody gets a new bucket.
    Resalt,
    /// Instances move from one treatment to another.
    BetweenTreatments,
    /// A revision that was rolled back comes into force again.
    UndoesRollback,
    /// The revision in force is unreadable, so the change is unknown.
    Unreadable,
    /// A row ahead of the clock comes into force later.
    Ahead,
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeavesOutTreatments => {
                "the treatments in force are removed, as they are left out (an empty list, [], removes them without this confirmation)"
            }
            Self::NobodyKeepsControl => "nobody keeps the control value",
            Self::EveryValueChanges => "everybody receives another value",
            Self::Resalt => "everybody gets a new bucket",
            Self::BetweenTreatments => "instances move from one treatment to another",
            Self::UndoesRollback => "what was rolled back comes into force again",
            Self::Ahead => "an existing revision comes into force later and replaces this one",
            Self::Unreadable => {
                "the revision in force cannot be read, so what changes is not known"
            }
        })
    }
}

/// The risks that the two revisions show, without those of how the next one was made.
pub(crate) fn risks(
    newest: Option<&Revision>,
    next: &Revision,
    impact: Option<&BucketImpact>,
    overridden: OverrideImpact,
) -> Vec<Risk> {
    let Some(newest) = newest else {
        // A first revision is a change for every instance that gets a treatment.
        return Vec::from_iter(reaches_everybody(next).then_some(Risk::NobodyKeepsControl));
    };
    let mut risks = Vec::new();
    if !reaches_everybody(newest) && reaches_everybody(next) {
        risks.push(Risk::NobodyKeepsControl);
    }
    if !newest.scheme.assigns_equal_buckets(&next.scheme) {
        risks.push(Risk::Resalt);
    }
    if impact.is_some_and(BucketImpact::any_between_treatments) || overridden.any_between_treatments
    {
        risks.push(Risk::BetweenTreatments);
    }
    if impact.is_some_and(BucketImpact::is_everybody) && !risks.contains(&Risk::NobodyKeepsControl)
    {
        risks.push(Risk::EveryValueChanges);
    }
    risks
}

/// Whether the treatments leave nobody with the control value.
fn reaches_everybody(revision: &Revision) -> bool {
    revision.control_percent() == Percent::ZERO
}
