//! A treatment: who gets another value than the control.

use crate::bucket::BucketRange;
use crate::name::{InstanceId, TreatmentName};
use crate::percent::Percent;
use crate::value::FlagValue;

/// A value, and who gets it: the instances of the override list, and a percentage of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// Its rollout group, if it has a name; version 2 only.
    pub name: Option<TreatmentName>,
    /// The instances that get the value whatever the percentage.
    pub overrides: Vec<InstanceId<'static>>,
    /// The share of all instances that gets the value.
    pub percent: Percent,
    /// What they get.
    pub value: FlagValue,
    /// The buckets that the percentage owns; version 2 only, in version 1 they follow from the order.
    pub ranges: Vec<BucketRange>,
}
