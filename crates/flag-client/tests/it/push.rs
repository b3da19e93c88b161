//! What the event stream does for a client, whatever becomes of it.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use flag_client::{
    Assurance, AsyncFeatureFlagClient, Detail, Failure, FeatureFlagClient, FlagRef, Source, Status,
    StreamState,
};

use futures_util::FutureExt as _;

use crate::server::{Manner, Server, whole};

const LONG: Duration = Duration::from_mins(1);

/// Waits until it is so; a test that waits for ever is ended by the test runner.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

fn client(server: &Server) -> FeatureFlagClient {
    let client = server.with_push(FeatureFlagClient::builder("p"));
    client.timeout(LONG).build().unwrap()
}

fn ask(client: &FeatureFlagClient, flag: &str, id: &str) -> Detail<bool> {
    client.get_flag_boolean_detail(flag, id, false)
}

/// Where the value comes from and what the stream says about it, in two letters.
fn letters(detail: &Detail<bool>) -> String {
    let source = match detail.source {
        Source::Service(_) => 's',
        Source::Cache(_) => 'c',
        Source::LastKnown(_) => 'o',
        _ => 'd',
    };
    let assurance = match detail.assurance {
        Assurance::Watched => 'w',
        Assurance::Unwatched => 'u',
        Assurance::Outdated => 'o',
        _ => '?',
    };
    [source, assurance].iter().collect()
}

fn asked(client: &FeatureFlagClient, flag: &str, id: &str) -> String {
    letters(&ask(client, flag, id))
}

fn await_digest(client: &FeatureFlagClient, digest: &str) {
    until(|| client.status().digest.as_deref() == Some(digest));
}

fn await_state(client: &FeatureFlagClient, is_meant: impl Fn(&StreamState) -> bool) {
    until(|| is_meant(&client.status().stream));
}

fn is_closed(state: &StreamState) -> bool {
    matches!(state, StreamState::Closed(_))
}

#[test]
fn what_changed_leaves_the_memory_for_every_instance() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "f", "a");
    let stream = server.stream().begin("1");
    await_digest(&client, "1");
    for (flag, id) in [("f", "a"), ("f", "b"), ("g", "a")] {
        assert_eq!(asked(&client, flag, id), "sw");
    }
    server.set(Manner::Value("false"));
    let _stream = stream.event("2", &["feature/f"]);
    await_digest(&client, "2");
    for id in ["a", "b"] {
        let detail = ask(&client, "f", id);
        assert_eq!((detail.value, &*letters(&detail)), (false, "sw"));
    }
    assert_eq!(asked(&client, "g", "a"), "cw");
}

/// The store may have a newer value that the service could not read.
#[test]
fn a_value_that_the_service_could_not_renew_is_not_watched() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "f", "a");
    let _stream = server.stream().begin("1");
    await_digest(&client, "1");
    let body = r#"{"request_id":"r","instance_id":"a","flag_type":"feature","flag_name":"g","flag_value":true,"rollout_group":"control"}"#;
    let answer = whole("200 OK", "Cache-Status: stale\r\n", body);
    server.set(Manner::Bytes(answer));
    assert_eq!(asked(&client, "g", "a"), "su");
    assert_eq!(asked(&client, "g", "a"), "cu");
}

#[test]
fn a_flag_of_another_type_or_name_is_another_flag() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "f", "a");
    let stream = server.stream().begin("1");
    await_digest(&client, "1");
    ask(&client, "f", "a");
    let _stream = stream.event("2", &["data/f", "feature/f2"]);
    await_digest(&client, "2");
    assert_eq!(asked(&client, "f", "a"), "cw");
}

#[test]
fn an_event_that_names_no_flag_empties_the_memory() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "f", "a");
    let mut stream = server.stream().begin("1");
    await_digest(&client, "1");
    for (digest, event) in [("2", r#"{"flags":[]}"#), ("3", "nonsense"), ("4", "")] {
        ask(&client, "f", "a");
        stream = stream.say(&format!("id: {digest}\ndata: {event}\n\n"));
        await_digest(&client, digest);
        assert_eq!(asked(&client, "f", "a"), "sw", "{event}");
    }
}

