//! Override lists, in which each instance id stands once.

use std::collections::HashSet;

use crate::invalid::{Invalid, quoted};
use crate::name::InstanceId;
use crate::treatment::Treatment;

/// An instance id that was listed a second time, and was removed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateOverride {
    /// The position of the treatment, counted from zero.
    pub treatment: usize,
    /// The id, which the same treatment or an earlier one lists before.
    pub instance: InstanceId<'static>,
}

/// Refuses an id that is listed twice.
pub(super) fn check(treatments: &[Treatment]) -> Result<(), Invalid> {
    let Some(&(treatment, index)) = repeated(treatments).first() else {
        return Ok(());
    };
    let overrides = treatments
        .get(treatment)
        .map(|treatment| &treatment.overrides);
    let id = overrides.and_then(|overrides| overrides.get(index));
    Err(Invalid::new(
        super::field(treatment, "OverrideList"),
        format!("{} once more", quoted(id.map_or("", InstanceId::as_str))),
        "each instance id in one place",
    ))
}

/// Removes ids where they are listed a second time.
pub(super) fn take_repeated(treatments: &mut [Treatment]) -> Vec<DuplicateOverride> {
    let mut taken = Vec::new();
    let repeated = repeated(treatments);
    let mut repeated = repeated.iter().peekable();
    for (treatment, Treatment { overrides, .. }) in treatments.iter_mut().enumerate() {
        if repeated.peek().is_none_or(|(at, _)| *at != treatment) {
            continue;
        }
        for (index, instance) in std::mem::take(overrides).into_iter().enumerate() {
            if repeated.next_if_eq(&&(treatment, index)).is_some() {
                taken.push(DuplicateOverride {
                    treatment,
                    instance,
                });
            } else {
                overrides.push(instance);
            }
        }
    }
    taken
}

/// Where ids are listed a second time: the treatment, and the position in its list.
fn repeated(treatments: &[Treatment]) -> Vec<(usize, usize)> {
    let mut seen = HashSet::new();
    let mut repeated = Vec::new();
    for (at, treatment) in treatments.iter().enumerate() {
        for (index, id) in treatment.overrides.iter().enumerate() {
            if !seen.insert(id.as_str()) {
                repeated.push((at, index));
            }
        }
    }
    repeated
}
