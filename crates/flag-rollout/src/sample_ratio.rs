//! Checks that the observed split of a rollout fits the configured one.
//!
//! Pearson's chi-square test of the exposures per rollout group, overrides left out. It takes exposures to be independent,
//! which those to one instance are not: an instance that asks very often looks like a mismatch.

mod chi_square;

use flag_model::BUCKETS;

use self::chi_square::survival;
use crate::plan::Plan;

/// A mismatch is less probable than this if the configured split holds.
const SIGNIFICANT: f64 = 0.001;

/// A mismatch is at least this far from the configured share in some group: 0.1 points.
const RELEVANT: f64 = 0.001;

/// The fewest expected exposures per group with which the test is sound (Cochran's rule).
const FEWEST: f64 = 5.0;

/// The observed and the configured split of a revision.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRatio {
    /// Those groups that have a share, control first.
    pub groups: Vec<GroupRatio>,
    /// The probability of a split at least this far from the configured one, if that holds.
    pub p: f64,
    /// What it means.
    pub result: RatioResult,
}

/// The shares of a rollout group, from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRatio {
    /// The rollout group.
    pub group: String,
    /// The configured share.
    pub expected: f64,
    /// The observed share.
    pub observed: f64,
}

/// Whether an observed split fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatioResult {
    /// There are too few exposures for a result.
    TooFew,
    /// It fits: no mismatch was found.
    Fits,
    /// It does not: a sample ratio mismatch.
    Mismatch,
}

impl SampleRatio {
    /// Compares a revision with how many exposures each rollout group had, without overrides. `None` if all instances have
    /// the same group.
    pub fn of(plan: &Plan, exposures: impl Fn(&str) -> u64) -> Option<Self> {
        let shares = plan.shares();
        if shares.len() < 2 {
            return None;
        }
        let counted = shares.iter().map(|(group, _)| float(exposures(group)));
        let counted: Vec<f64> = counted.collect();
        let total: f64 = counted.iter().sum();
        let expected = |buckets: u32| f64::from(buckets) / f64::from(BUCKETS);
        let (mut statistic, mut freedom, mut farthest) = (0.0, 0_u32, 0.0_f64);
        let mut is_sound = total > 0.0;
        let mut groups = Vec::with_capacity(shares.len());
        for ((group, buckets), count) in shares.into_iter().zip(counted) {
            let share = expected(buckets);
            let observed = if total > 0.0 { count / total } else { 0.0 };
            is_sound &= share * total >= FEWEST;
            statistic += (count - share * total).powi(2) / (share * total).max(f64::MIN_POSITIVE);
            farthest = farthest.max((observed - share).abs());
            freedom += 1;
            groups.push(GroupRatio {
                group: group.to_owned(),
                expected: share,
                observed,
            });
        }
        let p = if is_sound {
            survival(statistic, freedom.saturating_sub(1))
        } else {
            1.0
        };
        let result = if !is_sound {
            RatioResult::TooFew
        } else if p < SIGNIFICANT && farthest >= RELEVANT {
            RatioResult::Mismatch
        } else {
            RatioResult::Fits
        };
        Some(Self { groups, p, result })
    }
}

/// The nearest number.
fn float(count: u64) -> f64 {
    let high = u32::try_from(count >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high).mul_add(4_294_967_296.0, f64::from(low))
}

#[cfg(test)]
mod tests {
    use flag_model::{
        BucketScheme, FlagValue, FormatVersion, HashAlgorithm, Percent, Revision, RevisionParts,
        Timestamp, Treatment,
    };

    use super::*;

    /// A plan with treatments of these percentages.
    fn plan(percents: &[&str]) -> Plan {
        let treatments = percents.iter().map(|percent| Treatment {
            name: None,
            value: FlagValue::Boolean(true),
            percent: Percent::parse(percent, FormatVersion::V1).unwrap(),
            overrides: Vec::new(),
            ranges: Vec::new(),
        });
        let parts = RevisionParts {
            flag: "p/feature/f".parse().unwrap(),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(false),
            comment: "Test".to_owned(),
            owner: None,
            treatments: treatments.collect(),
            rollback_of: None,
        };
        Plan::compile(Revision::new(Timestamp::UNIX_EPOCH, parts).unwrap())
    }

    /// The ratio of a revision whose groups have these exposures, control first.
    fn ratio(percents: &[&str], exposures: &[u64]) -> Option<SampleRatio> {
        let position = |group: &str| match group.strip_prefix("treatment_") {
            Some(number) => number.parse().unwrap(),
            None => 0,
        };
        SampleRatio::of(&plan(percents), |group| exposures[position(group)])
    }

    #[track_caller]
    fn check(percents: &[&str], exposures: &[u64], expected: RatioResult) {
        assert_eq!(ratio(percents, exposures).unwrap().result, expected);
    }

    #[test]
    fn a_split_that_fits_is_no_mismatch() {
        check(&["50"], &[5_000, 5_000], RatioResult::Fits);
        check(&["50"], &[5_100, 4_900], RatioResult::Fits);
        check(&["10", "20"], &[7_000, 1_010, 1_990], RatioResult::Fits);
        check(&["10", "90"], &[0, 1_010, 8_990], RatioResult::Fits);
    }

    #[test]
    fn a_group_with_too_many_exposures_is_a_mismatch() {
        check(&["50"], &[5_200, 4_800], RatioResult::Mismatch);
        check(&["10", "20"], &[7_000, 1_200, 1_800], RatioResult::Mismatch);
        check(&["10", "90"], &[0, 2_000, 8_000], RatioResult::Mismatch);
        check(&["50"], &[10_000, 0], RatioResult::Mismatch);
    }

    #[test]
    fn a_difference_that_matters_to_nobody_is_no_mismatch() {
        let half = 1_000_000_000;
        check(
            &["50"],
            &[half + 1_900_000, half - 1_900_000],
            RatioResult::Fits,
        );
        let beyond = 2_100_000;
        check(
            &["50"],
            &[half + beyond, half - beyond],
            RatioResult::Mismatch,
        );
    }

    #[test]
    fn of_few_exposures_nothing_is_said() {
        check(&["50"], &[0, 0], RatioResult::TooFew);
        check(&["50"], &[9, 0], RatioResult::TooFew);
        check(&["1"], &[370, 30], RatioResult::TooFew);
        check(&["50"], &[30, 0], RatioResult::Mismatch);
    }

    #[test]
    fn a_flag_without_a_split_has_no_ratio() {
        for percents in [&[][..], &["0"], &["100"], &["0", "100"]] {
            assert_eq!(ratio(percents, &[1, 2, 3]), None, "{percents:?}");
        }
    }

    #[test]
    fn shares_are_those_of_the_groups() {
        let ratio = ratio(&["25"], &[60, 40]).unwrap();
        let shares = ratio.groups.iter();
        let shares = shares.map(|of| (of.group.as_str(), of.expected, of.observed));
        let expected = [("control", 0.75, 0.6), ("treatment_1", 0.25, 0.4)];
        assert_eq!(shares.collect::<Vec<_>>(), expected);
    }
}
