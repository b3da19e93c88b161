//! Events of changed flags.

use std::time::{Duration, Instant};

use flag_store::{Cells, Row};
use flag_tests::{
    EventStream, Method, PushedEvent, Service, TestStore, flagctl, on_both_stores, soon,
};
use tempfile::TempDir;
use tokio::time::timeout;

const PROJECT: &str = "csr-assistant";
const FLAG: &str = "llm_version";

/// Longer than changes are collected, and than until they are repeated.
const WHILE: Duration = Duration::from_secs(2);

on_both_stores!(
    a_change_is_pushed_by_every_replica_once_it_serves_it,
    an_equal_digest_is_no_event,
    a_flag_of_other_tooling_is_pushed_when_it_is_read,
);

fn does(store: &TestStore, words: &[&str]) -> String {
    let done = flagctl(store, words);
    assert_eq!(done.code, 0, "{done:?}");
    done.stdout
}

fn revise(store: &TestStore, control: &str) {
    let flag = ["revise", PROJECT, "data", FLAG, "--control", control];
    let options = ["--comment", "next", "--yes", "--yes-i-mean", FLAG];
    does(store, &[&flag[..], &options].concat());
}

async fn value(service: &Service) -> String {
    let reply = service.ask(PROJECT, "data", FLAG, "B").await;
    reply.body["flag_value"].as_str().unwrap().to_owned()
}

async fn open(service: &Service) -> EventStream {
    EventStream::open(service, PROJECT, &[]).await.unwrap()
}

fn names(event: &PushedEvent) -> Vec<&str> {
    event.flags.iter().map(String::as_str).collect()
}

async fn a_change_is_pushed_by_every_replica_once_it_serves_it(store: TestStore) {
    let replicas = [
        Service::start_with(&store, &["--demo"], &[]),
        Service::start(&store),
    ];
    let mut streams = Vec::new();
    for replica in &replicas {
        assert_eq!(value(replica).await, "4.1");
        let mut stream = open(replica).await;
        let first = stream.event().await.unwrap();
        assert_eq!((first.id.len(), names(&first)), (32, vec![]));
        streams.push((stream, first.id));
    }
    assert_eq!(streams[0].1, streams[1].1, "a digest is that of a project");
    for control in ["5", "6"] {
        revise(&store, control);
        let mut ids = Vec::new();
        for (replica, (stream, before)) in replicas.iter().zip(&mut streams) {
            let mut event = stream.event().await.unwrap();
            // The repeated event of the change before.
            while event.id == *before {
                event = stream.event().await.unwrap();
            }
            assert_eq!(names(&event), [FLAG]);
            assert_eq!(value(replica).await, control);
            before.clone_from(&event.id);
            ids.push(event.id);
        }
        assert_eq!(ids[0], ids[1]);
    }
    for (replica, (stream, before)) in replicas.iter().zip(&mut streams) {
        let mut repeated = 0;
        while let Ok(event) = timeout(WHILE, stream.event()).await {
            let event = event.unwrap();
            assert_eq!((&event.id, names(&event)), (&*before, vec![FLAG]));
            repeated += 1;
        }
        // That of the first change may have come before the second one.
        assert!((1..=2).contains(&repeated), "{repeated}");
        assert_eq!(replica.metric("flag_event_streams").await, 1);
        assert_eq!(replica.metric("flag_events_published_total").await, 2);
        assert_eq!(replica.metric("flag_event_delay_seconds_count").await, 2);
    }
}

async fn an_equal_digest_is_no_event(store: TestStore) {
    let service = Service::start_with(&store, &["--demo"], &[]);
    let id = open(&service).await.event().await.unwrap().id;
    let path = format!("/projects/{PROJECT}/events?since={id}");
    let mut equal = [
        EventStream::open(&service, PROJECT, &[("last-event-id", &id)]).await,
        EventStream::open_at(&service, &path, &[]).await,
    ];
    for stream in &mut equal {
        let stream = stream.as_mut().unwrap();
        assert!(stream.is_silent(WHILE).await);
    }
    // The header is stronger.
    let mut other = EventStream::open_at(&service, &path, &[("last-event-id", "x")]).await;
    let event = other.as_mut().unwrap().event().await.unwrap();
    assert_eq!((event.id, event.flags.len()), (id.clone(), 0));
    revise(&store, "5");
    for stream in &mut equal {
        let event = stream.as_mut().unwrap().event().await.unwrap();
        assert_eq!(names(&event), [FLAG]);
        assert_ne!(event.id, id);
    }
}

