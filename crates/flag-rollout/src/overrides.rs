//! What a change does to the instances that are in an override list before or after.

use std::collections::HashSet;

use flag_model::{InstanceId, Reason, Revision};

use crate::bucket_impact::keeps_instances;
use crate::decide::decide;
use crate::plan::Plan;

/// The effect on the instances that are in an override list before or after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OverrideImpact {
    /// How many of them receive another value.
    pub(crate) changed: usize,
    /// How many of those stay in their treatment.
    pub(crate) within_treatments: usize,
    /// Whether one of them moves from one treatment to another.
    pub(crate) any_between_treatments: bool,
}

impl OverrideImpact {
    /// Decides for each of them before and after.
    pub(crate) fn of(newest: &Revision, next: &Revision) -> Self {
        let lists = [newest, next]
            .into_iter()
            .flat_map(|revision| &revision.treatments);
        let ids: HashSet<&InstanceId<'_>> =
            lists.flat_map(|treatment| &treatment.overrides).collect();
        let (before, after) = (Plan::compile(newest.clone()), Plan::compile(next.clone()));
        let mut overridden = Self::default();
        for id in ids {
            let (was, is) = (decide(&before, id), decide(&after, id));
            if was.value != is.value {
                overridden.changed += 1;
                if was.reason != Reason::Control && is.reason != Reason::Control {
                    let groups = [was.rollout_group, is.rollout_group];
                    let is_kept = keeps_instances(newest, next, groups);
                    overridden.within_treatments += usize::from(is_kept);
                    overridden.any_between_treatments |= !is_kept;
                }
            }
        }
        overridden
    }
}
