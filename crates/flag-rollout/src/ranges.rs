//! Which buckets belong to which treatment, and how that changes with the percentages.

use flag_model::{BUCKETS, BucketRange, BucketScheme, Percent, Revision};

/// The buckets of version 1: consecutive, in the order of the treatments, from bucket 0 on.
///
/// Percentages that add up to more than 100 % are cut at the end of the line.
pub fn consecutive(percents: &[Percent]) -> Vec<Vec<BucketRange>> {
    let mut from = 0;
    let ranges = percents.iter().map(|percent| {
        let to = (from + percent.buckets()).min(BUCKETS);
        let range = BucketRange::new(from, to).ok();
        from = to;
        Vec::from_iter(range)
    });
    ranges.collect()
}

/// The buckets of version 2 after the percentages have changed, moving as few instances as possible.
///
/// `treatments` are the present ranges of each treatment (none if it is new) and its new percentage. A growing treatment
/// takes the first buckets of control; a shrinking one gives back its last buckets. Only if control has too few does a
/// growing treatment get buckets that another one gives back in the same change. The ranges are sorted and joined.
/// Percentages that add up to more than 100 % are cut at the end of the line.
pub fn reweight(treatments: &[(&[BucketRange], Percent)]) -> Vec<Vec<BucketRange>> {
    let current: Vec<Vec<BucketRange>> = treatments
        .iter()
        .map(|(ranges, _)| joined(ranges.to_vec()))
        .collect();
    let control = gaps(&current);
    let mut kept = Vec::new();
    let mut given_back = Vec::new();
    for (ranges, (_, percent)) in current.into_iter().zip(treatments) {
        let (first, rest) = split(ranges, percent.buckets());
        kept.push(first);
        given_back.extend(rest);
    }
    let mut free = control;
    free.extend(joined(given_back));
    for (ranges, (_, percent)) in kept.iter_mut().zip(treatments) {
        let (taken, rest) = split(free, percent.buckets() - width(ranges));
        ranges.extend(taken);
        *ranges = joined(std::mem::take(ranges));
        free = rest;
    }
    kept
}

fn width(ranges: &[BucketRange]) -> u32 {
    ranges.iter().map(|range| range.width()).sum()
}

/// Sorts ranges and joins those that touch or overlap.
fn joined(mut ranges: Vec<BucketRange>) -> Vec<BucketRange> {
    ranges.sort_unstable();
    let mut joined: Vec<BucketRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        let touching = joined.pop_if(|last| range.from() <= last.to());
        let (from, to) = touching.map_or((range.from(), range.to()), |last| {
            (last.from(), last.to().max(range.to()))
        });
        joined.extend(BucketRange::new(from, to).ok());
    }
    joined
}

/// The buckets that no treatment has, in order.
fn gaps(treatments: &[Vec<BucketRange>]) -> Vec<BucketRange> {
    let taken = joined(treatments.concat());
    let starts = std::iter::once(0).chain(taken.iter().map(|range| range.to()));
    let ends = taken
        .iter()
        .map(|range| range.from())
        .chain(std::iter::once(BUCKETS));
    starts
        .zip(ends)
        .filter_map(|(from, to)| BucketRange::new(from, to).ok())
        .collect()
}

/// The first `buckets` buckets of the ranges, in their order, and the others.
fn split(ranges: Vec<BucketRange>, buckets: u32) -> (Vec<BucketRange>, Vec<BucketRange>) {
    let mut wanted = buckets;
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for range in ranges {
        let middle = range.from() + wanted.min(range.width());
        wanted -= middle - range.from();
        first.extend(BucketRange::new(range.from(), middle).ok());
        rest.extend(BucketRange::new(middle, range.to()).ok());
    }
    (first, rest)
}

/// The rollout group of each treatment, with the buckets that it owns, whatever the version.
pub fn groups(revision: &Revision) -> Vec<(String, Vec<BucketRange>)> {
    let treatments = revision.treatments.iter();
    let ranges = match revision.scheme {
        BucketScheme::V1 { .. } => {
            let percents: Vec<_> = treatments.map(|treatment| treatment.percent).collect();
            consecutive(&percents)
        }
        BucketScheme::V2 { .. } => treatments
            .map(|treatment| treatment.ranges.clone())
            .collect(),
    };
    let groups = (0..ranges.len()).map(|at| revision.group(at));
    groups.zip(ranges).collect()
}

#[cfg(test)]
mod tests {
    use flag_model::{
        FlagValue, HashAlgorithm, RevisionParts, Salt, Timestamp, Treatment, TreatmentName,
    };

    use super::*;

    type Ranges = &'static [(u32, u32)];

