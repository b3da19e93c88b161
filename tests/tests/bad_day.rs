//! Signals that no service hopes for.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::process::Command;
use std::time::{Duration, Instant};

use flag_store::{Scan, Table};
use flag_tests::{Service, TestStore};

/// Longer than whatever is waited for, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

const SAMPLE: [&str; 3] = ["csr-assistant", "feature", "multi_step_api_router"];

/// Asks for a sample flag; the status.
async fn ask(service: &Service, instance: &str) -> u16 {
    let [project, flag_type, name] = SAMPLE;
    service.ask(project, flag_type, name, instance).await.status
}

async fn produced(service: &Service) -> u64 {
    service.metric("flag_exposures_produced_total").await
}

async fn logged(store: &TestStore) -> u64 {
    let rows = store.rows().await;
    let keys = rows.keys(Table::Exposures, Scan::prefix("")).await;
    rows.close().await;
    keys.unwrap().len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_closed_stops_the_service_and_loses_nothing() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    for instance in 0..300 {
        assert_eq!(ask(&service, &format!("A{instance}")).await, 200);
    }
    let produced = produced(&service).await;
    service.signal("-HUP");
    assert!(service.ended().success());
    assert_eq!((produced, logged(&store).await), (300, 300));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_may_not_grow_fail_the_write_and_nothing_else() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let limit = |bytes: &str| {
        let limit = format!("--fsize={bytes}");
        let process = service.id().to_string();
        let mut prlimit = Command::new("prlimit");
        let limited = prlimit.args(["--pid", &process, &limit]).status();
        assert!(limited.unwrap().success());
    };
    limit("16384:unlimited");
    for instance in 0..300 {
        assert_eq!(ask(&service, &format!("A{instance}")).await, 200);
    }
    let began = Instant::now();
    while service
        .metric("flag_exposure_batches_total{outcome=\"failed\"}")
        .await
        == 0
    {
        assert!(began.elapsed() < PATIENCE, "{}", service.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    limit("unlimited:unlimited");
    let produced = produced(&service).await;
    assert!(service.stop().success());
    assert_eq!((produced, logged(&store).await), (300, 300));
}
