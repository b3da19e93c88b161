//! Clients that were in use before their process forked.

use std::io::{PipeWriter, Read as _, Write as _, pipe};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use flag_client::{
    Assurance, AsyncFeatureFlagClient, Detail, Failure, FeatureFlagClient, Source, StreamState,
};
use fork::{Fork, fork, waitpid};
use futures_executor::block_on;

use crate::push::until;
use crate::server::{Manner, Server};

const LONG: Duration = Duration::from_mins(1);

/// What the child says is equal to `expected`. What a child does is done by the one thread that it has.
#[track_caller]
fn check(child: impl FnOnce() -> String, expected: &str) {
    let (mut said, saying) = pipe().unwrap();
    match fork().unwrap() {
        Fork::Child => {
            let text = catch_unwind(AssertUnwindSafe(child));
            say(saying, &text.unwrap_or_else(|_| "panicked".to_owned()));
        }
        Fork::Parent(child) => {
            drop(saying);
            let (sender, heard) = channel();
            thread::spawn(move || {
                let mut text = String::new();
                said.read_to_string(&mut text).unwrap();
                sender.send(text)
            });
            let Ok(text) = heard.recv_timeout(LONG) else {
                let _ = Command::new("kill")
                    .args(["-9", &child.to_string()])
                    .status();
                panic!("the child hangs");
            };
            assert_eq!(text, expected);
            assert_eq!(waitpid(child).unwrap(), 0);
        }
    }
}

/// Ends the child: the test goes on in its parent.
fn say(mut saying: PipeWriter, text: &str) -> ! {
    saying.write_all(text.as_bytes()).unwrap();
    std::process::exit(0);
}

fn ask(client: &FeatureFlagClient, id: &str) -> Detail<bool> {
    client.get_flag_boolean_detail("f", id, false)
}

fn client(server: &Server) -> FeatureFlagClient {
    let client = server.with_address(FeatureFlagClient::builder("p"));
    client.timeout(LONG).build().unwrap()
}

/// What came of it, in one letter.
fn letter(detail: &Detail<bool>) -> char {
    match &detail.source {
        Source::Service(_) => 's',
        Source::Cache(_) => 'c',
        Source::LastKnown(_) => 'o',
        _ => 'd',
    }
}

fn ask_all(client: &FeatureFlagClient, ids: &[&str]) -> String {
    ids.iter().map(|id| letter(&ask(client, id))).collect()
}

#[test]
fn a_client_that_was_used_before_a_fork_works_in_the_child() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    assert_eq!(ask_all(&client, &["a", "b"]), "ss");
    check(|| ask_all(&client, &["a", "c", "d", "c"]), "cssc");
    assert_eq!(ask_all(&client, &["a", "e"]), "cs");
    assert_eq!(server.connections(), 2, "one for each process");
}

#[test]
fn a_client_that_was_only_built_before_a_fork_works_in_the_child() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    check(|| ask_all(&client, &["a"]), "s");
    assert_eq!(ask_all(&client, &["a"]), "s");
}

#[test]
fn the_child_of_a_child_is_as_well_off() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "a");
    let grandchild = || ask_all(&client, &["a", "b", "c"]);
    let child = || {
        let before = ask_all(&client, &["b"]);
        check(grandchild, "ccs");
        format!("{before}{}", ask_all(&client, &["d"]))
    };
    check(child, "ss");
}

#[test]
fn an_async_client_works_in_the_child() {
    let server = Server::start(Manner::Value("true"));
    let client = server.with_address(AsyncFeatureFlagClient::builder("p"));
    let client = client.build().unwrap();
    assert!(block_on(client.get_flag_boolean("f", "a", false)));
    let ask = || block_on(client.get_flag_boolean_detail("f", "b", false));
    check(|| letter(&ask()).to_string(), "s");
}

#[test]
fn a_client_with_an_http_client_of_the_application_works_in_the_child() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Server::start(Manner::Value("true"));
    let client = server.with_address(FeatureFlagClient::builder("p"));
    let http = || reqwest::Client::builder().user_agent("mine/1");
    let client = client.http_client(http).build().unwrap();
    ask(&client, "a");
    check(|| ask_all(&client, &["b"]), "s");
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.contains("mine/1"))
    );
}

#[test]
fn a_client_that_was_closed_before_a_fork_is_closed_in_the_child() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "a");
    client.close();
    let child = || {
        let closed = ask(&client, "b").source == Source::Default(Failure::Closed);
        format!("{closed}")
    };
    check(child, "true");
}

#[test]
fn what_a_child_ends_does_not_end_for_its_parent() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    ask(&client, "a");
    let copy = client.clone();
    check(
        || {
            copy.invalidate_all();
            copy.close();
            drop(copy);
            String::new()
        },
        "",
    );
    assert_eq!(ask_all(&client, &["a", "b"]), "cs");
    assert_eq!(server.connections(), 1);
}

#[test]
fn no_answer_is_kept_back_by_what_another_thread_did_at_the_fork() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (client, is_over) = (&client, &is_over);
            scope.spawn(move || {
                for call in 0.. {
                    ask(client, &format!("{thread}-{call}"));
                    client.invalidate("other");
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        for fork in 0..50 {
            let ids = [format!("x{fork}"), format!("y{fork}")];
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            check(|| ask_all(&client, &ids), "ss");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

/// A client that has the answers for `a` and `b` in memory, and a stream.
fn watching(server: &Server) -> FeatureFlagClient {
    let client = server.with_push(FeatureFlagClient::builder("p"));
    let client = client.timeout(LONG).build().unwrap();
    ask(&client, "a");
    client
}

#[test]
fn a_child_has_a_stream_of_its_own() {
    let server = Server::start(Manner::Value("true"));
    let client = watching(&server);
    let of_parent = server.stream().begin("1");
    until(|| client.status().digest.is_some());
    assert_eq!(ask_all(&client, &["a", "b"]), "ss");
    let serving = server.clone();
    let service = thread::spawn(move || {
        let stream = serving.stream();
        assert!(stream.request.contains("last-event-id: 1"));
        let stream = stream.open();
        // Until the child has seen that nothing changed.
        serving.await_requests(4);
        serving.set(Manner::Value("false"));
        stream.event("2", &["feature/f"])
    });
    let child = || {
        // The memory answers all, and the parent's stream stays with the parent.
        until(|| {
            ask(&client, "a");
            client.status().stream == StreamState::Open
        });
        let before = ask_all(&client, &["a", "b"]);
        let watched = ask(&client, "a").assurance == Assurance::Watched;
        ask(&client, "c");
        until(|| client.status().digest.as_deref() == Some("2"));
        format!("{before} {watched} {}", ask(&client, "a").value)
    };
    check(child, "cc true false");
    drop(service.join().unwrap());
    // The parent knows of no change yet.
    assert_eq!(ask_all(&client, &["a"]), "c");
    assert_eq!(client.status().digest.as_deref(), Some("1"));
    drop(of_parent);
}

#[test]
fn a_callback_of_the_parent_runs_in_the_child_too() {
    let server = Server::start(Manner::Value("true"));
    let client = watching(&server);
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let _subscription = client.on_change("f", move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let of_parent = server.stream().begin("1");
    until(|| calls.load(Ordering::Relaxed) == 1);
    let serving = server.clone();
    let service = thread::spawn(move || serving.stream().open().event("2", &["feature/f"]));
    let child = || {
        ask(&client, "c");
        until(|| calls.load(Ordering::Relaxed) == 2);
        String::new()
    };
    check(child, "");
    drop((service.join().unwrap(), of_parent));
}
