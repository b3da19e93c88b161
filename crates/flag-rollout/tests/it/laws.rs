//! The laws of the rollout, as properties.

use flag_model::{
    BUCKETS, BucketRange, BucketScheme, HashAlgorithm, Percent, Reason, Revision, Treatment,
};
use flag_rollout::{Plan, bucket, decide, reweight};
use proptest::prelude::*;

use crate::flags::{Share, built, id, revision, v2};

fn instance() -> impl Strategy<Value = String> {
    "[^\u{0}]{1,100}"
}

fn scheme() -> impl Strategy<Value = BucketScheme> {
    let version_2 = (
        prop::sample::select(HashAlgorithm::ALL),
        "[A-Za-z0-9._-]{1,20}",
    )
        .prop_map(|(algorithm, salt)| v2(algorithm, &salt));
    prop_oneof![Just(BucketScheme::v1(HashAlgorithm::Md5)), version_2]
}

/// Shares of one to four treatments that add up to 100 % at most, in whole percent so that both versions take them.
fn shares() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..=25_u32, 1..=4)
        .prop_map(|percents| percents.into_iter().map(|p| p * 1_000).collect())
}

/// Shares in thousandths of a percent for `count` treatments.
fn fine_shares(count: usize) -> impl Strategy<Value = Vec<u32>> {
    let max = BUCKETS / u32::try_from(count).unwrap();
    prop::collection::vec(0..=max, count)
}

fn of(scheme: BucketScheme, buckets: &[u32]) -> Revision {
    let shares: Vec<Share<'_>> = buckets
        .iter()
        .map(|&buckets| Share {
            buckets,
            overrides: &[],
        })
        .collect();
    revision(scheme, &shares)
}

fn apply(ranges: &[Vec<BucketRange>], shares: &[u32]) -> Vec<Vec<BucketRange>> {
    let change: Vec<_> = ranges
        .iter()
        .zip(shares)
        .map(|(ranges, &buckets)| (ranges.as_slice(), Percent::from_buckets(buckets).unwrap()))
        .collect();
    reweight(&change)
}

fn from_nothing(shares: &[u32]) -> Vec<Vec<BucketRange>> {
    apply(&vec![Vec::new(); shares.len()], shares)
}

/// Who owns each bucket, control being `None`.
fn owners(ranges: &[Vec<BucketRange>]) -> Vec<Option<usize>> {
    let mut owners = vec![None; BUCKETS as usize];
    for (treatment, range) in ranges
        .iter()
        .enumerate()
        .flat_map(|(at, ranges)| ranges.iter().map(move |r| (at, r)))
    {
        for owner in &mut owners[range.from() as usize..range.to() as usize] {
            assert_eq!(owner.replace(treatment), None, "two owners of a bucket");
        }
    }
    owners
}

