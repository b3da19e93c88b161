//! The next revision of a flag: what is kept of an older one, and which buckets its treatments get.

use flag_model::{BucketRange, FormatVersion, Percent, Revision, RevisionParts};

use crate::ranges::reweight;

/// The revision that gives everybody the control value; also to instances in override lists, if it takes these.
///
/// Who makes it and why is still that of the older one.
pub fn switched_off(newest: &Revision, takes_overrides: bool) -> RevisionParts {
    let mut parts = newest.clone().into_parts();
    parts.rollback_of = None;
    for treatment in &mut parts.treatments {
        treatment.percent = Percent::ZERO;
        treatment.ranges.clear();
        if takes_overrides {
            treatment.overrides.clear();
        }
    }
    parts
}

/// The revision in which the treatment of this index has another percentage; its buckets move as few instances as
/// possible. Who makes it and why is still that of the older one.
pub fn with_percent(newest: &Revision, treatment_index: usize, percent: Percent) -> RevisionParts {
    let mut parts = newest.clone().into_parts();
    parts.rollback_of = None;
    if let Some(treatment) = parts.treatments.get_mut(treatment_index) {
        treatment.percent = percent;
    }
    assign_buckets(&mut parts, true);
    parts
}

/// The revision that decides as an older one, and says so. Who makes it and why is still that of the older one.
pub fn rolled_back(target: &Revision) -> RevisionParts {
    RevisionParts {
        rollback_of: Some(target.created()),
        ..target.clone().into_parts()
    }
}

/// Gives each treatment of version 2 the buckets of its percentage; it keeps as many of its own as possible.
pub fn assign_buckets(parts: &mut RevisionParts, keeps_buckets: bool) {
    if !keeps_buckets {
        let treatments = parts.treatments.iter_mut();
        treatments.for_each(|treatment| treatment.ranges.clear());
    }
    if parts.scheme.version() == FormatVersion::V1 {
        return;
    }
    let shares: Vec<(&[BucketRange], Percent)> = parts
        .treatments
        .iter()
        .map(|treatment| (treatment.ranges.as_slice(), treatment.percent))
        .collect();
    let ranges = reweight(&shares);
    for (treatment, ranges) in parts.treatments.iter_mut().zip(ranges) {
        treatment.ranges = ranges;
    }
}
