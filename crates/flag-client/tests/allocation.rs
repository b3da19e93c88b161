//! What an answer from memory costs.

#![allow(clippy::unwrap_used, reason = "tests")]

use allocation_counter::measure;
use flag_client::{AsyncFeatureFlagClient, Flag};
use futures_util::FutureExt as _;
use wiremock::matchers::query_param;
use wiremock::{Mock, MockServer, ResponseTemplate};

const ON: Flag<bool> = Flag::new("on", false, "https://tickets.example/1");

/// A client that has the answers in memory.
async fn client() -> AsyncFeatureFlagClient {
    let server = MockServer::start().await;
    for (flag_type, name, value) in [("feature", "on", "true"), ("data", "text", r#""vertex""#)] {
        let body = format!(
            r#"{{"request_id":"r","instance_id":"A12345","flag_type":"{flag_type}","flag_name":"{name}","flag_value":{value},"rollout_group":"control"}}"#
        );
        let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
        let mock = Mock::given(query_param("flag_name", name)).respond_with(answer);
        mock.mount(&server).await;
    }
    let client = AsyncFeatureFlagClient::builder("p")
        .base_url(server.uri())
        .build()
        .unwrap();
    assert!(client.get_flag_boolean("on", "A12345", false).await);
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
        assert_eq!(detail.rollout_group.as_deref(), Some("control"));
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
