//! The event stream of OFREP: who may open it, and what it says when.

use std::time::{Duration, Instant};

use flag_tests::ofrep::{PROJECT, add_flags, create_key, revise_text};
use flag_tests::{EventStream, Method, Reply, Service, TestStore, flagctl, on_both_stores};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{NOTICED, start};

on_both_stores!(a_reader_that_comes_back_hears_only_of_what_it_missed);

/// The id of the next event, which must ask for a new evaluation.
async fn next_event(events: &mut EventStream) -> String {
    let part = loop {
        let part = events.part().await.unwrap();
        if part != ": heartbeat" {
            break part;
        }
    };
    let (id, data) = part.split_once('\n').unwrap();
    let (id, data) = (
        id.strip_prefix("id: ").unwrap(),
        data.strip_prefix("data: ").unwrap(),
    );
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data, json!({ "type": "refetchEvaluation", "etag": id }));
    id.to_owned()
}

fn stream_of(bulk: &Reply) -> String {
    let streams = &bulk.body["eventStreams"];
    assert_eq!(
        (streams.as_array().unwrap().len(), &streams[0]["type"]),
        (1, &json!("sse"))
    );
    streams[0]["endpoint"]["requestUri"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_announced_at_the_url_of_a_bulk_answer() {
    let store = TestStore::embedded();
    let service = start(&store, &[]).await;
    let uri = stream_of(&service.send(service.ofrep("", "B1")).await);
    assert_eq!(uri, "/projects/csr-assistant/ofrep/v1/events");
    let mut events = EventStream::open_at(&service, &uri, &[]).await.unwrap();
    // A page that has just fetched the flags may have missed a change.
    let first = next_event(&mut events).await;
    revise_text(&store, "llm_version", "5.0");
    assert_ne!(next_event(&mut events).await, first);
    assert_eq!(stream_of(&service.send(service.ofrep("", "B1")).await), uri);
    drop(service);
    let service = Service::start_with(&store, &[], &[("FLAG_PUSH", "off")]);
    let bulk = service.send(service.ofrep("", "B1")).await;
    assert!(bulk.body["eventStreams"].is_null());
    assert_eq!(
        service
            .send(service.request(Method::GET, &uri))
            .await
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_answer_names_no_stream_when_no_more_can_be_opened() {
    let store = TestStore::embedded();
    let service = start(&store, &[("FLAG_MAX_EVENT_STREAMS", "1")]).await;
    let before = service.send(service.ofrep("", "B1")).await;
    let uri = stream_of(&before);
    let mut events = EventStream::open_at(&service, &uri, &[]).await.unwrap();
    next_event(&mut events).await;
    let tag = before.headers["etag"].clone();
    let asked = service.ofrep("", "B1").header("if-none-match", &tag);
    let after = service.send(asked).await;
    assert_eq!(after.status, 200, "it is another answer");
    assert!(after.body["eventStreams"].is_null());
    assert_eq!(after.body["flags"], before.body["flags"]);
    assert_ne!(after.headers["etag"], tag);
}

/// Opens a stream as a reader does that has heard of this event before.
async fn open_again(service: &Service, uri: &str, last: &str) -> EventStream {
    let headers = [("last-event-id", last)];
    EventStream::open_at(service, uri, &headers).await.unwrap()
}

/// Waits until everybody gets this text.
async fn wait_for_text(service: &Service, text: &str) {
    let began = Instant::now();
    while service.evaluate("llm_version", "B1").await.body["value"] != text {
        assert!(began.elapsed() < NOTICED, "the change is not seen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_reader_that_comes_back_hears_only_of_what_it_missed(store: TestStore) {
    let service = start(&store, &[]).await;
    let uri = stream_of(&service.send(service.ofrep("", "B1")).await);
    let mut events = EventStream::open_at(&service, &uri, &[]).await.unwrap();
    let first = next_event(&mut events).await;
    drop(events);

    // An event on connecting would have the id that the reader knows.
    let mut events = open_again(&service, &uri, &first).await;
    revise_text(&store, "llm_version", "5.0");
    let second = next_event(&mut events).await;
    assert_ne!(second, first);
    drop(events);

    revise_text(&store, "llm_version", "6.0");
    wait_for_text(&service, "6.0").await;
    let mut events = open_again(&service, &uri, &second).await;
    let third = next_event(&mut events).await;
    assert!(third != first && third != second);
    drop((events, service));

    // Another process has the same ids: a new release makes nobody fetch what has not changed.
    let service = Service::start(&store);
    let mut events = open_again(&service, &uri, &third).await;
    revise_text(&store, "llm_version", "7.0");
    assert_ne!(next_event(&mut events).await, third);
    // An id of nobody's is as good as none.
    for unknown in ["", "x"] {
        let mut events = open_again(&service, &uri, unknown).await;
        next_event(&mut events).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_stream_opens_nothing_else_and_counts_as_long_as_its_key() {
    let store = TestStore::embedded();
    add_flags(&store).await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys.json");
    let key = create_key(&store, &path, &["*"]);
    let path = path.to_str().unwrap();
    let service = Service::start_with(&store, &["--api-keys-file", path], &[]);
    let bulk = service
        .send(service.ofrep("", "B1").bearer_auth(&key))
        .await;
    let uri = stream_of(&bulk);
    let (_, token) = uri.split_once("?token=").unwrap();
    assert!(!uri.contains(key.rsplit('_').next().unwrap()));
    let mut events = EventStream::open_at(&service, &uri, &[]).await.unwrap();
    next_event(&mut events).await;
    let other = uri.replace(PROJECT, "other");
    let broken = uri.replace("?token=", "?token=x");
    let (without, _) = uri.split_once('?').unwrap();
    for refused in [&*other, &broken, without] {
        assert_eq!(
            EventStream::open_at(&service, refused, &[])
                .await
                .unwrap_err(),
            401,
            "{refused}"
        );
    }
    // The token is no key.
    for path in ["/projects/csr-assistant/events", "/metrics"] {
        let request = service.request(Method::GET, &format!("{path}?token={token}"));
        assert_eq!(service.send(request.bearer_auth(token)).await.status, 401);
    }
    assert_eq!(
        service
            .send(service.ofrep("", "B1").bearer_auth(token))
            .await
            .status,
        401
    );
    let id = key.split('_').nth(1).unwrap();
    assert_eq!(
        flagctl(&store, &["keys", "revoke", id, "--file", path]).code,
        0
    );
    let began = Instant::now();
    while EventStream::open_at(&service, &uri, &[]).await.is_ok() {
        assert!(began.elapsed() < NOTICED, "the token outlives its key");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
