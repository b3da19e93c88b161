//! A store that was restored to an older state, in which the newest revision of a flag is gone.

use std::time::{Duration, Instant};

use flag_tests::{Emulator, EventStream, Proxy, Service, TestStore, flagctl};
use tempfile::TempDir;
use tokio::time::sleep;

use super::report::{Row, Verdict};

const PROJECT: &str = "csr-assistant";
const FLAG: &str = "llm_version";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn an_embedded_store_goes_back() {
    let (store, folder) = (TestStore::embedded(), TempDir::new().unwrap());
    let backup = folder.path().join("backup");
    let backup = backup.to_str().unwrap();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let mut stream = until_watched(&service).await;
    does(&store, &["backup", backup]);
    change(&store, &service, &mut stream).await;
    let began = Instant::now();
    does(&store, &["restore-backup", backup, "--replace"]);
    let fault = "the embedded store is restored to an older state, newest revision gone";
    report(fault, began, &service, stream).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_a_store_goes_back() {
    let emulator = Emulator::start();
    let network = Proxy::to(emulator.address()).await;
    let seen = TestStore::at(network.address());
    let service = Service::start_with(&seen, &["--demo"], &[]);
    let mut stream = until_watched(&service).await;
    let (store, older, kept) = (
        beside(&seen, &emulator),
        Emulator::start(),
        TestStore::embedded(),
    );
    copy(&store, &store, &kept);
    let restored = beside(&seen, &older);
    copy(&restored, &kept, &restored);
    change(&store, &service, &mut stream).await;
    let (began, address) = (Instant::now(), network.address());
    network.cut().await;
    let _network = Proxy::at(&address, older.address()).await;
    let fault = "the Bigtable emulator is replaced by one of an older state, newest revision gone";
    report(fault, began, &service, stream).await;
}

/// The same store, reached past the network.
fn beside(store: &TestStore, emulator: &Emulator) -> TestStore {
    let TestStore::Bigtable { instance, .. } = store else {
        panic!("{store:?}");
    };
    TestStore::Bigtable {
        emulator: emulator.address().to_owned(),
        instance: instance.clone(),
    }
}

/// Copies the flags, with the connection of a store.
fn copy(by: &TestStore, from: &TestStore, to: &TestStore) {
    let named = |store: &TestStore| match store {
        TestStore::Embedded(folder) => format!("embedded:{}", folder.path().display()),
        TestStore::Bigtable { instance, .. } => format!("bigtable:test-project/{instance}"),
    };
    let (from, to) = (named(from), named(to));
    does(by, &["copy", PROJECT, "--from", &from, "--to", &to]);
}

fn does(store: &TestStore, words: &[&str]) {
    let done = flagctl(store, words);
    assert_eq!(done.code, 0, "{done:?}");
}

async fn value(service: &Service) -> String {
    let reply = service.ask(PROJECT, "data", FLAG, "B").await;
    reply.body["flag_value"].as_str().unwrap().to_owned()
}

async fn until_watched(service: &Service) -> EventStream {
    assert_eq!(value(service).await, "4.1");
    let mut stream = EventStream::open(service, PROJECT, &[]).await.unwrap();
    stream.event().await.unwrap();
    stream
}

/// Gives the flag another value; returns when that was announced twice.
async fn change(store: &TestStore, service: &Service, stream: &mut EventStream) {
    let flag = ["revise", PROJECT, "data", FLAG, "--control", "5"];
    let options = ["--comment", "next", "--yes", "--yes-i-mean", FLAG];
    does(store, &[&flag[..], &options].concat());
    for _ in 0..2 {
        while stream.event().await.unwrap().flags.is_empty() {}
    }
    assert_eq!(value(service).await, "5");
}

async fn report(fault: &'static str, began: Instant, service: &Service, mut stream: EventStream) {
    let pushed = async {
        // What is gone is not named.
        while !stream.event().await.unwrap().flags.is_empty() {}
        began.elapsed()
    };
    let served = async {
        while value(service).await != "4.1" {
            sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    };
    let told = async {
        while service.get("/readyz", &[]).await.body["restored_projects"] != 1 {
            sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    };
    let (pushed, served, told) = tokio::join!(pushed, served, told);
    let goal = "served, pushed and told by `/readyz` within 2 s";
    Row { fault, goal }.report(
        &format!(
            "served after {} ms, pushed after {} ms, told after {} ms, from the start of the restoration",
            served.as_millis(),
            pushed.as_millis(),
            told.as_millis()
        ),
        Verdict::from(served.max(pushed).max(told) <= Duration::from_secs(2)),
    );
}
