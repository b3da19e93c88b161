//! Builds plans in a line.
#![allow(dead_code, unreachable_pub, reason = "benches use a part")]

use flag_model::{
    BucketScheme, FlagValue, HashAlgorithm, InstanceId, Percent, Revision, RevisionParts, Salt,
    Timestamp, Treatment,
};
use flag_rollout::{Plan, reweight};

/// A treatment that serves its position as text.
pub struct Share<'a> {
    pub buckets: u32,
    pub overrides: &'a [&'a str],
}

pub fn v2(algorithm: HashAlgorithm, salt: &str) -> BucketScheme {
    BucketScheme::V2 {
        algorithm,
        salt: Salt::new(salt).unwrap(),
    }
}

pub fn id(text: &str) -> InstanceId<'_> {
    InstanceId::new(text).unwrap()
}

pub fn revision(scheme: BucketScheme, shares: &[Share<'_>]) -> Revision {
    let percents: Vec<Percent> = shares
        .iter()
        .map(|share| Percent::from_buckets(share.buckets).unwrap())
        .collect();
    let ranges = match scheme {
        BucketScheme::V1 { .. } => vec![Vec::new(); shares.len()],
        BucketScheme::V2 { .. } => reweight(
            &percents
                .iter()
                .map(|&percent| (&[][..], percent))
                .collect::<Vec<_>>(),
        ),
    };
    let treatments = shares.iter().zip(percents).zip(ranges).enumerate().map(
        |(at, ((share, percent), ranges))| Treatment {
            name: None,
            overrides: share
                .overrides
                .iter()
                .map(|text| id(text).into_owned())
                .collect(),
            percent,
            value: FlagValue::text(&(at + 1).to_string()).unwrap(),
            ranges,
        },
    );
    let parts = RevisionParts {
        flag: "p/data/f".parse().unwrap(),
        scheme,
        control: FlagValue::text("control").unwrap(),
        treatments: treatments.collect(),
        comment: String::new(),
        owner: None,
        rollback_of: None,
    };
    built(parts)
}

pub fn built(parts: RevisionParts) -> Revision {
    Revision::new(Timestamp::from_unix_micros(1).unwrap(), parts).unwrap()
}

pub fn plan(scheme: BucketScheme, shares: &[Share<'_>]) -> Plan {
    Plan::compile(revision(scheme, shares))
}
