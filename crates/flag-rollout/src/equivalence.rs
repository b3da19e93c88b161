//! Whether two revisions are equivalent: they make the same decision for every instance.

use std::collections::BTreeMap;

use flag_model::{BUCKETS, BucketRange, FlagValue, Revision};

use crate::ranges::groups;

/// Who gets what by name, by bucket, and otherwise; equal for revisions that differ only in how they place instances on the line.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Allocation<'r> {
    control: &'r FlagValue,
    overrides: BTreeMap<&'r str, Assignment<'r>>,
    line: Vec<((u32, u32), Assignment<'r>)>,
}

/// What an instance receives from a treatment: the rollout group and the value.
type Assignment<'r> = (String, &'r FlagValue);

/// Whether every instance receives the same value in the same rollout group from both, for the same reason.
pub fn are_equivalent(one: &Revision, other: &Revision) -> bool {
    let allocation = Allocation::of(one);
    allocation == Allocation::of(other)
        && (one.scheme.assigns_equal_buckets(&other.scheme) || allocation.is_even())
}

impl<'r> Allocation<'r> {
    /// That of a revision.
    pub fn of(revision: &'r Revision) -> Self {
        Self {
            control: &revision.control,
            overrides: overrides(revision),
            line: line(revision),
        }
    }

    /// Whether all buckets receive the same, so that the bucket of an instance doesn't matter.
    pub fn is_even(&self) -> bool {
        match self.line.as_slice() {
            [] => true,
            [(range, _)] => *range == (0, BUCKETS),
            _ => false,
        }
    }
}

/// What the ids of each override list receive.
fn overrides(revision: &Revision) -> BTreeMap<&str, Assignment<'_>> {
    let treatments = revision.treatments.iter().enumerate();
    let overrides = treatments.flat_map(|(at, treatment)| {
        let ids = treatment.overrides.iter();
        ids.map(move |id| (id.as_str(), (revision.group(at), &treatment.value)))
    });
    overrides.collect()
}

/// What each range of the rollout line receives, merged and in order; control for buckets that no treatment owns.
fn line(revision: &Revision) -> Vec<((u32, u32), Assignment<'_>)> {
    let treatments = revision.treatments.iter().zip(groups(revision));
    let mut ranges: Vec<(BucketRange, Assignment<'_>)> = treatments
        .flat_map(|(treatment, (group, ranges))| {
            let ranges = ranges.into_iter();
            ranges.map(move |range| (range, (group.clone(), &treatment.value)))
        })
        .collect();
    ranges.sort_by_key(|(range, _)| *range);
    let mut line: Vec<((u32, u32), Assignment<'_>)> = Vec::new();
    for (range, group_value) in ranges {
        match line.last_mut() {
            Some(((_, to), last)) if *to == range.from() && *last == group_value => {
                *to = range.to();
            }
            _ => line.push(((range.from(), range.to()), group_value)),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use flag_model::{
        BucketScheme, FlagKey, HashAlgorithm, InstanceId, Percent, RevisionParts, Salt, Timestamp,
        Treatment,
    };

    use super::*;

    fn salted(salt: &str) -> BucketScheme {
        BucketScheme::V2 {
            algorithm: HashAlgorithm::parse("md5").unwrap(),
            salt: Salt::new(salt).unwrap(),
        }
    }

    fn treatment(ranges: &[(u32, u32)], overrides: &[&'static str]) -> Treatment {
        let width: u32 = ranges.iter().map(|(from, to)| to - from).sum();
        let ids = overrides.iter().map(|id| InstanceId::new(*id).unwrap());
        let ranges = ranges.iter();
        Treatment {
            name: None,
            overrides: ids.collect(),
            percent: Percent::from_buckets(width).unwrap(),
            value: FlagValue::Boolean(true),
            ranges: ranges
                .map(|&(from, to)| BucketRange::new(from, to).unwrap())
                .collect(),
        }
    }

    fn revision(scheme: BucketScheme, treatments: &[Treatment], comment: &str) -> Revision {
        let flag = "p/feature/f".parse::<FlagKey>().unwrap();
        let parts = RevisionParts {
            flag,
            scheme,
            control: FlagValue::Boolean(false),
            treatments: treatments.to_vec(),
            comment: comment.to_owned(),
            owner: None,
            rollback_of: None,
        };
        Revision::new(Timestamp::UNIX_EPOCH, parts).unwrap()
    }

    #[track_caller]
    fn check(one: (&str, &[Treatment]), other: (&str, &[Treatment]), expected: bool) {
        let [one, other] =
            [one, other].map(|(salt, treatments)| revision(salted(salt), treatments, salt));
        assert_eq!(are_equivalent(&one, &other), expected);
        assert_eq!(are_equivalent(&other, &one), expected);
    }

    #[test]
    fn a_comment_decides_nothing() {
        let treatments = [treatment(&[(0, 4_000)], &["a"])];
        let one = revision(BucketScheme::v1(HashAlgorithm::Md5), &[], "one");
        assert!(are_equivalent(
            &one,
            &revision(BucketScheme::v1(HashAlgorithm::Md5), &[], "other")
        ));
        check(("s", &treatments), ("s", &treatments), true);
    }

    #[test]
    fn buckets_that_touch_are_the_same_as_one_stretch() {
        let whole = [treatment(&[(0, 4_000)], &[])];
        let parted = [treatment(&[(0, 1_000), (1_000, 4_000)], &[])];
        check(("s", &whole), ("s", &parted), true);
        let elsewhere = [treatment(&[(0, 1_000), (1_001, 4_001)], &[])];
        check(("s", &whole), ("s", &elsewhere), false);
    }

    #[test]
    fn a_salt_matters_where_the_bucket_does() {
        let some = [treatment(&[(0, 4_000)], &[])];
        check(("s", &some), ("t", &some), false);
        let all = [treatment(&[(0, BUCKETS)], &[])];
        check(("s", &all), ("t", &all), true);
        check(("s", &[]), ("t", &[]), true);
        check(("s", &some), ("s", &all), false);
    }

    #[test]
    fn overrides_matter_in_no_order() {
        let one = [treatment(&[], &["a", "b"])];
        let other = [treatment(&[], &["b", "a"])];
        check(("s", &one), ("t", &other), true);
        check(("s", &one), ("s", &[treatment(&[], &["a"])]), false);
    }

    #[test]
    fn a_treatment_that_reaches_nobody_matters_not() {
        check(("s", &[treatment(&[], &[])]), ("s", &[]), true);
    }
}
