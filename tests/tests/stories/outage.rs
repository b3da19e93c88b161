//! What callers see while the store is away.

use std::time::{Duration, Instant};

use flag_tests::{Method, Proxy, Reply, Service, TestStore, flagctl};

/// A lifetime of 1.2 s, so that it ends within a test.
const SHORT_LIFETIME: (&str, &str) = ("FEATURE_FLAG_CACHE_TTL_MINUTES", "0.02");

/// Longer than whatever is waited for, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store behind a network that can fail, and the address of the store itself.
async fn network() -> (TestStore, Proxy, String) {
    let TestStore::Bigtable { emulator, .. } = TestStore::bigtable() else {
        panic!("another store")
    };
    let network = Proxy::to(&emulator).await;
    (TestStore::at(network.address()), network, emulator)
}

/// A service whose store lies behind a network that can fail, with one flag read and all others not.
async fn service(variables: &[(&str, &str)]) -> (Service, Proxy) {
    let (store, network, _) = network().await;
    let service = Service::start_with(&store, &["--demo"], variables);
    assert_eq!(ask(&service, "llm_version").await.status, 200);
    (service, network)
}

async fn ask(service: &Service, name: &str) -> Reply {
    service.ask("csr-assistant", "data", name, "A12345").await
}

fn is_stale(reply: &Reply) -> bool {
    reply
        .headers
        .get("cache-status")
        .is_some_and(|status| status == "stale")
}

