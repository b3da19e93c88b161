//! The past is proved: what was served is decided again, and what was altered is found.

use std::time::{Duration, Instant};

use flag_model::{Bucket, FlagValue};
use flag_store::Exposure;
use flag_tests::{Method, Service, TestStore, flagctl, flagctl_with, on_both_stores};
use serde_json::Value;

pub(crate) const PROJECT: &str = "csr-assistant";
pub(crate) const NAME: &str = "llm_provider";

const REPLICAS: usize = 3;
const REVISIONS: usize = 4;
const INSTANCES: usize = 25;

on_both_stores!(
    what_was_served_is_proved_and_what_was_altered_is_found,
    hashed_ids_are_verified_with_key_and_ids,
);

/// The report of `flagctl verify`, which ends with this code.
#[track_caller]
pub(crate) fn verify(store: &TestStore, code: i32, options: &[&str]) -> Value {
    verify_with(store, &[], code, options)
}

#[track_caller]
fn verify_with(
    store: &TestStore,
    variables: &[(&str, String)],
    code: i32,
    options: &[&str],
) -> Value {
    let words = [&["verify", PROJECT, "-ojson"], options].concat();
    let output = flagctl_with(store, variables, &words);
    assert_eq!(output.code, code, "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

/// Gives the flag another control value and percentage.
pub(crate) fn revise(store: &TestStore, round: usize) {
    let (control, percent) = (format!("v{round}"), (10 + round * 4).to_string());
    let words = ["revise", PROJECT, "data", NAME, "--control", &control];
    let more = ["--percent", &percent, "-m", "more", "--yes", "--yes-i-mean"];
    let output = flagctl(store, &[&words[..], &more, &[NAME]].concat());
    assert_eq!(output.code, 0, "{output:?}");
}

/// Asks until the newest revision is served; every answer is logged.
pub(crate) async fn until_served(service: &Service, round: usize) {
    let began = Instant::now();
    for number in 0.. {
        // Some of them have the control value.
        let instance = format!("W{}", number % 50);
        let reply = service.ask(PROJECT, "data", NAME, &instance).await;
        if reply.body["flag_value"] == format!("v{round}") {
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{reply:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The key of an exposure that has a bucket.
pub(crate) async fn keys_with_buckets(store: &TestStore) -> Vec<String> {
    let logged = store.logged(PROJECT).await;
    let logged = logged.iter().map(flag_store::ExposureRecord::text);
    let with_bucket = logged.filter(|exposure| exposure.bucket.is_some());
    with_bucket.map(|exposure| exposure.key).collect()
}

pub(crate) fn another_value(exposure: &mut Exposure<'_>) {
    exposure.value = std::borrow::Cow::Owned(FlagValue::text("altered").unwrap());
}

pub(crate) fn another_bucket(exposure: &mut Exposure<'_>) {
    let bucket = exposure.bucket.unwrap().get();
    exposure.bucket = Bucket::new((bucket + 1) % 100_000);
}

/// Each finding with its column and the key that begins like its exposure.
pub(crate) fn findings(report: &Value) -> Vec<(String, String, String)> {
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.map(|finding| {
        let of = |field| text(finding, field);
        (of("kind"), of("what"), of("request_id"))
    });
    findings.collect()
}

async fn what_was_served_is_proved_and_what_was_altered_is_found(store: TestStore) {
    let variables = [("FLAG_CHANGE_POLL_MS", "50")];
    let replicas = (0..REPLICAS).map(|replica| {
        let demo: &[&str] = if replica == 0 { &["--demo"] } else { &[] };
        Service::start_with(&store, demo, &variables)
    });
    let services: Vec<_> = replicas.collect();
    for round in 1..=REVISIONS {
        revise(&store, round);
        for service in &services {
            until_served(service, round).await;
            for instance in 0..INSTANCES {
                let instance = format!("A{instance}");
                let reply = service.ask(PROJECT, "data", NAME, &instance).await;
                assert_eq!(reply.status, 200, "{reply:?}");
            }
        }
    }
    let explained = explain(&services[0], "A0", None).await;
    assert_eq!(explained["flag_name"], NAME);
    for service in services {
        assert!(service.stop().success());
    }
    let report = verify(&store, 0, &[]);
    let logged = store.logged(PROJECT).await.len();
    assert!(logged >= REPLICAS * REVISIONS * INSTANCES);
    assert_eq!(report["exposures"], logged);
    assert_eq!(report["findings"], Value::Array(Vec::new()));
    let flag = &report["flags"][0];
    assert_eq!(
        (&flag["name"], &flag["agree"]),
        (&NAME.into(), &logged.into())
    );
    assert!(flag["splits"].as_array().unwrap().len() >= REVISIONS);

    let keys = keys_with_buckets(&store).await;
    let (value, bucket) = (&keys[3], &keys[keys.len() - 3]);
    store.alter_exposure(PROJECT, value, another_value).await;
    store.alter_exposure(PROJECT, bucket, another_bucket).await;
    let report = verify(&store, 7, &["data/llm_provider"]);
    assert_eq!(report["decided_otherwise"], 2);
    let found = findings(&report);
    for (key, column) in [(value, "AssignedValue"), (bucket, "Bucket")] {
        let is_it = |(kind, what, request): &(String, String, String)| {
            kind == "decided_otherwise" && what == column && key.contains(request.as_str())
        };
        assert_eq!(found.iter().filter(|of| is_it(of)).count(), 1, "{found:?}");
    }
    assert_eq!(found.len(), 2, "{found:?}");
}

/// What the service explains.
async fn explain(service: &Service, instance: &str, at: Option<&str>) -> Value {
    let path = format!("/projects/{PROJECT}/flags/data/{NAME}/explain");
    let mut query = vec![("instance_id", instance)];
    query.extend(at.map(|at| ("at", at)));
    let reply = service.get(&path, &query).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body
}

async fn hashed_ids_are_verified_with_key_and_ids(store: TestStore) {
    let key = "0123456789abcdef0123456789abcdef";
    let hashed = [
        ("FLAG_LOG_INSTANCE_ID", "hashed"),
        ("FLAG_LOG_INSTANCE_ID_KEY", key),
    ];
    let service = Service::start_with(&store, &["--demo"], &hashed);
    for instance in ["A12345", "B", "C"] {
        let reply = service.ask(PROJECT, "data", NAME, instance).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    assert!(service.stop().success());
    let count = |report: &Value| {
        let flag = &report["flags"][0];
        [&flag["agree"], &flag["hashed"]].map(|count| count.as_u64().unwrap())
    };
    // Without the key an override is like any other id.
    assert_eq!(count(&verify(&store, 0, &[])), [0, 3]);
    let hashed = hashed.map(|(name, value)| (name, value.to_owned()));
    let known = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(known.path(), "B\n").unwrap();
    let file = known.path().to_str().unwrap();
    assert_eq!(count(&verify_with(&store, &hashed, 0, &[])), [1, 2]);
    let with_ids = verify_with(&store, &hashed, 0, &["--ids", file]);
    assert_eq!(count(&with_ids), [2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_has_what_was_decided_and_what_was_served() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let reply = service.ask(PROJECT, "data", NAME, "B").await;
    let served = reply.body["flag_value"].clone();
    let began = Instant::now();
    let explained = loop {
        let explained = explain(&service, "B", None).await;
        if !explained["served"].as_array().unwrap().is_empty() {
            break explained;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{explained}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(explained["flag_value"], served);
    assert_eq!(explained["agrees"], true);
    let answer = &explained["served"][0];
    assert_eq!(answer["request_id"], reply.body["request_id"]);
    assert_eq!(answer["revision_time"], explained["revision_time"]);
    assert!(explained["bucket"].is_u64(), "{explained}");
    assert!(
        !explained["treatments"][0]["ranges"]
            .as_array()
            .unwrap()
            .is_empty()
    );

    let made = explained["revision_time"].as_str().unwrap();
    assert_eq!(explain(&service, "B", Some(made)).await["at"], made);
    let path = format!("/projects/{PROJECT}/flags/data/{NAME}/explain");
    for (path, query, status) in [
        (
            &*path,
            &[("instance_id", "B"), ("at", "9000-01-01 00:00:00")][..],
            400,
        ),
        (
            &path,
            &[("instance_id", "B"), ("at", "1990-01-01 00:00:00")],
            404,
        ),
        (&path, &[], 400),
        (
            &path.replace("/data/", "/other/"),
            &[("instance_id", "B")],
            400,
        ),
        (&path.replace(NAME, "nothing"), &[("instance_id", "B")], 404),
    ] {
        assert_eq!(
            service.get(path, query).await.status,
            status,
            "{path} {query:?}"
        );
    }
    let post = service.request(Method::POST, &path).send().await.unwrap();
    assert_eq!(post.status().as_u16(), 405);

    let words = ["explain", PROJECT, "data", NAME, "B", "--served", "-ojson"];
    let by_command: Value = serde_json::from_str(&flagctl(&store, &words).stdout).unwrap();
    assert_eq!(
        by_command["served"][0]["request_id"],
        reply.body["request_id"]
    );
    assert_eq!(by_command["agrees"], true);
}
