//! Figures of the exposure log, which take long or depend on the machine: run by name, with `--run-ignored only`.
//!
//! `FLAG_TEST_BIN_DIR` says which build is measured.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "measurements"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flag_tests::{Service, TestStore};
use serde_json::Value;
use tokio::task::JoinSet;

const PROJECT: &str = "csr-assistant";

/// An answer: its request id, and when it came.
type Answer = (String, Instant);

/// Asks from four connections until the service is gone.
fn load(service: &Service) -> JoinSet<Vec<Answer>> {
    let mut load = JoinSet::new();
    for client in 0..4 {
        let url = format!(
            "{}/get-feature-flag?project_name={PROJECT}&flag_type=data&flag_name=llm_provider&instance_id=c{client}",
            service.url()
        );
        load.spawn(async move {
            let http = reqwest::Client::new();
            let mut answers = Vec::new();
            while let Ok(response) = http.get(&url).send().await {
                let Ok(reply) = response.json::<Value>().await else {
                    break;
                };
                let id = reply["request_id"].as_str().unwrap().to_owned();
                answers.push((id, Instant::now()));
            }
            answers
        });
    }
    load
}

/// Has a service answered questions for a moment, sends it the signal, and says when that was, how long it took to
/// end, and which answers it had given.
async fn round(store: &TestStore, signal: &'static str) -> (Instant, Duration, Vec<Answer>) {
    let service = Service::start(store);
    let load = load(&service);
    tokio::time::sleep(Duration::from_millis(500 + fastrand::u64(..500))).await;
    let told = Instant::now();
    service.signal(signal);
    let status = tokio::task::spawn_blocking(|| service.ended())
        .await
        .unwrap();
    let ended = told.elapsed();
    assert_eq!(status.success(), signal == "-TERM", "{status}");
    (told, ended, load.join_all().await.concat())
}

/// The answers that are not in the log.
async fn missing(store: &TestStore, answers: Vec<Answer>) -> Vec<Answer> {
    let log = store.logged(PROJECT).await.into_iter();
    let logged: BTreeSet<String> = log.map(|record| record.text().request_id).collect();
    let missing = answers.into_iter().filter(|(id, _)| !logged.contains(id));
    missing.collect()
}

async fn measure(make: fn() -> TestStore, signal: &'static str, rounds: usize) {
    let (mut answered, mut longest, mut oldest) = (0, Duration::ZERO, Duration::ZERO);
    let mut lost = 0;
    for _ in 0..rounds {
        let store = make();
        Service::start_with(&store, &["--demo"], &[]).stop();
        let (told, ended, answers) = round(&store, signal).await;
        answered += answers.len();
        longest = longest.max(ended);
        for (_, at) in missing(&store, answers).await {
            lost += 1;
            oldest = oldest.max(told.saturating_duration_since(at));
        }
    }
    println!(
        "{signal} {rounds} times: {answered} answers, {lost} without a row, the oldest {oldest:?} before; ended within {longest:?}"
    );
    if signal == "-TERM" {
        assert_eq!(lost, 0);
    }
    assert!(oldest < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn sigterm_a_hundred_times_on_embedded() {
    measure(TestStore::embedded, "-TERM", 100).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn sigkill_on_embedded() {
    measure(TestStore::embedded, "-KILL", 20).await;
}

mod on_bigtable {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "takes minutes"]
    async fn sigterm_a_hundred_times() {
        measure(TestStore::bigtable, "-TERM", 100).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "takes minutes"]
    async fn sigkill() {
        measure(TestStore::bigtable, "-KILL", 20).await;
    }
}