/// Asks until the answer is as wanted.
async fn ask_until(service: &Service, name: &str, is_wanted: impl Fn(&Reply) -> bool) -> Reply {
    let began = Instant::now();
    loop {
        let reply = ask(service, name).await;
        if is_wanted(&reply) {
            return reply;
        }
        assert!(began.elapsed() < PATIENCE, "{reply:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

mod on_bigtable {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_is_silent_is_a_timeout_and_warm_flags_are_served() {
        let (service, network) = service(&[]).await;
        network.fall_silent();
        let asked = Instant::now();
        let reply = ask(&service, "llm_provider").await;
        assert_eq!(
            (reply.status, &reply.body["code"]),
            (504, &"timeout".into())
        );
        assert_eq!(
            reply.body["detail"],
            "Timeout error occurred for: csr-assistant/data/llm_provider"
        );
        // The deadline is 2 s; this bound is for a busy machine.
        assert!(asked.elapsed() < Duration::from_secs(10));
        assert_eq!(ask(&service, "llm_version").await.status, 200);
        let ready = service.get("/readyz", &[]).await;
        assert_eq!(ready.status, 200, "{ready:?}");
        assert_eq!(ready.body["status"], "ready");
        assert!(["timeout", "unavailable"].contains(&ready.body["store"].as_str().unwrap()));
        assert_eq!(ready.body["servable_flags"], 1);
        assert_eq!(service.get("/livez", &[]).await.status, 200);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_is_gone_is_unavailable_and_warm_flags_are_served() {
        let (service, network) = service(&[("FLAG_STORE_DEADLINE_MS", "200")]).await;
        network.cut().await;
        // The first answers may still be a wait for what was under way.
        let reply = ask_until(&service, "llm_provider", |reply| reply.status == 503).await;
        assert_eq!(
            (&reply.body["code"], &reply.headers["retry-after"]),
            (&"store_unavailable".into(), &"1".parse().unwrap())
        );
        let warm = ask(&service, "llm_version").await;
        assert_eq!((warm.status, is_stale(&warm)), (200, false));
        assert_eq!(service.get("/readyz", &[]).await.status, 200);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_comes_back_is_asked_again() {
        let (service, network) = service(&[]).await;
        network.fall_silent();
        assert_eq!(ask(&service, "llm_provider").await.status, 504);
        network.speak_again();
        ask_until(&service, "llm_provider", |reply| reply.status == 200).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_value_is_served_on_marked_stale_until_the_store_is_back() {
        let (store, network, emulator) = network().await;
        let variables = [SHORT_LIFETIME, ("FLAG_STORE_DEADLINE_MS", "200")];
        let service = Service::start_with(&store, &["--demo"], &variables);
        ask(&service, "llm_version").await;
        let address = network.address();
        network.cut().await;
        let reply = ask_until(&service, "llm_version", |reply| {
            assert_eq!(reply.status, 200, "{reply:?}");
            is_stale(reply)
        })
        .await;
        assert_eq!(reply.body["flag_value"], "4.1");
        assert_eq!(service.metric("flag_stale_flags").await, 1);
        let ready = service.get("/readyz", &[]).await;
        assert_eq!((ready.status, &ready.body["stale_flags"]), (200, &1.into()));

        let _network = Proxy::at(&address, &emulator).await;
        let options = ["--control", "5", "--comment", "Newer"];
        let meant = ["--yes", "--yes-i-mean", "llm_version"];
        let revise = ["revise", "csr-assistant", "data", "llm_version"];
        let revised = flagctl(&store, &[&revise[..], &options, &meant].concat());
        assert_eq!(revised.code, 0, "{revised:?}");
        let reply = ask_until(&service, "llm_version", |reply| {
            reply.body["flag_value"] == "5"
        })
        .await;
        assert!(!is_stale(&reply));
        assert_eq!(service.metric("flag_stale_flags").await, 0);
        let circuit = "flag_store_circuit_open{circuit=\"reads\"}";
        assert_eq!(service.metric(circuit).await, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ofrep_says_which_values_are_the_last_known_ones() {
        let variables = [SHORT_LIFETIME, ("FLAG_STORE_DEADLINE_MS", "200")];
        let (service, network) = service(&variables).await;
        let fresh = service.send(service.ofrep("", "A12345")).await;
        assert_eq!(fresh.body["flags"].as_array().unwrap().len(), 3);
        network.cut().await;
        ask_until(&service, "llm_version", is_stale).await;
        let one = service.evaluate("llm_version", "A12345").await.body;
        assert_eq!(
            (&one["value"], &one["reason"]),
            (&"4.1".into(), &"STATIC".into())
        );
        assert_eq!(one["metadata"]["status"], "STALE");
        // Each flag is stale once its own lifetime is over.
        let all = loop {
            let all = service.send(service.ofrep("", "A12345")).await;
            let flags = all.body["flags"].as_array().unwrap();
            assert_eq!((all.status, flags.len()), (200, 3), "{:?}", all.body);
            if flags
                .iter()
                .all(|flag| flag["metadata"]["status"] == "STALE")
            {
                break all;
            }
        };
        let flags = all.body["flags"].as_array().unwrap();
        for (flag, before) in flags.iter().zip(fresh.body["flags"].as_array().unwrap()) {
            assert_eq!(flag["value"], before["value"], "{flag}");
        }
        // Of another project nothing is known.
        let path = "/projects/other/ofrep/v1/evaluate/flags";
        let other = service.request(Method::POST, path);
        let other = other.header("content-type", "application/json");
        let other = other.body(r#"{"context":{"targetingKey":"A12345"}}"#);
        let other = service.send(other).await;
        assert!([503, 504].contains(&other.status), "{other:?}");
        assert_eq!(other.body["errorCode"], "GENERAL");
        let seconds = other.headers["retry-after"].to_str().unwrap();
        assert!(seconds.parse::<u32>().is_ok(), "{seconds}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn strict_eviction_serves_nothing_stale() {
        let strict = [SHORT_LIFETIME, ("FEATURE_FLAG_MAX_STALE_MINUTES", "0")];
        let (service, network) = service(&strict).await;
        network.cut().await;
        let reply = ask_until(&service, "llm_version", |reply| reply.status != 200).await;
        assert!([503, 504].contains(&reply.status), "{reply:?}");
        assert_eq!(service.get("/readyz", &[]).await.status, 503);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_service_starts_while_its_store_is_away() {
        let (store, network, emulator) = network().await;
        let address = network.address();
        network.cut().await;
        let service = Service::start(&store);
        assert_eq!(service.get("/livez", &[]).await.status, 200);
        let ready = service.get("/readyz", &[]).await;
        assert_eq!(
            (ready.status, &ready.body["status"]),
            (503, &"not ready".into())
        );
        assert_eq!(ask(&service, "llm_version").await.status, 503);

        let _network = Proxy::at(&address, &emulator).await;
        let demo = Service::start_with(&store, &["--demo"], &[]);
        drop(demo);
        ask_until(&service, "llm_version", |reply| reply.status == 200).await;
        assert_eq!(service.get("/readyz", &[]).await.status, 200);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_snapshot_serves_what_was_known_before_a_restart() {
        let (store, network, emulator) = network().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flags.snapshot");
        let variables = [("FLAG_SNAPSHOT_FILE", file.to_str().unwrap())];
        let service = Service::start_with(&store, &["--demo"], &variables);
        assert_eq!(ask(&service, "llm_version").await.status, 200);
        assert!(service.stop().success());
        let address = network.address();
        network.cut().await;

        let service = Service::start_with(&store, &[], &variables);
        let ready = service.get("/readyz", &[]).await;
        assert_eq!(
            (ready.status, &ready.body["servable_flags"]),
            (200, &1.into())
        );
        let reply = ask(&service, "llm_version").await;
        assert_eq!((reply.status, is_stale(&reply)), (200, true), "{reply:?}");
        assert_eq!(reply.body["flag_value"], "4.1");
        assert_eq!(ask(&service, "llm_provider").await.status, 503);

        let _network = Proxy::at(&address, &emulator).await;
        ask_until(&service, "llm_version", |reply| {
            reply.status == 200 && !is_stale(reply)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_as_good_as_none() {
    let store = TestStore::embedded();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flags.snapshot");
    std::fs::write(&file, "{\"format\":").unwrap();
    let variables = [("FLAG_SNAPSHOT_FILE", file.to_str().unwrap())];
    let service = Service::start_with(&store, &["--demo"], &variables);
    assert_eq!(ask(&service, "llm_version").await.status, 200);
    assert!(service.stop().success());
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("llm_version"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_another_store_is_not_served_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flags.snapshot");
    let variables = [("FLAG_SNAPSHOT_FILE", file.to_str().unwrap())];
    let store = TestStore::embedded();
    let staging = Service::start_with(&store, &["--demo"], &variables);
    assert_eq!(ask(&staging, "llm_version").await.status, 200);
    assert!(staging.stop().success());
    // Nothing listens there.
    let live = TestStore::at("127.0.0.1:1".to_owned());
    let service = Service::start_with(&live, &[], &variables);
    assert_eq!(ask(&service, "llm_version").await.status, 503);
    let told = "snapshot of another store ignored";
    service.must_log(told);
}

#[test]
fn a_store_that_can_never_be_opened_stops_the_start() {
    let store = TestStore::embedded();
    let file = tempfile::NamedTempFile::new().unwrap();
    let directory = file.path().to_str().unwrap();
    let (status, stderr) = Service::fail(&store, &["--data-dir", directory], &[]);
    assert_eq!(status.code(), Some(1));
    assert!(
        stderr.contains("cannot open the embedded store"),
        "{stderr}"
    );
}
