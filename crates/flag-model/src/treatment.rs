//! A treatment: another value than the control value, and who receives it.

use crate::bucket::BucketRange;
use crate::name::{InstanceId, TreatmentName};
use crate::percent::Percent;
use crate::value::FlagValue;

/// A value and who receives it: the instances of the override list, and a percentage of all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// The name of its rollout group; version 2 only.
    pub name: Option<TreatmentName>,
    /// The instances that receive the value independently of the percentage.
    pub overrides: Vec<InstanceId<'static>>,
    /// The share of all instances that receives the value.
    pub percent: Percent,
    /// The value.
    pub value: FlagValue,
    /// The buckets of the percentage; version 2 only, in version 1 they follow from the order of the treatments.
    pub ranges: Vec<BucketRange>,
}
