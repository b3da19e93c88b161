//! How soon a change is served, by every replica.

use std::time::{Duration, Instant};

use flag_store::{Cells, Row};
use flag_tests::{Service, TestStore, flagctl, on_both_stores, soon};

const PROJECT: &str = "csr-assistant";
const FLAG: &str = "llm_version";

/// Longer than whatever is waited for, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

on_both_stores!(
    a_change_is_served_by_every_replica,
    a_new_flag_is_served_though_it_was_unknown,
    a_flag_that_cannot_be_read_fails_alone_until_it_is_rolled_back,
    a_flood_of_unknown_flags_hardly_reaches_the_store,
);

/// Replicas over one store, the first of which has put the sample flags there.
fn replicas(store: &TestStore) -> Vec<Service> {
    let options: [&[&str]; 3] = [&["--demo"], &[], &[]];
    options
        .map(|options| Service::start_with(store, options, &[]))
        .into()
}

fn revise(store: &TestStore, name: &str, control: &str) {
    let flag = ["revise", PROJECT, "data", name];
    let options = ["--control", control, "--comment", "For the test"];
    let meant = ["--yes", "--yes-i-mean", name];
    let revised = flagctl(store, &[&flag[..], &options, &meant].concat());
    assert_eq!(revised.code, 0, "{revised:?}");
}

async fn value(service: &Service, name: &str) -> String {
    let reply = service.ask(PROJECT, "data", name, "B").await;
    match reply.body["flag_value"].as_str() {
        Some(value) => value.to_owned(),
        None => reply.body["code"].as_str().unwrap().to_owned(),
    }
}

/// Asks until the flag has this value, or fails with this code; how long that took.
async fn wait_for(service: &Service, name: &str, wanted: &str) -> Duration {
    let began = Instant::now();
    loop {
        let found = value(service, name).await;
        if found == wanted {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "{name} is {found}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn a_change_is_served_by_every_replica(store: TestStore) {
    let replicas = replicas(&store);
    for replica in &replicas {
        assert_eq!(value(replica, FLAG).await, "4.1");
    }
    revise(&store, FLAG, "5");
    for replica in &replicas {
        wait_for(replica, FLAG, "5").await;
        assert_eq!(replica.metric("flag_propagation_seconds_count").await, 1);
    }
}

async fn a_new_flag_is_served_though_it_was_unknown(store: TestStore) {
    let service = Service::start(&store);
    assert_eq!(value(&service, "new_one").await, "flag_not_found");
    let add = ["add", PROJECT, "data", "new_one", "--description", "New"];
    let added = flagctl(&store, &[&add[..], &["--yes"]].concat());
    assert_eq!(added.code, 0, "{added:?}");
    revise(&store, "new_one", "here");
    wait_for(&service, "new_one", "here").await;
}

async fn a_flag_that_cannot_be_read_fails_alone_until_it_is_rolled_back(store: TestStore) {
    let service = Service::start_with(
        &store,
        &["--demo"],
        // A lifetime of 1.2 s: nobody tells of this row.
        &[("FEATURE_FLAG_CACHE_TTL_MINUTES", "0.02")],
    );
    assert_eq!(value(&service, FLAG).await, "4.1");
    let key = format!(
        "PROJECT#{PROJECT}#ROWTYPE#REVISION#FLAGTYPE#data#FLAGNAME#{FLAG}#TIME#{}",
        soon()
    );
    let row = Row {
        key: key.into(),
        cells: Cells::default().with("Name", FLAG),
    };
    store.leave(&[row]).await;
    wait_for(&service, FLAG, "invalid_flag_data").await;
    let named = format!("flag_unreadable{{flag=\"{PROJECT}/data/{FLAG}\"}}");
    assert_eq!(service.metric(&named).await, 1);
    assert_eq!(value(&service, "llm_provider").await.len(), 6);

    let rollback = ["rollback", PROJECT, "data", FLAG, "--yes"];
    let rolled_back = flagctl(&store, &[&rollback[..], &["--yes-i-mean", FLAG]].concat());
    assert_eq!(rolled_back.code, 0, "{rolled_back:?}");
    wait_for(&service, FLAG, "4.1").await;
}

async fn a_flood_of_unknown_flags_hardly_reaches_the_store(store: TestStore) {
    let service = Service::start_with(&store, &["--demo"], &[]);
    let calls = async || {
        let mut calls = 0;
        for operation in ["scan", "keys"] {
            let name =
                format!("flag_store_calls_total{{operation=\"{operation}\",outcome=\"ok\"}}");
            calls += service.metric(&name).await;
        }
        calls
    };
    let before = calls().await;
    let began = Instant::now();
    for n in 0..2_000 {
        let name = format!("unknown_{n}");
        assert_eq!(value(&service, &name).await, "flag_not_found");
    }
    // A burst of cold reads, and then ten a second, and as many pages of keys.
    let max = 64 + 20 * (1 + began.elapsed().as_secs());
    let made = calls().await - before;
    assert!(made <= max, "{made} calls, expected {max} at most");
    assert_eq!(value(&service, FLAG).await, "4.1");
}
