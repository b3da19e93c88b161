//! The decision: override, else rollout, else control.

use flag_model::{Bucket, BucketScheme, FlagValue, InstanceId, Reason, Timestamp};

use crate::hash::bucket;
use crate::plan::{GroupValue, Plan};

/// What an instance receives, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'p> {
    /// What it receives.
    pub value: &'p FlagValue,
    /// `control`, or the treatment's name, or `treatment_1`, `treatment_2`, … by position.
    pub rollout_group: &'p str,
    /// The index of the treatment, for [`Plan::group_value`]; `None` for the control value.
    pub treatment_index: Option<usize>,
    /// Which rule decided.
    pub reason: Reason,
    /// The bucket of the instance; `None` for an override.
    pub bucket: Option<Bucket>,
    /// When the revision that decided was created.
    pub revision: Timestamp,
}

/// Decides what the instance receives.
///
/// Cost: one look-up, and one digest unless an override list holds the instance; no allocation.
pub fn decide<'p>(plan: &'p Plan, instance: &InstanceId<'_>) -> Decision<'p> {
    decide_with(plan, instance, bucket)
}

/// Like [`decide`], with the bucket from `bucket_of` where one is needed, for instance from a cache. It must return
/// the bucket that [`bucket`] returns.
pub fn decide_with<'p>(
    plan: &'p Plan,
    instance: &InstanceId<'_>,
    bucket_of: impl FnOnce(&BucketScheme, &InstanceId<'_>) -> Bucket,
) -> Decision<'p> {
    if let Some((treatment, group_value)) = plan.overriding(instance) {
        return decision(plan, Some(treatment), group_value, Reason::Override, None);
    }
    let bucket = bucket_of(plan.scheme(), instance);
    match plan.owner_of(bucket) {
        Some((treatment, group_value)) => decision(
            plan,
            Some(treatment),
            group_value,
            Reason::Rollout,
            Some(bucket),
        ),
        None => decision(plan, None, plan.control(), Reason::Control, Some(bucket)),
    }
}

fn decision<'p>(
    plan: &'p Plan,
    treatment_index: Option<usize>,
    group_value: &'p GroupValue,
    reason: Reason,
    bucket: Option<Bucket>,
) -> Decision<'p> {
    Decision {
        value: &group_value.value,
        rollout_group: &group_value.group,
        treatment_index,
        reason,
        bucket,
        revision: plan.created(),
    }
}
