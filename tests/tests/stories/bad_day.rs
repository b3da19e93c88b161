//! Signals, clocks and settings that are not what a service hopes for.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use flag_tests::{Service, TestStore, flagctl};
use tempfile::TempDir;

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
    store.logged("csr-assistant").await.len() as u64
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

/// A clock that a test sets, for processes that are started with these variables.
pub(crate) struct Clock {
    folder: TempDir,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/clock.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(folder.path().join("clock.so"))
            .arg(source)
            .arg("-ldl")
            .status();
        assert!(built.unwrap().success());
        let clock = Self { folder };
        clock.set("");
        clock
    }

    /// Seconds since 1970, or nothing for the time as it is.
    pub(crate) fn set(&self, seconds: &str) {
        fs::write(self.folder.path().join("seconds"), seconds).unwrap();
    }

    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        let path = |name| self.folder.path().join(name).to_str().unwrap().to_owned();
        [
            ("LD_PRELOAD", path("clock.so")),
            ("FLAG_TEST_CLOCK", path("seconds")),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_out_of_range_fails_no_request_neither_then_nor_later() {
    for seconds in ["-86400", "253402300800"] {
        let (store, clock) = (TestStore::embedded(), Clock::new());
        let variables = clock.variables();
        let variables = variables
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let service = Service::start_with(&store, &["--demo"], &variables);
        assert_eq!(ask(&service, "before").await, 200);
        clock.set(seconds);
        // Each on a connection of its own; a first head may take 4 s by a clock that might stand still now.
        let ask_for = async |how_long: Duration, who: &str| {
            let began = Instant::now();
            while began.elapsed() < how_long {
                let [project, flag_type, name] = SAMPLE;
                let path = format!(
                    "/get-feature-flag?project_name={project}&flag_type={flag_type}&flag_name={name}&instance_id={who}"
                );
                let url = format!("{}{path}", service.url());
                let answer = flag_tests::new_connection().get(url).send().await.unwrap();
                assert_eq!(answer.status(), 200, "{seconds} {who}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        ask_for(Duration::from_secs(2), "during").await;
        clock.set("");
        ask_for(Duration::from_secs(6), "after").await;
        assert!(!service.log().contains("panicked"), "{}", service.log());
        let produced = produced(&service).await;
        assert!(service.stop().success());
        assert_eq!(produced, logged(&store).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_flags_is_a_warning_that_names_it() {
    let store = TestStore::embedded();
    let service = Service::start(&store);
    let log = service.log();
    let first = log.lines().next().unwrap();
    assert!(
        first.contains("starting") && first.contains("embedded store in"),
        "{log}"
    );
    let began = Instant::now();
    while !service.log().contains("the store holds no flags") {
        assert!(began.elapsed() < PATIENCE, "{}", service.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ready = service.get("/readyz", &[]).await;
    let warning = ready.body["warning"].as_str();
    assert_eq!(
        (ready.status, warning),
        (200, Some("the store holds no flags"))
    );
    let [project, flag_type, name] = SAMPLE;
    flagctl(
        &store,
        &["add", project, flag_type, name, "--description=x"],
    );
    let began = Instant::now();
    while !service.get("/readyz", &[]).await.body["warning"].is_null() {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

mod on_bigtable {
    use super::*;

    /// With the variables of the Python service, and no others.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_environment_of_the_reference_serves_its_tables() {
        let store = TestStore::bigtable();
        let demo = Service::start_with(&store, &["--demo"], &[]);
        assert_eq!(ask(&demo, "A").await, 200);
        let service = Service::start_with(&store, &[], &[("FLAG_STORE", "")]);
        assert!(
            service.greeting.contains("Bigtable table"),
            "{}",
            service.greeting
        );
        let log = service.log();
        let first = log.lines().next().unwrap();
        assert!(first.contains("because bigtable-instance is set"), "{log}");
        assert_eq!(ask(&service, "A").await, 200);
        assert!(service.get("/readyz", &[]).await.body["warning"].is_null());
    }
}