async fn a_flag_of_other_tooling_is_pushed_when_it_is_read(store: TestStore) {
    let variables = [("FEATURE_FLAG_CACHE_TTL_MINUTES", "0.02")];
    let service = Service::start_with(&store, &["--demo"], &variables);
    assert_eq!(value(&service).await, "4.1");
    let mut stream = open(&service).await;
    let id = stream.event().await.unwrap().id;
    let key = "ROWTYPE#REVISION#FLAGTYPE#data#FLAGNAME";
    let key = format!("PROJECT#{PROJECT}#{key}#{FLAG}#TIME#{}", soon());
    let cells = Cells::default().with("ControlValue", "5");
    let row = Row {
        key: key.into(),
        cells,
    };
    store.leave(&[row]).await;
    let reading = async {
        while value(&service).await == "4.1" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (event, ()) = tokio::join!(stream.event(), reading);
    let event = event.unwrap();
    assert_eq!((&event.id, names(&event)), (&id, vec![FLAG]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_is_pushed() {
    let (store, folder) = (TestStore::embedded(), TempDir::new().unwrap());
    let backup = folder.path().join("backup");
    let backup = backup.to_str().unwrap();
    let service = Service::start_with(&store, &["--demo"], &[]);
    assert_eq!(value(&service).await, "4.1");
    does(&store, &["backup", backup]);
    let mut stream = open(&service).await;
    let before = stream.event().await.unwrap();
    revise(&store, "5");
    while stream.event().await.unwrap().id == before.id {}
    assert_eq!(value(&service).await, "5");
    does(&store, &["restore-backup", backup, "--replace"]);
    let restored = loop {
        let event = stream.event().await.unwrap();
        if event.flags.is_empty() {
            break event;
        }
    };
    assert_eq!(restored.id, before.id);
    assert_eq!(value(&service).await, "4.1");
    let ready = service.get("/readyz", &[]).await;
    assert_eq!(ready.body["restored_projects"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_key_is_revoked() {
    let (store, folder) = (TestStore::embedded(), TempDir::new().unwrap());
    let file = folder.path().join("keys.json");
    let file = file.to_str().unwrap();
    let create = [
        "keys",
        "create",
        "-oname",
        "--file",
        file,
        "--scope=evaluate",
        "--project=*",
    ];
    let [revoked, kept] = [(); 2].map(|()| does(&store, &create).trim().to_owned());
    let service = Service::start_with(&store, &["--demo", "--api-keys-file", file], &[]);
    let mut streams = Vec::new();
    for key in [&revoked, &kept] {
        let stream = EventStream::open(&service, PROJECT, &[("x-api-key", key)]).await;
        streams.push(stream.unwrap());
    }
    let id = revoked.split('_').nth(1).unwrap();
    does(&store, &["keys", "revoke", id, "--file", file]);
    let mut ends = Vec::new();
    for stream in &mut streams {
        assert!(stream.event().await.is_some());
    }
    for mut stream in streams {
        ends.push(stream.part().await);
    }
    assert_eq!(ends, [None, Some(": heartbeat".to_owned())]);
    let metrics = service
        .request(Method::GET, "/metrics")
        .header("x-api-key", &kept);
    assert_eq!(metrics.send().await.unwrap().status(), 403);
    let refused = EventStream::open(&service, PROJECT, &[("x-api-key", &revoked)]).await;
    assert_eq!(refused.unwrap_err(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_beyond_the_limit_are_refused_and_take_no_connection_of_others() {
    let store = TestStore::embedded();
    let variables = [
        ("FLAG_MAX_EVENT_STREAMS", "3"),
        ("FLAG_MAX_CONNECTIONS", "2"),
        ("FLAG_WORKERS", "1"),
    ];
    let service = Service::start_with(&store, &["--demo"], &variables);
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(open(&service).await);
    }
    let path = format!("/projects/{PROJECT}/events");
    let refused = service.get(&path, &[]).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (503, &"overloaded".into())
    );
    assert_eq!(refused.headers["retry-after"], "10");
    assert_eq!(service.metric("flag_event_streams_refused_total").await, 1);
    assert_eq!(value(&service).await, "4.1");
    let head = service.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(head.status(), 200);
    drop(streams);
    let began = Instant::now();
    while EventStream::open(&service, PROJECT, &[]).await.is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "a closed stream still counts"
        );
    }
    let closed = "flag_event_streams_closed_total{reason=\"caller\"}";
    assert!(service.metric(closed).await >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_do_not_delay_a_stop() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut stream = open(&service).await;
        assert!(stream.event().await.is_some());
        streams.push(stream);
    }
    let began = Instant::now();
    assert!(service.stop().success());
    let lasted = began.elapsed();
    assert!(lasted < Duration::from_secs(5), "{lasted:?}");
    for mut stream in streams {
        assert_eq!(stream.part().await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_push_there_is_no_such_path() {
    for variable in [("FLAG_PUSH", "off"), ("FLAG_CHANGE_POLL_MS", "0")] {
        let service = Service::start_with(&TestStore::embedded(), &["--demo"], &[variable]);
        let path = format!("/projects/{PROJECT}/events");
        let reply = service.get(&path, &[]).await;
        assert_eq!(
            (reply.status, &reply.body["code"]),
            (404, &"not_found".into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_project_is_refused_and_one_without_flags_has_events() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let long = "p".repeat(129);
    for project in ["a%23b", "a%2523b", "%00", &long] {
        let reply = service
            .get(&format!("/projects/{project}/events"), &[])
            .await;
        assert_eq!(
            (reply.status, &reply.body["code"]),
            (400, &"invalid_request".into())
        );
    }
    let mut stream = EventStream::open(&service, "new%20one%2Ftwo", &[])
        .await
        .unwrap();
    let first = stream.event().await.unwrap();
    assert_eq!(first.id, "e3b0c44298fc1c149afbf4c8996fb924");
}
