//! The golden vectors of the Python framework: what Python's hashlib says.

use std::collections::HashSet;

use flag_model::{BucketScheme, HashAlgorithm, Reason, Salt};
use flag_rollout::{bucket, decide, hash_point};
use serde_json::Value;

use crate::flags::{Share, id, plan, v2};

fn vectors() -> Vec<Value> {
    let text = include_str!("../../../../tests/fixtures/hash_vectors.json");
    serde_json::from_str(text).unwrap()
}

fn text<'a>(vector: &'a Value, field: &str) -> Option<&'a str> {
    vector[field].as_str()
}

fn algorithm(vector: &Value) -> HashAlgorithm {
    HashAlgorithm::parse(text(vector, "algorithm").unwrap()).unwrap()
}

/// Version 2 with a salt, version 1 without.
fn scheme(vector: &Value) -> BucketScheme {
    let algorithm = algorithm(vector);
    text(vector, "salt").map_or(BucketScheme::v1(algorithm), |salt| v2(algorithm, salt))
}

#[test]
fn every_vector_is_on_its_bucket() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 3 * 3 * 319 + 9 * 3 * 49);
    for vector in &vectors {
        let instance = id(text(vector, "id").unwrap());
        assert_eq!(
            u64::from(bucket(&scheme(vector), &instance).get()),
            vector["bucket"].as_u64().unwrap(),
            "{vector}"
        );
    }
}

#[test]
fn every_algorithm_has_vectors_of_both_versions() {
    let vectors = vectors();
    for &known in HashAlgorithm::ALL {
        let schemes = vectors.iter().filter(|vector| algorithm(vector) == known);
        let salts: HashSet<_> = schemes.map(|vector| text(vector, "salt")).collect();
        assert!(salts.len() > 1 && salts.contains(&None), "{known}");
    }
}

#[test]
fn a_position_is_the_beginning_of_any_digest() {
    for vector in vectors() {
        let vector = &vector;
        let instance = id(text(vector, "id").unwrap());
        let salt = text(vector, "salt").map(|salt| Salt::new(salt).unwrap());
        let hash_point = match text(vector, "algorithm").unwrap() {
            "md5" => hash_point::<md5::Md5>(salt.as_ref(), &instance),
            "sha1" => hash_point::<sha1::Sha1>(salt.as_ref(), &instance),
            "sha256" => hash_point::<sha2::Sha256>(salt.as_ref(), &instance),
            _ => continue,
        };
        assert_eq!(
            format!("{hash_point:016x}"),
            text(vector, "digest").unwrap()[..16]
        );
        assert_eq!(
            u64::from(flag_model::Bucket::of_hash_point(hash_point).get()),
            vector["bucket"].as_u64().unwrap()
        );
    }
}

#[test]
fn every_vector_is_served_as_the_float_rule_of_the_reference_serves_it() {
    const PERCENTAGES: [u32; 15] = [0, 1, 2, 5, 10, 25, 33, 40, 50, 66, 75, 90, 95, 99, 100];
    for vector in vectors() {
        let scheme = scheme(&vector);
        let served: Vec<u64> = vector["served"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p.as_u64().unwrap())
            .collect();
        for percent in PERCENTAGES {
            let plan = plan(
                scheme.clone(),
                &[Share {
                    buckets: percent * 1_000,
                    overrides: &[],
                }],
            );
            let decision = decide(&plan, &id(text(&vector, "id").unwrap()));
            assert_eq!(
                decision.reason == Reason::Rollout,
                served.contains(&u64::from(percent)),
                "{percent} {vector}"
            );
        }
    }
}
