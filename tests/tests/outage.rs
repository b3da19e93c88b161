//! What callers see while the store is away.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::{Duration, Instant};

use flag_tests::{Proxy, Reply, Service, TestStore};

/// A service whose store lies behind a network that can fail, with one flag read and all others not.
async fn service() -> (Service, Proxy) {
    let TestStore::Bigtable { emulator, .. } = TestStore::bigtable() else {
        panic!("another store")
    };
    let network = Proxy::to(&emulator).await;
    let service = Service::start_with(&TestStore::at(network.address()), &["--demo"], &[]);
    assert_eq!(ask(&service, "llm_version").await.status, 200);
    (service, network)
}

async fn ask(service: &Service, name: &str) -> Reply {
    service.ask("csr-assistant", "data", name, "A12345").await
}

mod on_bigtable {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_is_silent_is_a_timeout_and_warm_flags_are_served() {
        let (service, network) = service().await;
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
        assert_eq!(
            (ready.status, &ready.body["store"]),
            (503, &"timeout".into())
        );
        assert_eq!(service.get("/livez", &[]).await.status, 200);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_is_gone_is_unavailable_and_warm_flags_are_served() {
        let (service, network) = service().await;
        network.cut().await;
        let reply = ask(&service, "llm_provider").await;
        // The first answer may still be a wait for what was under way.
        assert!([503, 504].contains(&reply.status), "{reply:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let reply = ask(&service, "llm_provider").await;
        if reply.status == 503 {
            assert_eq!(
                (&reply.body["code"], &reply.headers["retry-after"]),
                (&"store_unavailable".into(), &"1".parse().unwrap())
            );
        }
        assert_eq!(ask(&service, "llm_version").await.status, 200);
        assert_eq!(service.get("/readyz", &[]).await.status, 503);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_comes_back_is_asked_again() {
        let (service, network) = service().await;
        network.fall_silent();
        assert_eq!(ask(&service, "llm_provider").await.status, 504);
        network.speak_again();
        let asked = Instant::now();
        while ask(&service, "llm_provider").await.status != 200 {
            assert!(
                asked.elapsed() < Duration::from_secs(20),
                "not served again"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
