//! Facts about decisions, and that deciding allocates nothing.

use flag_model::{BucketScheme, HashAlgorithm, Reason};
use flag_rollout::{Plan, decide};

use crate::flags::{Share, id, plan, v2};

#[track_caller]
fn check(plan: &Plan, instance: &str, group: &str, reason: Reason) {
    let decision = decide(plan, &id(instance));
    assert_eq!((decision.rollout_group, decision.reason), (group, reason));
    assert_eq!(decision.bucket.is_none(), reason == Reason::Override);
    let value = if group == "control" {
        "control"
    } else {
        group.trim_start_matches("treatment_")
    };
    assert_eq!(decision.value.to_string(), value);
    let group_value = plan.group_value(decision.treatment_index);
    assert_eq!(group_value, Some((decision.value, decision.rollout_group)));
}

#[test]
fn an_override_beats_the_percentage() {
    let plan = plan(
        BucketScheme::v1(HashAlgorithm::Md5),
        &[
            Share {
                buckets: 0,
                overrides: &["ann"],
            },
            Share {
                buckets: 100_000,
                overrides: &[],
            },
        ],
    );
    check(&plan, "ann", "treatment_1", Reason::Override);
    check(&plan, "Ann", "treatment_2", Reason::Rollout);
}

#[test]
fn version_1_treatments_own_consecutive_buckets() {
    let plan = plan(
        BucketScheme::v1(HashAlgorithm::Md5),
        &[
            Share {
                buckets: 10_000,
                overrides: &[],
            },
            Share {
                buckets: 25_000,
                overrides: &[],
            },
        ],
    );
    check(&plan, "a", "treatment_1", Reason::Rollout); // bucket 4,982
    check(&plan, "A123456", "treatment_2", Reason::Rollout); // bucket 31,444
    check(&plan, "A12345", "control", Reason::Control); // bucket 52,790
}

#[test]
fn nobody_is_reached_by_nothing_and_everybody_by_all() {
    for scheme in [
        BucketScheme::v1(HashAlgorithm::Md5),
        v2(HashAlgorithm::Sha256, "s"),
    ] {
        let nothing = plan(
            scheme.clone(),
            &[Share {
                buckets: 0,
                overrides: &[],
            }],
        );
        let all = plan(
            scheme,
            &[Share {
                buckets: 100_000,
                overrides: &[],
            }],
        );
        for n in 0..10_000 {
            check(&nothing, &n.to_string(), "control", Reason::Control);
            check(&all, &n.to_string(), "treatment_1", Reason::Rollout);
        }
    }
}

#[test]
fn deciding_allocates_nothing() {
    let shares = [
        Share {
            buckets: 20_000,
            overrides: &["ann"],
        },
        Share {
            buckets: 20_500,
            overrides: &["bob"],
        },
    ];
    let whole = [Share {
        buckets: 40_000,
        overrides: &["ann", "bob"],
    }];
    let schemes = HashAlgorithm::ALL
        .iter()
        .map(|&algorithm| plan(v2(algorithm, "salt"), &shares));
    for plan in schemes.chain([plan(BucketScheme::v1(HashAlgorithm::Md5), &whole)]) {
        for instance in ["ann", "bob", "carl", &"x".repeat(512)] {
            let instance = id(instance);
            let allocations = allocation_counter::measure(|| {
                std::hint::black_box(decide(&plan, &instance));
            });
            assert_eq!(allocations.count_total, 0);
        }
    }
}
