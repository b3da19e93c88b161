//! Allocations of an answer from memory.

use allocation_counter::measure;
use flag_client::{AsyncFeatureFlagClient, Flag};
use futures_util::FutureExt as _;

use crate::server::{Manner, Server};

const ON: Flag<bool> = Flag::new("on", false, "https://tickets.example/1");

/// A client that has the answers in memory.
async fn client() -> AsyncFeatureFlagClient {
    let server = Server::start(Manner::Value("true"));
    let client = server.with_address(AsyncFeatureFlagClient::builder("p"));
    let client = client.build().unwrap();
    assert!(client.get_flag_boolean("on", "A12345", false).await);
    server.set(Manner::Value(r#""vertex""#));
    assert_eq!(client.get_flag_string("text", "A12345", "").await, "vertex");
    client
}

#[track_caller]
fn check(allocations: u64, ask: impl Fn()) {
    ask();
    assert_eq!(measure(&ask).count_total, allocations);
}

#[tokio::test]
async fn a_boolean_from_memory_allocates_nothing() {
    let asked = client().await;
    let blocking = asked.to_blocking();
    check(0, || {
        assert!(blocking.get_flag_boolean("on", "A12345", false));
    });
    check(0, || {
        let answer = asked.get_flag_boolean("on", "A12345", false);
        assert_eq!(answer.now_or_never(), Some(true));
    });
    check(0, || {
        let detail = blocking.get_flag_boolean_detail("on", "A12345", false);
        assert_eq!(detail.rollout_group.as_deref(), Some("treatment_1"));
    });
    check(0, || {
        assert!(ON.get(&blocking, "A12345"));
        assert_eq!(ON.get(&asked, "A12345").now_or_never(), Some(true));
    });
}

#[tokio::test]
async fn a_text_from_memory_allocates_itself() {
    let asked = client().await;
    let blocking = asked.to_blocking();
    check(1, || {
        assert_eq!(
            blocking.get_flag_string("text", "A12345", "openai"),
            "vertex"
        );
    });
    check(1, || {
        let answer = asked.get_flag_string("text", "A12345", "openai");
        assert_eq!(answer.now_or_never().as_deref(), Some("vertex"));
    });
}