#[test]
fn an_unknown_flag_that_was_added_is_asked_for_at_once() {
    let unknown = r#"{"code":"flag_not_found","detail":"No Flag Data found: f"}"#;
    let server = Server::start(Manner::Bytes(whole("404 Not Found", "", unknown)));
    let client = client(&server);
    ask(&client, "f", "a");
    let stream = server.stream().begin("1");
    await_digest(&client, "1");
    assert_eq!(asked(&client, "f", "a"), "du");
    server.set(Manner::Value("true"));
    let _stream = stream.event("2", &["feature/f"]);
    await_digest(&client, "2");
    assert_eq!(asked(&client, "f", "a"), "sw");
}

#[tokio::test]
async fn what_was_asked_before_a_change_is_asked_again_and_not_remembered() {
    let server = Server::start(Manner::Held("true"));
    let blocking = client(&server);
    let client = blocking.to_async();
    let ask = |flag| Box::pin(client.get_flag_boolean_detail(flag, "a", true));
    let mut first = ask("g");
    assert!(first.as_mut().now_or_never().is_none());
    let stream = server.stream().begin("1");
    await_digest(&blocking, "1");
    let mut before = [ask("f"), ask("f")];
    for before in &mut before {
        assert!(before.as_mut().now_or_never().is_none());
    }
    server.await_requests(2);
    let stream = stream.event("2", &["feature/f"]);
    await_digest(&blocking, "2");
    server.set(Manner::Value("false"));
    server.let_go();
    for before in before {
        let detail = before.await;
        assert_eq!((detail.value, &*letters(&detail)), (false, "sw"));
    }
    assert!(first.await.value);
    assert_eq!(letters(&ask("f").await), "sw");
    drop(stream);
}

/// It may be older than the stream, even if nothing is known to have changed.
#[tokio::test]
async fn what_was_asked_before_the_first_event_is_not_remembered() {
    let server = Server::start(Manner::Held("true"));
    let blocking = client(&server);
    let client = blocking.to_async();
    let ask = || Box::pin(client.get_flag_boolean_detail("f", "a", false));
    let mut before = ask();
    assert!(before.as_mut().now_or_never().is_none());
    server.await_requests(1);
    let _stream = server.stream().begin("1");
    await_digest(&blocking, "1");
    server.set(Manner::Value("false"));
    server.let_go();
    assert!(before.await.value);
    let after = ask().await;
    assert_eq!((after.value, &*letters(&after)), (false, "sw"));
}

#[test]
fn the_last_known_value_is_served_as_outdated_while_the_service_fails() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "f", "a");
    let stream = server.stream().begin("1");
    await_digest(&client, "1");
    ask(&client, "f", "a");
    server.set(Manner::Bytes(whole("500 Internal Server Error", "", "{}")));
    let _stream = stream.event("2", &["feature/f"]);
    await_digest(&client, "2");
    let detail = ask(&client, "f", "a");
    assert_eq!((detail.value, &*letters(&detail)), (true, "oo"));
    server.set(Manner::Value("false"));
    until(|| letters(&ask(&client, "f", "a")) == "sw");
}

#[test]
fn an_answer_soon_after_a_change_is_asked_for_again_soon() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "f", "a");
    let stream = server.stream().begin("1");
    await_digest(&client, "1");
    let _stream = stream.event("2", &["feature/f"]);
    await_digest(&client, "2");
    // From a replica that knows of nothing yet.
    assert!(ask(&client, "f", "a").value);
    server.set(Manner::Value("false"));
    until(|| !ask(&client, "f", "a").value);
}

#[test]
fn the_first_call_does_not_wait_for_the_stream() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    assert_eq!(client.status().stream, StreamState::Idle);
    assert_eq!(asked(&client, "f", "a"), "su");
    assert_eq!(asked(&client, "f", "a"), "cu");
    let stream = server.stream();
    assert_eq!(client.status().stream, StreamState::Connecting);
    drop(stream);
}

#[test]
fn a_client_that_is_never_asked_or_has_no_push_opens_no_stream() {
    let server = Server::start(Manner::Value("true"));
    let idle = client(&server);
    let without = server.with_push(FeatureFlagClient::builder("p"));
    let without = without.without_push().build().unwrap();
    assert_eq!(asked(&without, "f", "a"), "su");
    assert_eq!(without.status().stream, StreamState::Off);
    assert_eq!(idle.status().stream, StreamState::Idle);
    // The connection of another client comes after any of theirs.
    let other = client(&server);
    ask(&other, "f", "a");
    drop(server.stream());
    assert!(!server.has_stream());
}

