//! A revision compiled for deciding.

use flag_model::{
    BUCKETS, Bucket, BucketRange, BucketScheme, CONTROL_GROUP, FlagKey, FlagValue, FormatVersion,
    InstanceId, Percent, Revision, RevisionParts, Timestamp,
};
use hashbrown::HashMap;

use crate::ranges::consecutive;

/// A revision compiled for deciding: look-up tables, and nothing that can fail.
#[derive(Clone, Debug)]
pub struct Plan {
    flag: FlagKey,
    created: Timestamp,
    scheme: BucketScheme,
    control: GroupValue,
    treatments: Box<[GroupValue]>,
    /// The treatments of the instances in override lists.
    overrides: HashMap<InstanceId<'static>, usize>,
    /// The buckets of treatments, sorted and disjoint; all others are those of the control value.
    treatment_ranges: Box<[TreatmentRange]>,
}

/// A value, and the rollout group of the instances that receive it.
#[derive(Clone, Debug)]
pub(crate) struct GroupValue {
    pub(crate) value: FlagValue,
    pub(crate) group: Box<str>,
}

#[derive(Clone, Copy, Debug)]
struct TreatmentRange {
    range: BucketRange,
    treatment: usize,
}

impl Plan {
    /// Compiles a revision; cost is linear in its override lists.
    pub fn compile(revision: Revision) -> Self {
        let groups: Vec<String> = (0..revision.treatments.len())
            .map(|at| revision.group(at))
            .collect();
        let created = revision.created();
        let RevisionParts {
            flag,
            scheme,
            control,
            mut treatments,
            ..
        } = revision.into_parts();
        if scheme.version() == FormatVersion::V1 {
            let percents: Vec<Percent> = treatments
                .iter()
                .map(|treatment| treatment.percent)
                .collect();
            for (treatment, ranges) in treatments.iter_mut().zip(consecutive(&percents)) {
                treatment.ranges = ranges;
            }
        }
        let mut group_values = Vec::with_capacity(treatments.len());
        let mut overrides = HashMap::with_capacity(
            treatments
                .iter()
                .map(|treatment| treatment.overrides.len())
                .sum(),
        );
        let mut treatment_ranges = Vec::new();
        for (at, (treatment, group)) in treatments.into_iter().zip(groups).enumerate() {
            overrides.extend(treatment.overrides.into_iter().map(|id| (id, at)));
            treatment_ranges.extend(treatment.ranges.into_iter().map(|range| TreatmentRange {
                range,
                treatment: at,
            }));
            group_values.push(GroupValue {
                value: treatment.value,
                group: group.into(),
            });
        }
        treatment_ranges.sort_unstable_by_key(|of_treatment| of_treatment.range);
        Self {
            flag,
            created,
            scheme,
            control: GroupValue {
                value: control,
                group: CONTROL_GROUP.into(),
            },
            treatments: group_values.into(),
            overrides,
            treatment_ranges: treatment_ranges.into(),
        }
    }

    /// The flag.
    pub fn flag(&self) -> &FlagKey {
        &self.flag
    }

    /// When the revision was created.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// How instances are placed on the rollout line.
    pub fn scheme(&self) -> &BucketScheme {
        &self.scheme
    }

    /// Whether there are treatments; without one, every instance receives the control value.
    pub fn has_treatments(&self) -> bool {
        !self.treatments.is_empty()
    }

    /// The value and the rollout group of a treatment by its index, or of control; `None` if there is no such
    /// treatment.
    pub fn group_value(&self, treatment: Option<usize>) -> Option<(&FlagValue, &str)> {
        let group_value = match treatment {
            Some(at) => self.treatments.get(at)?,
            None => &self.control,
        };
        Some((&group_value.value, &group_value.group))
    }

    /// The rollout groups that own buckets, each with their number; control first.
    pub(crate) fn shares(&self) -> Vec<(&str, u32)> {
        let mut widths = vec![0_u32; self.treatments.len()];
        for of_treatment in &self.treatment_ranges {
            if let Some(width) = widths.get_mut(of_treatment.treatment) {
                *width += of_treatment.range.width();
            }
        }
        let owned: u32 = widths.iter().sum();
        let control = (&*self.control.group, BUCKETS.saturating_sub(owned));
        let treatments = self.treatments.iter().zip(widths);
        let treatments = treatments.map(|(group_value, width)| (&*group_value.group, width));
        let all = std::iter::once(control).chain(treatments);
        all.filter(|(_, buckets)| *buckets > 0).collect()
    }

    /// What instances receive without a treatment.
    pub(crate) fn control(&self) -> &GroupValue {
        &self.control
    }

    /// The treatment whose override list holds the instance, and its index.
    pub(crate) fn overriding(&self, instance: &InstanceId<'_>) -> Option<(usize, &GroupValue)> {
        let at = *self.overrides.get(instance.as_str())?;
        Some((at, self.treatments.get(at)?))
    }

    /// The treatment that owns the bucket, and its index.
    pub(crate) fn owner_of(&self, bucket: Bucket) -> Option<(usize, &GroupValue)> {
        let after = self
            .treatment_ranges
            .partition_point(|of_treatment| of_treatment.range.to() <= bucket.get());
        let &TreatmentRange { range, treatment } = self.treatment_ranges.get(after)?;
        if !range.contains(bucket) {
            return None;
        }
        Some((treatment, self.treatments.get(treatment)?))
    }
}
