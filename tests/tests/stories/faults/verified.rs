//! The past is proved, with many answers; and how fast.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use flag_model::{FlagKey, InstanceId, Timestamp};
use flag_rollout::{Plan, decide};
use flag_store::{BatchId, CellFormat, ExposureBatch, ExposureTemplate, Row, Scan};
use flag_tests::{Load, Proxy, Service, TestStore, flagctl};
use serde_json::Value;

use super::report;
use crate::exposures::until_written;
use crate::record::alter;
use crate::verified::{
    NAME, PROJECT, another_bucket, another_value, findings, keys_with_buckets, revise,
    until_served, verify,
};

const REVISIONS: usize = 20;

/// Answers of each replica by each revision.
const ANSWERS: u64 = 1_670;

/// Exposures in the log whose verification is measured.
const MANY: u64 = 4_000_000;

/// The rounds in which the third replica serves the revision of the one before.
const BEHIND: RangeInclusive<usize> = 6..=8;

/// How the third replica comes to be behind.
enum Behind<'a> {
    /// It cannot reach its store.
    Cut(&'a Proxy),
    /// It looks for changes once a minute.
    Slow,
}

/// What was done to the third replica.
struct Staleness {
    /// The revision that it served for too long.
    revision: String,
    /// For how long after the next one was made, at least and at most.
    least: Duration,
    most: Duration,
}

fn start(store: &TestStore, poll: &str) -> Service {
    Service::start_with(store, &[], &[("FLAG_CHANGE_POLL_MS", poll)])
}

fn restart(service: &mut Service, store: &TestStore, poll: &str) {
    let another = start(store, poll);
    assert!(std::mem::replace(service, another).stop().success());
}

/// Asks a replica, each time for one of 700 instances; every request is answered.
async fn ask(service: &Service) {
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
    let outcome = load.run(service.url()).await;
    assert_eq!((outcome.expected, outcome.failed), (ANSWERS, 0));
}

/// The time of the newest revision.
async fn newest(store: &TestStore) -> String {
    let flag: FlagKey = format!("{PROJECT}/data/{NAME}").parse().unwrap();
    let revision = store.flags().await.newest_revision(&flag).await;
    revision.unwrap().unwrap().created().to_string()
}

/// Three replicas, of which the second is killed in the middle, and the third is behind for some revisions.
async fn answers_over_revisions(
    store: &TestStore,
    third: &TestStore,
    behind: Behind<'_>,
) -> Staleness {
    let first = Service::start_with(store, &["--demo"], &[("FLAG_CHANGE_POLL_MS", "50")]);
    let mut services = [first, start(store, "50"), start(third, "50")];
    let mut caused = Staleness {
        revision: String::new(),
        least: Duration::ZERO,
        most: Duration::ZERO,
    };
    let (mut began, mut made) = (Instant::now(), Instant::now());
    for round in 1..=REVISIONS {
        if round == *BEHIND.start() {
            caused.revision = newest(store).await;
            match behind {
                Behind::Cut(network) => network.fall_silent(),
                Behind::Slow => {
                    restart(&mut services[2], third, "60000");
                    until_served(&services[2], round - 1).await;
                }
            }
            began = Instant::now();
        }
        if round == *BEHIND.end() + 1 {
            caused.least = made.elapsed();
            match behind {
                Behind::Cut(network) => network.speak_again(),
                Behind::Slow => restart(&mut services[2], third, "50"),
            }
        }
        revise(store, round);
        if round == *BEHIND.start() {
            made = Instant::now();
        }
        for service in &services {
            if round == 1 {
                until_served(service, round).await;
            }
            ask(service).await;
        }
        if round == *BEHIND.end() + 1 {
            until_served(&services[2], round).await;
            caused.most = began.elapsed();
        }
        if round == REVISIONS / 2 {
            until_written(&services[1]).await;
            services[1].signal("-KILL");
            services[1] = start(store, "50");
        }
    }
    for service in services {
        assert!(service.stop().success());
    }
    caused
}

/// The staleness that was caused is named. Between the last answer and the end of the measurement are milliseconds.
fn check_staleness(stale: &Value, caused: &Staleness) -> String {
    let (count, worst) = (
        stale["exposures"].as_u64().unwrap(),
        stale["worst_ms"].as_f64().unwrap(),
    );
    let Staleness {
        revision,
        least,
        most,
    } = caused;
    assert!(count >= ANSWERS * BEHIND.count() as u64, "{stale}");
    assert_eq!(stale["worst_revision"], **revision, "{stale}");
    let worst = Duration::from_secs_f64(worst / 1_000.0);
    let slack = Duration::from_secs(1);
    assert!(
        worst + slack >= *least && worst <= *most,
        "{stale} {least:?} {most:?}"
    );
    format!(
        "{count} stale answers, half of them for less than {} ms, the longest {worst:.1?} by the revision that was served too long",
        stale["p50_ms"]
    )
}

