//! Connections are renewed, and no call notices.

use std::io;
use std::sync::{Arc, Mutex};

use super::*;

const OFTEN: Duration = Duration::from_millis(20);

/// A store whose connections to the server are renewed every now and then.
async fn renewing_store(server: &Scripted) -> BigtableStore {
    BigtableStore::connect(BigtableSettings {
        refresh_every: OFTEN,
        channels: 2,
        app_profile: Some("flags".into()),
        ..settings(server.address)
    })
    .await
    .unwrap()
}

fn pings(asked: &[(tonic::metadata::MetadataMap, Asked)]) -> usize {
    asked
        .iter()
        .filter(|(_, asked)| matches!(asked, Asked::Ping(_)))
        .count()
}

/// As many calls as there is an answer for, until there were `wanted` pings.
async fn read_until(store: &BigtableStore, server: &Scripted, wanted: usize) -> usize {
    let mut seen = 0;
    for calls in 0..5_000 {
        assert_eq!(get(store).await.unwrap(), Some(row("k", "1")));
        let asked = server.asked();
        seen += pings(&asked);
        for (headers, asked) in asked {
            if let Asked::Ping(ping) = asked {
                assert_eq!(ping.name, "projects/p/instances/i");
                let route = headers.get("x-goog-request-params").unwrap();
                assert_eq!(
                    route,
                    "name=projects%2Fp%2Finstances%2Fi&app_profile_id=flags"
                );
            }
        }
        if seen >= wanted {
            return calls;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{seen} pings");
}

fn answers() -> impl Iterator<Item = Answer> {
    (0..5_000).map(|_| Answer::Rows(vec![whole("k", "1")]))
}

#[tokio::test]
async fn no_call_fails_while_connections_are_renewed() {
    let server = Scripted::start(answers()).await;
    let store = renewing_store(&server).await;
    // Eight pings warm two connections: ten renewals.
    read_until(&store, &server, 80).await;
}

#[tokio::test]
async fn a_renewal_that_fails_is_tried_again_and_no_call_notices() {
    let server = Scripted::start(answers()).await;
    server.refuse_pings(true);
    let store = renewing_store(&server).await;
    read_until(&store, &server, 80).await;
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn count(&self, line: &str) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.matches(line).count()
    }
}

#[tokio::test]
async fn renewals_that_fail_are_logged_once_and_so_is_their_end() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let server = Scripted::start(answers()).await;
    server.refuse_pings(true);
    let store = renewing_store(&server).await;
    read_until(&store, &server, 40).await;
    let failed = "connections to Bigtable cannot be renewed";
    assert_eq!(log.count(failed), 1);
    assert_eq!(log.count("Unavailable: no pings"), 1);
    server.refuse_pings(false);
    read_until(&store, &server, 40).await;
    assert_eq!(log.count(failed), 1);
    assert_eq!(log.count("connections to Bigtable renewed"), 1);
}

#[tokio::test]
async fn a_store_that_is_dropped_renews_nothing() {
    let server = Scripted::start(answers()).await;
    let store = renewing_store(&server).await;
    read_until(&store, &server, 8).await;
    drop(store);
    // What is under way ends; from then on time goes as fast as this runtime, which the server shares, is idle.
    tokio::time::pause();
    tokio::time::sleep(OFTEN * 2).await;
    server.asked();
    tokio::time::sleep(OFTEN * 5).await;
    assert_eq!(pings(&server.asked()), 0);
}