proptest! {
    #[test]
    fn equal_inputs_decide_equally(scheme in scheme(), shares in shares(), instance in instance()) {
        let one = Plan::compile(of(scheme.clone(), &shares));
        let other = Plan::compile(of(scheme, &shares));
        prop_assert_eq!(decide(&one, &id(&instance)), decide(&other, &id(&instance)));
    }

    #[test]
    fn raising_a_percentage_moves_nobody_out(
        scheme in scheme(), percent in 0..100_u32, raised_by in 0..100_u32, instance in instance(),
    ) {
        let raised = (percent + raised_by).min(100);
        let before = Plan::compile(of(scheme.clone(), &[percent * 1_000]));
        let after = Plan::compile(of(scheme, &[raised * 1_000]));
        let served = decide(&before, &id(&instance)).reason == Reason::Rollout;
        prop_assert!(!served || decide(&after, &id(&instance)).reason == Reason::Rollout);
    }

    /// Through the change of a revision: several treatments, none of which shrinks, stored ranges re-weighted.
    #[test]
    fn growing_treatments_keep_whom_they_have(
        first in fine_shares(3), growth in fine_shares(6), instances in prop::collection::vec(instance(), 20),
    ) {
        let grown: Vec<u32> = first.iter().zip(&growth).map(|(share, growth)| share + growth / 2).collect();
        prop_assume!(grown.iter().sum::<u32>() <= BUCKETS);
        let before = from_nothing(&first);
        let after = apply(&before, &grown);
        let plan = |shares: &[u32], ranges: &[Vec<BucketRange>]| {
            let mut parts = of(v2(HashAlgorithm::Sha1, "s"), shares).into_parts();
            for (treatment, ranges) in parts.treatments.iter_mut().zip(ranges) {
                treatment.ranges.clone_from(ranges);
            }
            Plan::compile(built(parts))
        };
        let (before, after) = (plan(&first, &before), plan(&grown, &after));
        for instance in &instances {
            let was = decide(&before, &id(instance));
            let is = decide(&after, &id(instance));
            prop_assert!(was.reason == Reason::Control || was.rollout_group == is.rollout_group);
        }
    }

    #[test]
    fn an_override_beats_every_percentage(scheme in scheme(), shares in shares(), instance in instance()) {
        let mut parts = of(scheme, &shares).into_parts();
        let last = parts.treatments.len() - 1;
        parts.treatments[last].overrides = vec![id(&instance).into_owned()];
        let plan = Plan::compile(built(parts));
        let group = format!("treatment_{}", last + 1);
        let decision = decide(&plan, &id(&instance));
        prop_assert_eq!((decision.rollout_group, decision.reason), (group.as_str(), Reason::Override));
    }

    #[test]
    fn a_decision_gives_the_treatment_that_owns_the_bucket(scheme in scheme(), shares in shares(), instance in instance()) {
        let plan = Plan::compile(of(scheme.clone(), &shares));
        let bucket = bucket(&scheme, &id(&instance));
        let owner = owners(&from_nothing(&shares))[bucket.get() as usize];
        let group = owner.map_or("control".to_owned(), |at| format!("treatment_{}", at + 1));
        let decision = decide(&plan, &id(&instance));
        prop_assert_eq!((decision.rollout_group, decision.bucket), (group.as_str(), Some(bucket)));
    }

    #[test]
    fn re_weighted_revisions_are_valid(first in fine_shares(3), second in fine_shares(3)) {
        let ranges = apply(&from_nothing(&first), &second);
        let mut parts = of(v2(HashAlgorithm::Md5, "s"), &second).into_parts();
        for (treatment, ranges) in parts.treatments.iter_mut().zip(ranges) {
            *treatment = Treatment { ranges, ..treatment.clone() };
        }
        built(parts);
    }

    #[test]
    fn re_weighting_moves_the_fewest(first in fine_shares(3), second in fine_shares(3), third in fine_shares(3)) {
        let before = apply(&from_nothing(&first), &second);
        let after = apply(&before, &third);
        for treatment in 0..3 {
            let has = |owner: &Option<usize>| *owner == Some(treatment);
            let (before, after) = (owners(&before), owners(&after));
            let kept = before.iter().zip(&after).filter(|(before, after)| has(before) && has(after)).count();
            prop_assert_eq!(kept, second[treatment].min(third[treatment]) as usize);
        }
    }

    #[test]
    fn nobody_moves_between_two_treatments(first in fine_shares(3), second in fine_shares(3), third in fine_shares(3)) {
        // Where control has room for all growth, nobody has to.
        let growth: u32 = second.iter().zip(&third).map(|(before, after)| after.saturating_sub(*before)).sum();
        prop_assume!(growth <= BUCKETS - second.iter().sum::<u32>());
        let before = apply(&from_nothing(&first), &second);
        let after = apply(&before, &third);
        for (before, after) in owners(&before).into_iter().zip(owners(&after)) {
            prop_assert!(before.is_none() || after.is_none() || before == after);
        }
    }
}