/// Alters two exposures by hand; what is found, if it is these two.
async fn alter_exposures(store: &TestStore) -> String {
    let keys = keys_with_buckets(store).await;
    let (value, bucket) = (&keys[1_000], &keys[keys.len() / 2]);
    store.alter_exposure(PROJECT, value, another_value).await;
    store.alter_exposure(PROJECT, bucket, another_bucket).await;
    let found = findings(&verify(store, 7, &[]));
    for (key, column) in [(value, "AssignedValue"), (bucket, "Bucket")] {
        let is_it = |(kind, what, request): &(String, String, String)| {
            kind == "decided_otherwise" && what == column && key.contains(request.as_str())
        };
        assert_eq!(found.iter().filter(|of| is_it(of)).count(), 1, "{found:?}");
    }
    assert_eq!(found.len(), 2, "{found:?}");
    "AssignedValue, Bucket".to_owned()
}

/// Alters a revision and the head row by hand, each for itself; what is found, if it is that alone.
async fn alter_rows(store: &TestStore) -> String {
    let unbroken = verify(store, 0, &["--history"]);
    assert_eq!(unbroken["late"], Value::Array(Vec::new()));
    let rows = store.rows().await;
    let all = rows.scan(Scan::prefix("")).await.unwrap();
    rows.close().await;
    let of_flag = format!("#REVISION#FLAGTYPE#data#FLAGNAME#{NAME}#");
    let revisions = all.iter().filter(|row| row.key_text().contains(&of_flag));
    let revisions: Vec<&Row> = revisions.collect();
    let mut heads = all.iter();
    let head = heads.find(|row| row.key_text().ends_with("#HEAD")).unwrap();
    let older = revisions[4].key_text();
    let older = older.rsplit('#').next().unwrap().as_bytes();
    let in_head = format!("data/{NAME}");
    let mut named = Vec::new();
    for (row, column, text, number) in [
        (revisions[7], "Comment", &b"altered"[..], 8),
        (head, &*in_head, older, revisions.len()),
    ] {
        let was = alter(store, &row.key, column, text).await;
        let found = verify(store, 7, &["--history"]);
        let broken = found["broken"].as_array().unwrap();
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert_eq!(broken[0]["name"], NAME);
        assert_eq!(broken[0]["revision"], format!("r{number}"));
        named.push(broken[0]["revision"].to_string());
        alter(store, &row.key, column, &was).await;
        assert_eq!(verify(store, 0, &["--history"]), unbroken);
    }
    named.join(", ")
}

/// Verifies; alters by hand, and verifies again.
async fn prove(store: &TestStore, caused: &Staleness, row: &report::Row) {
    let report = verify(store, 0, &[]);
    let exposures = report["exposures"].as_u64().unwrap();
    assert_eq!(report["findings"], Value::Array(Vec::new()));
    let flags = report["flags"].as_array().unwrap().iter();
    let flag = flags.clone().find(|flag| flag["name"] == NAME).unwrap();
    let stale = check_staleness(&flag["stale"], caused);
    let rows = alter_rows(store).await;
    let logged = alter_exposures(store).await;
    row.report(
        &format!("{exposures} exposures; {stale}; found: {logged}, and of the rows {rows}"),
        (exposures >= 100_000).into(),
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn an_altered_value_and_an_altered_bucket_are_found_in_local_files() {
    let store = TestStore::embedded();
    let caused = answers_over_revisions(&store, &store, Behind::Slow).await;
    let row = report::Row {
        fault: "Local files: of 100,000 answers of three replicas over 20 revisions, one killed, one not looking for changes for three of them, a value and \
                a bucket are altered by hand; and a revision and the head row",
        goal: "`flagctl verify` finds nothing before, names the staleness, and finds each of these after, nothing else",
    };
    prove(&store, &caused, &row).await;
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
    let caused = answers_over_revisions(&store, &third, Behind::Cut(&network)).await;
    let row = report::Row {
        fault: "Bigtable: the same, and the third replica cannot reach its store for these three revisions",
        goal: "the same",
    };
    prove(&store, &caused, &row).await;
}

/// Appends exposures that the newest revision decides.
async fn fill(store: &TestStore) {
    let flag: FlagKey = format!("{PROJECT}/data/{NAME}").parse().unwrap();
    let flags = store.flags().await;
    let plan = Plan::compile(flags.newest_revision(&flag).await.unwrap().unwrap());
    let log = store.exposures().await;
    let mut created = plan.created().unix_micros();
    for number in 0..MANY / 2_000 {
        let mut batch = ExposureBatch::new(BatchId(number.into()), CellFormat::Json);
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
    let row = report::Row {
        fault: "Local files: `flagctl verify` of 4,000,000 exposures",
        goal: "500,000 in a second",
    };
    row.report(
        &format!("{rate} in a second, {took:.1?} in all"),
        (rate >= 500_000).into(),
    );
}
