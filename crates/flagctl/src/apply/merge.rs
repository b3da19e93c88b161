//! Merges two changes of one flag that do not overlap, field by field.

use std::collections::{BTreeSet, HashSet};
use std::hash::Hash;

use flag_model::{InstanceId, MetadataParts, RevisionParts, Treatment};

/// One value before both changes, after that in the store, and after that in the file.
struct Three<'v, T> {
    base: &'v T,
    theirs: &'v T,
    mine: &'v T,
}

// Derived, they would ask the same of `T`.
impl<T> Clone for Three<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Three<'_, T> {}

/// A merge in progress: the names of the fields that both sides changed.
#[derive(Default)]
struct Merge {
    overlaps: Vec<String>,
}

/// Both changes of metadata, or the fields that both of them change.
pub(super) fn metadata(
    base: &MetadataParts,
    theirs: &MetadataParts,
    mine: &MetadataParts,
) -> Result<MetadataParts, String> {
    let mut merge = Merge::default();
    let three = Three { base, theirs, mine };
    let parts = MetadataParts {
        flag: mine.flag.clone(),
        description: merge.field("description", three.of(|parts| &parts.description)),
        owner: merge.field("owner", three.of(|parts| &parts.owner)),
        edited_by: mine.edited_by.clone(),
        ticket: merge.field("ticket", three.of(|parts| &parts.ticket)),
        tags: items(three.of(|parts| &parts.tags)),
        expires_on: merge.field("expires_on", three.of(|parts| &parts.expires_on)),
    };
    merge.finish(parts)
}

/// Both changes of a revision, or the fields that both of them change. The buckets are those of the store.
pub(super) fn revision(
    base: &RevisionParts,
    theirs: &RevisionParts,
    mine: &RevisionParts,
) -> Result<RevisionParts, String> {
    let mut merge = Merge::default();
    let three = Three { base, theirs, mine };
    let treatments = merge.treatments(three.of(|parts| &parts.treatments));
    let parts = RevisionParts {
        scheme: merge.field("format", three.of(|parts| &parts.scheme)),
        control: merge.field("control", three.of(|parts| &parts.control)),
        treatments,
        ..mine.clone()
    };
    merge.finish(parts)
}

impl<'v, T> Three<'v, T> {
    fn of<F>(&self, field: impl Fn(&'v T) -> &'v F) -> Three<'v, F> {
        Three {
            base: field(self.base),
            theirs: field(self.theirs),
            mine: field(self.mine),
        }
    }
}

impl Merge {
    fn finish<T>(self, merged: T) -> Result<T, String> {
        if self.overlaps.is_empty() {
            Ok(merged)
        } else {
            Err(format!("both changed {}", self.overlaps.join(", ")))
        }
    }

    /// The side that changed it; an overlap if both did, in different ways.
    fn field<T: PartialEq + Clone>(&mut self, name: &str, of: Three<'_, T>) -> T {
        if of.mine != of.base && of.theirs != of.base && of.mine != of.theirs {
            self.overlaps.push(name.to_owned());
        }
        if of.mine == of.base {
            of.theirs
        } else {
            of.mine
        }
        .clone()
    }

    fn treatments(&mut self, of: Three<'_, Vec<Treatment>>) -> Vec<Treatment> {
        let mut groups: Vec<String> = of.theirs.iter().enumerate().map(group).collect();
        for group in of.mine.iter().enumerate().map(group) {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let kept = groups.into_iter().filter_map(|group| {
            let treatment = self.treatment(&group, of)?;
            Some((group, treatment))
        });
        let kept: Vec<(String, Treatment)> = kept.collect();
        // A treatment without a name must not take over the group of another one.
        let mut kept_groups = kept.iter().enumerate();
        let has_moved =
            kept_groups.any(|(at, (group, treatment))| self::group((at, treatment)) != *group);
        if self.overlaps.is_empty() && has_moved {
            self.overlaps.push("the positions of treatments".to_owned());
        }
        kept.into_iter().map(|(_, treatment)| treatment).collect()
    }

    fn treatment(&mut self, group: &str, of: Three<'_, Vec<Treatment>>) -> Option<Treatment> {
        let [base, theirs, mine] = [of.base, of.theirs, of.mine].map(|list| find(list, group));
        match (base, theirs, mine) {
            (Some(base), Some(theirs), Some(mine)) => {
                Some(self.fields(group, Three { base, theirs, mine }))
            }
            (None, one, None) | (None, None, one) => one.cloned(),
            (None, Some(one), Some(other)) if is_same(one, other) => Some(one.clone()),
            (Some(base), Some(one), None) | (Some(base), None, Some(one)) if is_same(base, one) => {
                None
            }
            (Some(_), None, None) => None,
            (_, theirs, mine) => {
                self.overlaps.push(group.to_owned());
                theirs.or(mine).cloned()
            }
        }
    }

    fn fields(&mut self, group: &str, of: Three<'_, Treatment>) -> Treatment {
        Treatment {
            name: self.field(&format!("{group} name"), of.of(|one| &one.name)),
            percent: self.field(&format!("{group} percent"), of.of(|one| &one.percent)),
            value: self.field(&format!("{group} value"), of.of(|one| &one.value)),
            overrides: items(of.of(|one| &one.overrides)),
            ranges: of.theirs.ranges.clone(),
        }
    }
}

/// The items of the store, without those that the file removed, and with those that it added.
fn items<T: Eq + Hash + Clone>(of: Three<'_, Vec<T>>) -> Vec<T> {
    let [base, theirs, mine] =
        [of.base, of.theirs, of.mine].map(|items| items.iter().collect::<HashSet<&T>>());
    let stays = |item: &&T| mine.contains(item) || !base.contains(item);
    let is_added = |item: &&T| !base.contains(item) && !theirs.contains(item);
    let stay = of.theirs.iter().filter(stays);
    let added = of.mine.iter().filter(is_added);
    stay.chain(added).cloned().collect()
}

fn find<'t>(treatments: &'t [Treatment], group: &str) -> Option<&'t Treatment> {
    let mut treatments = treatments.iter().enumerate();
    treatments
        .find(|at| self::group(*at) == group)
        .map(|(_, treatment)| treatment)
}

/// The rollout group of a treatment by its position.
pub(super) fn group((at, treatment): (usize, &Treatment)) -> String {
    let name = treatment.name.as_ref().map(ToString::to_string);
    name.unwrap_or_else(|| format!("treatment_{}", at + 1))
}

/// Whether two treatments are equal in everything that a file contains; it does not contain the buckets of a percentage.
pub(super) fn is_same(one: &Treatment, other: &Treatment) -> bool {
    one.name == other.name
        && one.percent == other.percent
        && one.value == other.value
        && ids(one) == ids(other)
}

/// The override list, without its order.
fn ids(treatment: &Treatment) -> BTreeSet<&str> {
    treatment.overrides.iter().map(InstanceId::as_str).collect()
}
