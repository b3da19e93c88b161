//! The past is proved, with many answers; and how fast.

use std::time::Instant;

use flag_model::{FlagKey, InstanceId, Timestamp};
use flag_rollout::{Plan, decide};
use flag_store::{BatchId, ExposureBatch, ExposureTemplate, Spelling};
use flag_tests::{Load, Proxy, Service, TestStore, flagctl};

use super::report::Row;
use crate::exposures::until_written;
use crate::verified::{
    NAME, PROJECT, another_bucket, another_value, findings, keys_with_buckets, revise,
    until_served, verify,
};

const REVISIONS: usize = 20;

/// Answers of each replica by each revision.
const ANSWERS: u64 = 1_670;

/// Exposures in the log whose verification is measured.
const MANY: u64 = 4_000_000;

/// Three replicas, of which the second is killed in the middle, and the third cannot reach the store for some revisions.
async fn answers_over_revisions(store: &TestStore, third: &TestStore, network: Option<&Proxy>) {
    let variables = [("FLAG_CHANGE_POLL_MS", "50")];
    let start = |store: &TestStore| Service::start_with(store, &[], &variables);
    let first = Service::start_with(store, &["--demo"], &variables);
    let mut services = vec![first, start(store), start(third)];
    for round in 1..=REVISIONS {
        if let Some(network) = network.filter(|_| [6, 9].contains(&round)) {
            if round == 6 {
                network.fall_silent();
            } else {
                network.speak_again();
            }
        }
        revise(store, round);
        for service in &services {
            if round == 1 {
                until_served(service, round).await;
            }
            let load = Load {
                requests: ANSWERS,
                connections: 8,
                rate: None,
                path: |number| {
                    format!(
                        "/get-feature-flag?project_name={PROJECT}&flag_type=data&flag_name={NAME}&instance_id=A{}",
                        number % 700
                    )
                },
            };
            load.run(service.url()).await;
        }
        if round == REVISIONS / 2 {
            until_written(&services[1]).await;
            services[1].signal("-KILL");
            services[1] = start(store);
        }
    }
    for service in services {
        assert!(service.stop().success());
    }
}

/// Verifies; alters two exposures by hand, and verifies again.
async fn prove(store: &TestStore, row: &Row) {
    let report = verify(store, 0, &[]);
    let exposures = report["exposures"].as_u64().unwrap();
    let stale = &report["flags"][0]["stale"];
    let stale = format!(
        "{} stale answers, half of them for less than {} ms, the longest {} ms",
        stale["exposures"], stale["p50_ms"], stale["worst_ms"]
    );
    let keys = keys_with_buckets(store).await;
    let (value, bucket) = (&keys[1_000], &keys[keys.len() / 2]);
    store.alter_exposure(PROJECT, value, another_value).await;
    store.alter_exposure(PROJECT, bucket, another_bucket).await;
    let found = findings(&verify(store, 7, &[]));
    let columns: Vec<_> = found.iter().map(|(_, what, _)| &**what).collect();
    let mut sorted = columns.clone();
    sorted.sort_unstable();
    let is_found = sorted == ["AssignedValue", "Bucket"];
    row.report(
        &format!(
            "{exposures} exposures; {stale}; found: {}",
            columns.join(", ")
        ),
        (is_found && exposures >= 100_000).into(),
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn an_altered_value_and_an_altered_bucket_are_found_in_local_files() {
    let store = TestStore::embedded();
    answers_over_revisions(&store, &store, None).await;
    let row = Row {
        fault: "Local files: of 100,000 answers of three replicas over 20 revisions, one killed, a value and a bucket are altered by hand",
        goal: "`flagctl verify` finds nothing before, and these two after",
    };
    prove(&store, &row).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn an_altered_value_and_an_altered_bucket_are_found_in_bigtable() {
    let store = TestStore::bigtable();
    let TestStore::Bigtable { emulator, instance } = &store else {
        panic!("another store")
    };
    let network = Proxy::to(emulator).await;
    let third = TestStore::Bigtable {
        emulator: network.address(),
        instance: instance.clone(),
    };
    answers_over_revisions(&store, &third, Some(&network)).await;
    let row = Row {
        fault: "Bigtable: the same, and one of the replicas cannot reach its store for three revisions",
        goal: "the same",
    };
    prove(&store, &row).await;
}

/// Appends exposures that the newest revision decides.
async fn fill(store: &TestStore) {
    let flag: FlagKey = format!("{PROJECT}/data/{NAME}").parse().unwrap();
    let flags = store.flags().await;
    let plan = Plan::compile(flags.latest_revision(&flag).await.unwrap().unwrap());
    let log = store.exposures().await;
    let mut created = plan.created().unix_micros();
    for number in 0..MANY / 2_000 {
        let mut batch = ExposureBatch::new(BatchId(number.into()), Spelling::Json);
        let mut outcomes = Vec::new();
        for exposure in number * 2_000..(number + 1) * 2_000 {
            created += 1;
            let instance = InstanceId::new(format!("A{:09}", exposure % 300_007)).unwrap();
            let decision = decide(&plan, &instance);
            let served = (decision.treatment_index, decision.reason);
            let known = outcomes.iter().find(|(of, _)| *of == served);
            let known = known.map(|(_, index)| *index);
            let index = known.unwrap_or_else(|| {
                let index = batch.add_template(ExposureTemplate {
                    flag: flag.clone(),
                    revision: Some(plan.created()),
                    value: decision.value.clone(),
                    rollout_group: decision.rollout_group.to_owned(),
                    reason: Some(decision.reason),
                    from_cache: Some(true),
                });
                outcomes.push((served, index));
                index
            });
            let request = format!("01a2003c-84be-7569-af14-{exposure:012x}");
            let created = Timestamp::from_unix_micros(created).unwrap();
            batch.push(index, &request, &instance, decision.bucket, created);
        }
        assert!(log.append(&batch).await.iter().all(Result::is_ok));
    }
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn verifying_takes_two_microseconds_per_exposure() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    assert!(service.stop().success());
    fill(&store).await;
    let began = Instant::now();
    let output = flagctl(&store, &["verify", PROJECT]);
    let took = began.elapsed();
    assert_eq!(output.code, 0, "{output:?}");
    let rate = u128::from(MANY) * 1_000_000 / took.as_micros();
    let row = Row {
        fault: "Local files: `flagctl verify` of 4,000,000 exposures",
        goal: "500,000 in a second",
    };
    row.report(
        &format!("{rate} in a second, {took:.1?} in all"),
        (rate >= 500_000).into(),
    );
}
