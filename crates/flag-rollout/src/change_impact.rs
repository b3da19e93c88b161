//! What a change does: how many instances receive another value, and what of it deserves a second thought.

use flag_model::{Percent, Revision};

use crate::bucket_impact::BucketImpact;
use crate::equivalence::are_equivalent;
use crate::overrides::OverrideImpact;
use crate::risk::{Risk, risks};

/// What a change from the revision in force to the next one does.
#[derive(Clone, Debug, Default)]
pub struct ChangeImpact {
    /// How many buckets receive another value, not counting override lists; absent for a first revision.
    buckets: Option<BucketImpact>,
    overridden: OverrideImpact,
    changes_nothing: bool,
    risks: Vec<Risk>,
}

impl ChangeImpact {
    /// From the revision in force, if there is one that can be read, to the next.
    pub fn of(newest: Option<&Revision>, next: &Revision) -> Self {
        let buckets = newest.map(|newest| BucketImpact::of(newest, next));
        let overridden = newest
            .map(|newest| OverrideImpact::of(newest, next))
            .unwrap_or_default();
        Self {
            risks: risks(newest, next, buckets.as_ref(), overridden),
            buckets,
            overridden,
            changes_nothing: newest.is_some_and(|newest| are_equivalent(newest, next)),
        }
    }

    /// The risks that the two revisions show; how the next one was made may add some.
    pub fn risks(&self) -> &[Risk] {
        &self.risks
    }

    /// Whether the next revision decides the same for every instance as the one in force.
    pub fn changes_nothing(&self) -> bool {
        self.changes_nothing
    }

    /// How many instances receive another value, in words; none for a first revision.
    pub fn summary(&self) -> Option<String> {
        let buckets = self.buckets.as_ref()?;
        Some(match self.overridden.changed {
            _ if self.changes_nothing => {
                "nothing changes for any instance: the revision in force decides the same"
                    .to_owned()
            }
            0 => format!("{buckets}{}", self.staying(buckets)),
            1 => format!(
                "{buckets}, and so does 1 instance in an override list{}",
                self.staying(buckets)
            ),
            overridden => format!(
                "{buckets}, and so do {overridden} instances in override lists{}",
                self.staying(buckets)
            ),
        })
    }

    /// Says that another value moves nobody to another treatment.
    fn staying(&self, buckets: &BucketImpact) -> &'static str {
        let within = self.overridden.within_treatments;
        let changes_some = buckets.percent() > Percent::ZERO || within > 0;
        if changes_some && buckets.is_within_treatments() && within == self.overridden.changed {
            "; they stay in their treatment"
        } else {
            ""
        }
    }
}