    fn ranges(pairs: &[(u32, u32)]) -> Vec<BucketRange> {
        pairs
            .iter()
            .map(|&(from, to)| BucketRange::new(from, to).unwrap())
            .collect()
    }

    /// Each treatment: its ranges, its new share in buckets, and the ranges that it must get.
    #[track_caller]
    fn check(treatments: &[(Ranges, u32, Ranges)]) {
        let current: Vec<_> = treatments.iter().map(|(now, _, _)| ranges(now)).collect();
        let change: Vec<_> = current
            .iter()
            .zip(treatments)
            .map(|(now, (_, buckets, _))| {
                (now.as_slice(), Percent::from_buckets(*buckets).unwrap())
            })
            .collect();
        let expected: Vec<_> = treatments.iter().map(|(_, _, then)| ranges(then)).collect();
        assert_eq!(reweight(&change), expected);
    }

    #[test]
    fn growth_takes_the_first_buckets_of_control() {
        check(&[(&[(0, 10_000)], 40_000, &[(0, 40_000)])]);
        check(&[
            (&[(0, 10)], 20, &[(0, 10), (30, 40)]),
            (&[(10, 30)], 20, &[(10, 30)]),
        ]);
    }

    #[test]
    fn shrinking_gives_back_the_last_buckets() {
        check(&[(&[(0, 10), (30, 40)], 15, &[(0, 10), (30, 35)])]);
        check(&[(&[(0, 10), (30, 40)], 0, &[])]);
    }

    #[test]
    fn a_new_treatment_takes_from_control() {
        check(&[(&[(0, 10)], 10, &[(0, 10)]), (&[], 5, &[(10, 15)])]);
    }

    #[test]
    fn what_one_gives_back_goes_to_control_first() {
        check(&[(&[(0, 20)], 10, &[(0, 10)]), (&[(20, 30)], 20, &[(20, 40)])]);
    }

    #[test]
    fn what_one_gives_back_is_taken_where_control_has_none() {
        check(&[
            (&[(0, 60_000)], 50_000, &[(0, 50_000)]),
            (&[(60_000, 100_000)], 50_000, &[(50_000, 100_000)]),
        ]);
    }

    #[test]
    fn unsorted_ranges_come_out_sorted_and_joined() {
        check(&[(&[(10, 20), (0, 10)], 20, &[(0, 20)])]);
    }

    #[test]
    fn version_1_owns_consecutive_buckets() {
        let percents = [10_000, 0, 20_000].map(|buckets| Percent::from_buckets(buckets).unwrap());
        let expected = [
            ranges(&[(0, 10_000)]),
            ranges(&[]),
            ranges(&[(10_000, 30_000)]),
        ];
        assert_eq!(consecutive(&percents), expected);
    }

    #[track_caller]
    fn check_groups(scheme: BucketScheme, treatments: Vec<Treatment>, expected: &[(&str, Ranges)]) {
        let parts = RevisionParts {
            flag: "p/feature/f".parse().unwrap(),
            scheme,
            control: FlagValue::Boolean(false),
            treatments,
            comment: String::new(),
            owner: None,
            rollback_of: None,
        };
        let created = Timestamp::parse("2024-09-25 18:50:00").unwrap();
        let groups = groups(&Revision::new(created, parts).unwrap());
        let expected = expected.iter();
        let expected = expected.map(|&(group, pairs)| (group.to_owned(), ranges(pairs)));
        assert_eq!(groups, expected.collect::<Vec<_>>());
    }

    fn treatment(percent: u32, pairs: Ranges) -> Treatment {
        Treatment {
            name: None,
            overrides: vec![],
            percent: Percent::from_buckets(percent).unwrap(),
            value: FlagValue::Boolean(true),
            ranges: ranges(pairs),
        }
    }

    #[test]
    fn groups_of_version_1_own_buckets_by_position() {
        check_groups(
            BucketScheme::v1(HashAlgorithm::Md5),
            vec![treatment(10_000, &[]), treatment(20_000, &[])],
            &[
                ("treatment_1", &[(0, 10_000)]),
                ("treatment_2", &[(10_000, 30_000)]),
            ],
        );
    }

    #[test]
    fn groups_of_version_2_own_the_stored_buckets() {
        let blue = Treatment {
            name: TreatmentName::new("blue").ok(),
            ..treatment(5, &[(7, 12)])
        };
        let scheme = BucketScheme::V2 {
            algorithm: HashAlgorithm::Md5,
            salt: Salt::new("s").unwrap(),
        };
        check_groups(
            scheme,
            vec![blue, treatment(2, &[(0, 1), (3, 4)])],
            &[("blue", &[(7, 12)]), ("treatment_2", &[(0, 1), (3, 4)])],
        );
    }
}