#[test]
fn a_stream_is_asked_for_like_everything_else() {
    let server = Server::start(Manner::Value("true"));
    let client = FeatureFlagClient::builder("my project");
    let client = client.base_url(format!("{}/below", server.url()));
    let client = client.api_key("secret").build().unwrap();
    ask(&client, "f", "a");
    let request = server.stream().request.clone();
    for line in [
        "GET /below/projects/my%20project/events HTTP/1.1",
        "authorization: Bearer secret",
        "accept: text/event-stream",
        "accept-encoding: identity",
    ] {
        assert!(request.lines().any(|found| found == line), "{request}");
    }
    assert!(!request.contains("last-event-id"), "{request}");
}

#[test]
fn a_cut_stream_is_resumed_after_what_is_known() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "f", "a");
    let stream = server.stream().begin("1");
    await_digest(&client, "1");
    ask(&client, "f", "a");
    drop(stream);
    await_state(&client, is_closed);
    assert_eq!(asked(&client, "f", "a"), "cu");
    let stream = server.stream();
    assert!(stream.request.contains("last-event-id: 1"));
    // Nothing has changed.
    let stream = stream.open();
    await_state(&client, |state| *state == StreamState::Open);
    assert_eq!(asked(&client, "f", "a"), "cw");
    stream.end();
    let stream = server.stream();
    assert!(stream.request.contains("last-event-id: 1"));
    // What has changed is no longer known.
    let _stream = stream.begin("3");
    await_digest(&client, "3");
    assert_eq!(asked(&client, "f", "a"), "sw");
}

#[test]
fn a_stream_that_is_not_given_changes_nothing_else() {
    let html = "Content-Type: text/html\r\n";
    for (status, headers) in [
        ("401 Unauthorized", ""),
        ("403 Forbidden", ""),
        ("404 Not Found", ""),
        ("503 Service Unavailable", "Retry-After: 60\r\n"),
        ("429 Too Many Requests", "Retry-After: 60\r\n"),
        ("200 OK", html),
        ("204 No Content", ""),
        ("302 Found", "Location: /\r\n"),
    ] {
        let server = Server::start(Manner::Value("true"));
        let client = client(&server);
        assert_eq!(asked(&client, "f", "a"), "su");
        server.stream().refuse(status, headers);
        await_state(&client, is_closed);
        let StreamState::Closed(why) = client.status().stream else {
            panic!()
        };
        assert!(why.to_string().contains(status), "{why}");
        let is_unauthorized = matches!(why, Failure::Unauthorized(_));
        assert_eq!(is_unauthorized, matches!(&status[..3], "401" | "403"));
        assert_eq!(asked(&client, "f", "a"), "cu");
        assert_eq!(asked(&client, "f", "b"), "su");
        assert!(!server.has_stream(), "not so soon");
    }
}

#[test]
fn events_of_another_kind_are_for_other_clients() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "f", "a");
    let stream = server.stream().begin("1");
    await_digest(&client, "1");
    ask(&client, "f", "a");
    let _stream = stream
        .say("event: goodbye\nid: 2\ndata: {}\n\n: heartbeat\n\n")
        .event("3", &["feature/g"]);
    await_digest(&client, "3");
    assert_eq!(asked(&client, "f", "a"), "cw");
}

#[test]
fn an_endless_event_ends_its_stream() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "f", "a");
    let stream = server.stream().begin("1");
    await_digest(&client, "1");
    let mut stream = stream.say("id: 2\ndata: ");
    for _ in 0..17 {
        stream = stream.say(&"x".repeat(1 << 16));
    }
    let resumed = server.stream();
    assert!(resumed.request.contains("last-event-id: 1"));
    drop((stream, resumed));
}

