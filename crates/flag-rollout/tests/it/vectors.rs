//! The golden vectors of the reference: what Python's hashlib says.

use flag_model::{Format, HashAlgorithm, Salt};
use flag_rollout::{Reason, bucket, decide, position};
use serde_json::Value;

use crate::flags::{Share, id, plan, v2};

fn vectors() -> Vec<Value> {
    let text = include_str!("../../../../tests/fixtures/hash_vectors.json");
    serde_json::from_str(text).unwrap()
}

fn text<'a>(vector: &'a Value, field: &str) -> Option<&'a str> {
    vector[field].as_str()
}

/// Version 1 where it applies, and every algorithm without a salt by its digest alone.
fn format(vector: &Value) -> Option<Format> {
    let algorithm = HashAlgorithm::parse(text(vector, "algorithm").unwrap()).unwrap();
    match text(vector, "salt") {
        Some(salt) => Some(v2(algorithm, salt)),
        None if algorithm == HashAlgorithm::Md5 => Some(Format::V1),
        None => None,
    }
}

#[test]
fn every_vector_is_on_its_bucket() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 3 * 3 * 319);
    for vector in &vectors {
        let instance = id(text(vector, "id").unwrap());
        if let Some(format) = format(vector) {
            assert_eq!(
                u64::from(bucket(&format, &instance).get()),
                vector["bucket"].as_u64().unwrap(),
                "{vector}"
            );
        }
        let salt = text(vector, "salt").map(|salt| Salt::new(salt).unwrap());
        let position = match text(vector, "algorithm").unwrap() {
            "md5" => position::<md5::Md5>(salt.as_ref(), &instance),
            "sha1" => position::<sha1::Sha1>(salt.as_ref(), &instance),
            _ => position::<sha2::Sha256>(salt.as_ref(), &instance),
        };
        assert_eq!(
            format!("{position:016x}"),
            text(vector, "digest").unwrap()[..16]
        );
        assert_eq!(
            u64::from(flag_model::Bucket::of_position(position).get()),
            vector["bucket"].as_u64().unwrap()
        );
    }
}

#[test]
fn every_vector_is_served_as_the_float_rule_of_the_reference_serves_it() {
    const PERCENTAGES: [u32; 15] = [0, 1, 2, 5, 10, 25, 33, 40, 50, 66, 75, 90, 95, 99, 100];
    for vector in vectors() {
        let Some(format) = format(&vector) else {
            continue;
        };
        let served: Vec<u64> = vector["served"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p.as_u64().unwrap())
            .collect();
        for percent in PERCENTAGES {
            let plan = plan(
                format.clone(),
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
