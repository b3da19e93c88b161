//! Many callers at once, and callers that go away.

use std::thread;
use std::time::Duration;

use flag_client::{AsyncFeatureFlagClient, Failure, FeatureFlagClient, Freshness, Source};
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::server::{Manner, Server};

const LONG: Duration = Duration::from_mins(1);

fn client(server: &Server) -> AsyncFeatureFlagClient {
    let client = server.with_address(AsyncFeatureFlagClient::builder("p"));
    client.timeout(LONG).build().unwrap()
}

#[tokio::test]
async fn however_many_miss_at_once_one_request_goes_out() {
    let server = Server::start(Manner::Held("true"));
    let client = client(&server);
    let callers = (0..100).map(|_| client.get_flag_boolean("f", "A12345", false));
    let mut callers = Box::pin(join_all(callers));
    // Every caller waits before the answer is given.
    assert!(callers.as_mut().now_or_never().is_none());
    server.let_go();
    assert_eq!(callers.await, [true; 100]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn threads_and_tasks_share_a_request() {
    let server = Server::start(Manner::Held("true"));
    let client = client(&server);
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let client: FeatureFlagClient = client.to_blocking();
            thread::spawn(move || client.get_flag_boolean("f", "A12345", false))
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let task = runtime.block_on(async {
        let mut task = Box::pin(client.get_flag_boolean("f", "A12345", false));
        assert!(task.as_mut().now_or_never().is_none());
        server.await_requests(1);
        server.let_go();
        task.await
    });
    assert!(task);
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    // Threads that came after the answer found it in memory.
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_with_it() {
    let server = Server::start(Manner::Held("true"));
    let client = client(&server);
    for _ in 0..20 {
        assert!(
            client
                .get_flag_boolean("f", "A12345", false)
                .now_or_never()
                .is_none()
        );
    }
    server.let_go();
    let detail = client.get_flag_boolean_detail("f", "A12345", false).await;
    assert!(detail.value);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_that_was_invalidated_on_its_way_is_not_remembered() {
    let server = Server::start(Manner::Held("true"));
    let client = client(&server);
    let mut before = Box::pin(client.get_flag_boolean("f", "A12345", false));
    assert!(before.as_mut().now_or_never().is_none());
    server.await_requests(1);
    client.invalidate("f");
    server.set(Manner::Value("false"));
    assert!(!client.get_flag_boolean("f", "A12345", true).await);
    server.let_go();
    assert!(before.await);
    let detail = client.get_flag_boolean_detail("f", "A12345", true).await;
    assert_eq!(
        (detail.value, detail.source),
        (false, Source::Cache(Freshness::Current))
    );
}

#[tokio::test]
async fn a_caller_that_waits_when_the_client_closes_is_answered() {
    let server = Server::start(Manner::Silence);
    let client = client(&server);
    let mut waiting = Box::pin(client.get_flag_boolean_detail("f", "A12345", true));
    assert!(waiting.as_mut().now_or_never().is_none());
    server.await_requests(1);
    client.close();
    assert_eq!(waiting.await.source, Source::Default(Failure::Closed));
}

#[tokio::test]
async fn calls_pile_up_on_one_question_as_on_many() {
    let server = Server::start(Manner::Silence);
    let client = server
        .with_address(AsyncFeatureFlagClient::builder("p"))
        .timeout(Duration::from_secs(16))
        .cool_down(LONG)
        .build()
        .unwrap();
    let mut first = Box::pin(client.get_flag_boolean("f", "A12345", false));
    assert!(first.as_mut().now_or_never().is_none());
    server.await_requests(1);
    let ask = || client.get_flag_boolean_detail("f", "A12345", true);
    let why = loop {
        match ask().now_or_never().map(|detail| detail.source) {
            None => thread::yield_now(),
            Some(source) => break source,
        }
    };
    assert!(
        matches!(why, Source::Default(Failure::CoolingDown(_))),
        "{why:?}"
    );
    assert!(first.as_mut().now_or_never().is_none());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_probe_waits_for_nobody() {
    let server = Server::start(Manner::Silence);
    let client = server
        .with_address(AsyncFeatureFlagClient::builder("p"))
        .timeout(Duration::from_secs(16))
        .cool_down(Duration::from_millis(1))
        .build()
        .unwrap();
    let mut first = Box::pin(client.get_flag_boolean("f", "A12345", false));
    assert!(first.as_mut().now_or_never().is_none());
    for id in 1..100 {
        let other = client
            .get_flag_boolean("f", &id.to_string(), false)
            .now_or_never();
        assert!(other.is_none());
    }
    server.await_requests(64);
    // Until the service is suspect, and the request that sees after it goes out.
    while server.requests().len() == 64 {
        let _ = client.get_flag_boolean("g", "A12345", false).now_or_never();
        thread::yield_now();
    }
    assert!(first.as_mut().now_or_never().is_none());
}

#[tokio::test]
async fn a_thousand_questions_at_once_share_some_connections() {
    let server = Server::start(Manner::Held("true"));
    let client = client(&server);
    let ids: Vec<String> = (0..1_000).map(|id| id.to_string()).collect();
    let callers = ids.iter().map(|id| client.get_flag_boolean("f", id, false));
    let mut callers = Box::pin(join_all(callers));
    assert!(callers.as_mut().now_or_never().is_none());
    server.await_requests(64);
    server.let_go();
    assert!(callers.await.into_iter().all(|is_on| is_on));
    assert_eq!(server.requests().len(), 1_000);
    assert!(server.connections() <= 64, "{}", server.connections());
}