#[test]
fn a_client_that_ends_or_is_closed_ends_its_stream() {
    let server = Server::start(Manner::Value("true"));
    let dropped = client(&server);
    ask(&dropped, "f", "a");
    let stream = server.stream().begin("1");
    drop(dropped);
    stream.await_end();

    let closed = client(&server);
    ask(&closed, "f", "a");
    let stream = server.stream().begin("1");
    await_digest(&closed, "1");
    ask(&closed, "f", "a");
    closed.close();
    stream.await_end();
    let is_closed = |state: &StreamState| *state == StreamState::Closed(Failure::Closed);
    await_state(&closed, is_closed);
    assert_eq!(asked(&closed, "f", "a"), "cu");
    assert!(!server.has_stream());
}

#[test]
fn prefetched_flags_are_fetched_again_and_others_are_not() {
    let server = Server::start(Manner::Value("true"));
    let client = server.with_push(FeatureFlagClient::builder("p"));
    let client = client.refetch_within(Duration::ZERO).build().unwrap();
    client.prefetch([FlagRef::boolean("f"), FlagRef::boolean("g")], "a");
    let stream = server.stream().begin("1");
    // What was prefetched before the stream, once more.
    server.await_requests(4);
    ask(&client, "h", "a");
    let _stream = stream.event("2", &["feature/f", "feature/h"]);
    server.await_requests(6);
    let requests = server.requests();
    assert!(requests[5].contains("flag_name=f"), "{}", requests[5]);
    until(|| asked(&client, "f", "a") == "cw");
    assert_eq!(asked(&client, "h", "a"), "sw");
}

#[test]
fn a_callback_runs_when_its_flag_changes_and_may_use_the_client() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    let (sender, changes) = channel();
    let inner = client.clone();
    let subscription = client.on_change("f", move || {
        sender.send(ask(&inner, "f", "a").value).unwrap();
    });
    // Which opens the stream.
    let stream = server.stream().begin("1");
    assert!(changes.recv().unwrap(), "what was before is not known");
    server.set(Manner::Value("false"));
    let stream = stream.event("2", &["feature/g"]).event("3", &["feature/f"]);
    assert!(!changes.recv().unwrap());
    drop(subscription);
    assert!(changes.recv().is_err());
    let _stream = stream.event("4", &["feature/f"]);
    await_digest(&client, "4");
}

#[test]
fn a_callback_that_panics_or_takes_long_holds_nothing_up() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server).to_async();
    let (release, held) = channel::<()>();
    let (started, starts) = channel();
    let held = std::sync::Mutex::new(held);
    let _slow = client.on_change("f", move || {
        started.send(()).unwrap();
        let _ = held.lock().unwrap().recv();
    });
    let _panics = client.on_change("g", || panic!("for the test"));
    let blocking = client.to_blocking();
    let stream = server.stream().begin("1");
    starts.recv().unwrap();
    let stream = stream.event("2", &["feature/g"]).event("3", &["feature/f"]);
    await_digest(&blocking, "3");
    assert_eq!(asked(&blocking, "f", "a"), "sw");
    release.send(()).unwrap();
    starts.recv().unwrap();
    drop(release);
    let _stream = stream.event("4", &["feature/f"]);
    starts.recv().unwrap();
}

#[test]
fn the_status_is_for_a_health_page() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    let Status {
        stream,
        digest,
        since_last_received,
        entries,
        ..
    } = client.status();
    assert_eq!(
        (stream, digest, since_last_received, entries),
        (StreamState::Idle, None, None, 0)
    );
    ask(&client, "f", "a");
    let _stream = server.stream().begin("0123456789abcdef0123456789abcdef");
    await_digest(&client, "0123456789abcdef0123456789abcdef");
    await_state(&client, |state| *state == StreamState::Open);
    let status = client.status();
    assert!(status.since_last_received.unwrap() < LONG);
    assert_eq!(status.entries, 1);
    assert_eq!(client.to_async().status().stream, StreamState::Open);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_async_client_learns_of_changes_too() {
    let server = Server::start(Manner::Value("true"));
    let client = server.with_push(AsyncFeatureFlagClient::builder("p"));
    let client = client.build().unwrap();
    assert!(client.get_flag_boolean("f", "a", false).await);
    server.set(Manner::Value("false"));
    let stream = server.stream().begin("1").event("2", &["feature/f"]);
    await_digest(&client.to_blocking(), "2");
    assert!(!client.get_flag_boolean("f", "a", true).await);
    drop(stream);
}
