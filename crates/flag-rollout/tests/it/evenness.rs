//! Buckets are even, and independent between salts: chi-square tests over 1,000,000 ids, of each digest over 250,000.

use flag_model::{BucketScheme, HashAlgorithm};
use flag_rollout::bucket;

use crate::flags::{id, v2};

const IDS: u32 = 1_000_000;

/// For all digests one after the other, some of which are slow without optimisation.
const FEWER_IDS: u32 = 250_000;

/// Pearson's statistic of counts against one expectation for all.
fn chi_square(counts: &[u32], expected: f64) -> f64 {
    counts
        .iter()
        .map(|&count| (f64::from(count) - expected).powi(2) / expected)
        .sum()
}

/// Four standard deviations above the mean of the chi-square distribution: 1 in 30,000 by chance, and the ids are fixed.
#[track_caller]
fn check_plausible(statistic: f64, degrees: f64) {
    let bound = degrees + 4.0 * (2.0 * degrees).sqrt();
    assert!(
        statistic < bound,
        "chi-square {statistic:.0} with {degrees} degrees of freedom, bound {bound:.0}"
    );
}

#[track_caller]
fn check_even(scheme: &BucketScheme, ids: u32) {
    let mut counts = vec![0; 1_000];
    for n in 0..ids {
        counts[bucket(scheme, &id(&format!("A{n:06}"))).get() as usize / 100] += 1;
    }
    check_plausible(chi_square(&counts, f64::from(ids) / 1_000.0), 999.0);
}

#[test]
fn version_1_is_even() {
    check_even(&BucketScheme::v1(HashAlgorithm::Md5), IDS);
}

#[test]
fn every_algorithm_is_even() {
    for &algorithm in HashAlgorithm::ALL {
        check_even(&v2(algorithm, "multi_step_api_router"), FEWER_IDS);
    }
}

#[test]
fn two_salts_are_independent() {
    let (one, other) = (
        v2(HashAlgorithm::Md5, "router"),
        v2(HashAlgorithm::Md5, "router_v2"),
    );
    let mut counts = vec![0; 100 * 100];
    for n in 0..IDS {
        let text = format!("A{n:06}");
        let (row, column) = (
            bucket(&one, &id(&text)).get() / 1_000,
            bucket(&other, &id(&text)).get() / 1_000,
        );
        counts[(row * 100 + column) as usize] += 1;
    }
    check_plausible(chi_square(&counts, f64::from(IDS) / 10_000.0), 9_999.0);
}
