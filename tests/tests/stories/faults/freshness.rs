//! Changes reach every replica.

use std::time::{Duration, Instant};

use fastrand::Rng;
use flag_tests::{Service, TestStore, flagctl};
use tokio::time::sleep;

use super::report::{Row, Verdict};

const CHANGES: u32 = 200;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn changes_in_the_embedded_store_reach_three_replicas() {
    measure(
        TestStore::embedded(),
        "200 changes by flagctl, three replicas on one embedded store",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_changes_reach_three_replicas() {
    measure(
        TestStore::bigtable(),
        "200 changes by flagctl, three replicas on one Bigtable emulator",
    )
    .await;
}

async fn measure(store: TestStore, fault: &'static str) {
    let replicas = [0, 1, 2].map(|_| Service::start_with(&store, &["--demo"], &[]));
    for replica in &replicas {
        until_served(replica, "4.1").await;
    }
    let mut lasted = Vec::new();
    let mut random = Rng::with_seed(1);
    for change in 0..CHANGES {
        let version = format!("5.{change}");
        let words = [
            "revise",
            "csr-assistant",
            "data",
            "llm_version",
            "--control",
            &version,
            "--comment",
            "next",
            "--yes",
            "--yes-i-mean",
            "llm_version",
        ];
        let began = Instant::now();
        assert_eq!(flagctl(&store, &words).code, 0);
        for replica in &replicas {
            until_served(replica, &version).await;
        }
        lasted.push(began.elapsed());
        // Changes come at any moment of the polls.
        sleep(Duration::from_millis(random.u64(0..500))).await;
    }
    lasted.sort_unstable();
    let (median, p99, worst) = (
        lasted[lasted.len() / 2],
        lasted[lasted.len() * 99 / 100],
        lasted[lasted.len() - 1],
    );
    Row {
        fault,
        goal: "served by every replica within 1 s (p99)",
    }
    .report(
        &format!(
            "p50 {} ms, p99 {} ms, worst {} ms, from the start of the command to the last replica",
            median.as_millis(),
            p99.as_millis(),
            worst.as_millis()
        ),
        Verdict::from(p99 <= Duration::from_secs(1)),
    );
}

async fn until_served(replica: &Service, version: &str) {
    loop {
        let reply = replica
            .ask("csr-assistant", "data", "llm_version", "B1")
            .await;
        if reply.body["flag_value"] == version {
            return;
        }
        sleep(Duration::from_millis(2)).await;
    }
}
