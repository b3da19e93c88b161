//! Exposures when the log is slower than the answers, or the service is killed.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use flag_tests::{Load, Scrape, Service, TestStore};

const PROJECT: &str = "csr-assistant";

/// How long a scrape may take to show what is awaited.
const SOON: Duration = Duration::from_secs(30);

fn directory(store: &TestStore) -> PathBuf {
    let TestStore::Embedded(folder) = store else {
        panic!("{store:?} has no directory");
    };
    folder.path().to_owned()
}

/// The requests in the log; each must be there once.
async fn requests(store: &TestStore) -> HashSet<String> {
    let log = store.logged(PROJECT).await;
    let requests: HashSet<_> = log.iter().map(|record| record.text().request_id).collect();
    assert_eq!(requests.len(), log.len(), "some are there twice");
    requests
}

/// What was produced, if the counts add up and nothing waits.
fn produced(scrape: &Scrape) -> f64 {
    let sum = |name: &str| scrape.sum(name, &[]);
    let produced = sum("flag_exposures_produced_total");
    let accounted = sum("flag_exposures_written_total")
        + sum("flag_exposures_dropped_total")
        + sum("flag_exposures_pending");
    assert!((produced - accounted).abs() < 0.5, "{}", scrape.text());
    produced
}

async fn until_written(service: &Service) {
    let is_written = |scrape: &Scrape| scrape.sum("flag_exposures_pending", &[]) < 0.5;
    service.scrape_until(SOON, is_written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_wait_no_answer_is_given_without_its_exposure() {
    let store = TestStore::embedded();
    let variables = [
        ("FLAG_EXPOSURE_OVERFLOW", "wait"),
        ("FLAG_EXPOSURE_QUEUE", "10"),
    ];
    let service = Service::start_with(&store, &["--demo"], &variables);
    let ask = async |instance: &str| service.ask(PROJECT, "data", "llm_provider", instance).await;
    let mut answered = HashSet::new();
    for instance in 0..100 {
        let reply = ask(&instance.to_string()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        answered.insert(reply.body["request_id"].as_str().unwrap().to_owned());
    }
    until_written(&service).await;

    // The log is away: ten exposures wait for it, and then requests.
    let directory = directory(&store);
    let elsewhere = directory.with_extension("elsewhere");
    fs::rename(&directory, &elsewhere).unwrap();
    let refused = loop {
        let reply = ask("A12345").await;
        if reply.status != 200 {
            break reply;
        }
        answered.insert(reply.body["request_id"].as_str().unwrap().to_owned());
    };
    let code = refused.body["code"].as_str().unwrap();
    assert_eq!((refused.status, code), (503, "overloaded"));
    assert_eq!(refused.headers["retry-after"], "1");
    let scrape = service.scrape().await;
    let refusals = |name, label| scrape.sum(name, &[label]);
    assert!(refusals("flag_exposure_waits_total", ("outcome", "refused")) > 0.5);
    assert!(refusals("flag_refused_requests_total", ("reason", "overloaded")) > 0.5);
    #[expect(clippy::cast_precision_loss, reason = "a few")]
    let expected = answered.len() as f64;
    assert!(
        (produced(&scrape) - expected).abs() < 0.5,
        "{expected}: {}",
        scrape.text()
    );

    fs::rename(&elsewhere, &directory).unwrap();
    until_written(&service).await;
    let reply = ask("A12345").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    answered.insert(reply.body["request_id"].as_str().unwrap().to_owned());
    assert!(service.stop().success());
    assert_eq!(requests(&store).await, answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_less_than_a_second_and_doubles_nothing() {
    for overflow in ["drop", "wait"] {
        let store = TestStore::embedded();
        kill_under_load(&store, overflow).await;
    }
}

/// Kills a service under load twice; each time the next one goes on with the same log.
async fn kill_under_load(store: &TestStore, overflow: &str) {
    const RATE: u64 = 2_000;
    let variables = [("FLAG_EXPOSURE_OVERFLOW", overflow)];
    let mut before = 0;
    for _ in 0..2 {
        let service = Service::start_with(store, &["--demo"], &variables);
        let url = service.url().to_owned();
        let load = Load {
            requests: 5 * RATE,
            connections: 16,
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            rate: Some(RATE as f64),
            path: |number| {
                format!(
                    "/get-feature-flag?project_name={PROJECT}&flag_type=data&flag_name=llm_provider&instance_id=i{number}"
                )
            },
        };
        let running = tokio::spawn(async move { load.run(&url).await });
        let is_busy = |scrape: &Scrape| produced(scrape) > 1_000.0;
        service.scrape_until(SOON, is_busy).await;
        service.signal("-KILL");
        drop(service);
        let answered = running.await.unwrap().count(200);
        let rows = requests(store).await.len() as u64 - before;
        assert!(
            rows + RATE >= answered,
            "{overflow}: {rows} of {answered} answers"
        );
        before += rows;
    }
    let service = Service::start_with(store, &[], &variables);
    let reply = service.ask(PROJECT, "data", "llm_provider", "A12345").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(service.stop().success());
    assert_eq!(requests(store).await.len() as u64, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_is_answered_when_the_service_stops() {
    let store = TestStore::embedded();
    let variables = [
        ("FLAG_EXPOSURE_OVERFLOW", "wait"),
        ("FLAG_EXPOSURE_QUEUE", "1"),
        ("FLAG_EXPOSURE_WAIT_MS", "2000"),
    ];
    let service = Service::start_with(&store, &["--demo"], &variables);
    let first = service.ask(PROJECT, "data", "llm_provider", "warm").await;
    assert_eq!(first.status, 200, "{first:?}");
    until_written(&service).await;
    let directory = directory(&store);
    let elsewhere = directory.with_extension("elsewhere");
    fs::rename(&directory, &elsewhere).unwrap();
    // The one that has room, and the one that waits.
    let kept = service.ask(PROJECT, "data", "llm_provider", "A").await;
    assert_eq!(kept.status, 200, "{kept:?}");
    let url = format!(
        "{}/get-feature-flag?project_name={PROJECT}&flag_type=data&flag_name=llm_provider&instance_id=B",
        service.url()
    );
    let waiting = tokio::spawn(reqwest::get(url));
    let waits = |scrape: &Scrape| scrape.sum("flag_exposures_requests_waiting", &[]) > 0.5;
    service.scrape_until(SOON, waits).await;
    service.signal("-TERM");
    fs::rename(&elsewhere, &directory).unwrap();
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert!(service.ended().success());
    assert_eq!(requests(&store).await.len(), 3);
}

/// The scheduling policies of the threads that write exposures; 5 is `SCHED_IDLE` (`man proc_pid_stat`).
#[cfg(target_os = "linux")]
fn policies(service: &Service) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", service.id())).unwrap();
    let stats = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("stat")));
    let policies = stats.filter_map(|stat| {
        let stat = stat.unwrap();
        let (name, fields) = stat.split_once('(')?.1.rsplit_once(") ")?;
        let is_writer = ["exposures", "exposures-write"].contains(&name);
        is_writer.then(|| fields.split(' ').nth(38).unwrap().to_owned())
    });
    policies.collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn exposures_step_back_for_requests_unless_requests_wait_for_them() {
    // Those of the background, and the one that callers wait for.
    for (overflow, expected) in [("drop", ["0", "5", "5"]), ("wait", ["0", "0", "0"])] {
        let store = TestStore::embedded();
        let variables = [("FLAG_EXPOSURE_OVERFLOW", overflow)];
        let service = Service::start_with(&store, &["--demo"], &variables);
        let reply = service.ask(PROJECT, "data", "llm_provider", "A").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        until_written(&service).await;
        let mut policies = policies(&service);
        policies.sort();
        assert_eq!(policies, expected, "{overflow}");
    }
}
