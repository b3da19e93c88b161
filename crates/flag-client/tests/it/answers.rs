//! What is asked and answered when all is well.

use std::time::Duration;

use flag_client::{AsyncFeatureFlagClient, FeatureFlagClient, FlagRef, Freshness, Source};
use futures_util::FutureExt as _;

use crate::server::{Manner, Server, whole};

fn client(server: &Server) -> FeatureFlagClient {
    server
        .with_address(FeatureFlagClient::builder("p"))
        .build()
        .unwrap()
}

#[test]
fn the_service_is_asked_once_and_remembered() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    let first = client.get_flag_boolean_detail("f", "A12345", false);
    let second = client.get_flag_boolean_detail("f", "A12345", false);
    assert!(first.value && second.value);
    assert_eq!(first.source, Source::Service(Freshness::Current));
    assert_eq!(second.source, Source::Cache(Freshness::Current));
    assert_eq!(second.rollout_group.as_deref(), Some("treatment_1"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn both_clients_share_what_they_know() {
    let server = Server::start(Manner::Value(r#""vertex""#));
    let client = client(&server);
    assert_eq!(client.get_flag_string("f", "A12345", "openai"), "vertex");
    let asked = client.to_async();
    let value = asked
        .get_flag_string("f", "A12345", "openai")
        .now_or_never();
    assert_eq!(value.as_deref(), Some("vertex"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_question_travels_as_it_was_asked() {
    let server = Server::start(Manner::Value("true"));
    let client = FeatureFlagClient::builder("p")
        .base_url(server.url().replace("//", "//user:secret@"))
        .api_key("secret")
        .header("X-Team", "csr")
        .build()
        .unwrap();
    client.get_flag_boolean("f", "a b&c=d+é日", false);
    let request = &server.requests()[0];
    let first = "GET /get-feature-flag?project_name=p&flag_type=feature&flag_name=f\
        &instance_id=a+b%26c%3Dd%2B%C3%A9%E6%97%A5&with_reason=true HTTP/1.1\n";
    assert!(request.starts_with(first), "{request}");
    assert!(
        request.contains("\nauthorization: Bearer secret\n"),
        "{request}"
    );
    assert!(request.contains("\nx-team: csr\n"), "{request}");
    assert!(!format!("{client:?}").contains("secret"));
}

#[test]
fn a_name_that_the_service_may_hold_is_asked_for() {
    let server = Server::start(Manner::Value("true"));
    for name in ["a b", "-a", "O'Brien", "é"] {
        let client = FeatureFlagClient::builder(name).base_url(server.url());
        let client = client.build().unwrap();
        assert!(client.get_flag_boolean(name, "A12345", false), "{name}");
    }
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn the_service_may_live_below_a_path() {
    let server = Server::start(Manner::Value("true"));
    for base in ["/flags", "/flags/"] {
        let url = format!("{}{base}", server.url());
        let client = FeatureFlagClient::builder("p")
            .base_url(url)
            .build()
            .unwrap();
        assert!(client.get_flag_boolean("f", "A12345", false));
    }
    for request in server.requests() {
        assert!(
            request.starts_with("GET /flags/get-feature-flag?project_name=p&"),
            "{request}"
        );
    }
}

#[test]
fn a_value_as_long_as_can_be_is_read() {
    let escaped = "\\u0001".repeat(64 * 1024);
    let body = format!(
        r#"{{"request_id":"r","instance_id":"A12345","flag_type":"data","flag_name":"f","flag_value":"{escaped}","rollout_group":"control"}}"#
    );
    let server = Server::start(Manner::Bytes(whole("200 OK", "", &body)));
    let value = client(&server).get_flag_string("f", "A12345", "");
    assert_eq!(value, "\u{1}".repeat(64 * 1024));
}

#[test]
fn what_is_invalidated_is_asked_again() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    client.get_flag_boolean("f", "A12345", false);
    client.get_flag_boolean("g", "A12345", false);
    server.set(Manner::Value("false"));
    client.invalidate("f");
    assert!(!client.get_flag_boolean("f", "A12345", true));
    assert!(client.get_flag_boolean("g", "A12345", true));
    client.invalidate_all();
    assert!(!client.get_flag_boolean("g", "A12345", true));
}

#[test]
fn flags_are_fetched_before_they_are_needed() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    let flags = [
        FlagRef::boolean("f"),
        FlagRef::boolean("g"),
        FlagRef::string("h"),
    ];
    // The server gives a boolean for the text too, which is no value.
    assert_eq!(client.prefetch(flags, "A12345"), 2);
    assert_eq!(client.prefetch(&flags[..2], "A12345"), 2);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn flags_are_fetched_before_they_are_needed_without_holding_up_a_thread() {
    let server = Server::start(Manner::Value("true"));
    let client = server
        .with_address(AsyncFeatureFlagClient::builder("p"))
        .build()
        .unwrap();
    let flags = [FlagRef::boolean("f"), FlagRef::boolean("g")];
    assert_eq!(client.prefetch(flags, "A12345").await, 2);
    let detail = client.get_flag_boolean_detail("g", "A12345", false).await;
    assert_eq!(detail.source, Source::Cache(Freshness::Current));
}

#[test]
fn a_value_that_the_service_could_not_renew_is_marked() {
    let body = r#"{"request_id":"r","instance_id":"A12345","flag_type":"feature","flag_name":"f","flag_value":true,"rollout_group":"control"}"#;
    let answer = whole("200 OK", "Cache-Status: stale\r\n", body);
    let server = Server::start(Manner::Bytes(answer));
    let client = client(&server);
    let detail = client.get_flag_boolean_detail("f", "A12345", false);
    assert_eq!(
        detail.source,
        Source::Service(Freshness::LastKnownAtService)
    );
    let detail = client.get_flag_boolean_detail("f", "A12345", false);
    assert_eq!(detail.source, Source::Cache(Freshness::LastKnownAtService));
}

#[test]
fn a_client_that_is_closed_answers_from_memory_only() {
    let server = Server::start(Manner::Value("true"));
    let client = client(&server);
    client.get_flag_boolean("f", "A12345", false);
    client.clone().close();
    assert!(client.get_flag_boolean("f", "A12345", false));
    let detail = client.get_flag_boolean_detail("g", "A12345", false);
    assert_eq!(detail.source, Source::Default(flag_client::Failure::Closed));
}

#[test]
fn settings_beyond_reason_are_borne() {
    let server = Server::start(Manner::Value("true"));
    let client = server
        .with_address(FeatureFlagClient::builder("p"))
        .timeout(Duration::MAX)
        .cache_lifetime(Duration::MAX)
        .cool_down(Duration::MAX)
        .cache_entries(usize::MAX)
        .build()
        .unwrap();
    client.get_flag_boolean("f", "A12345", false);
    assert!(client.get_flag_boolean("f", "A12345", false));
    assert_eq!(server.requests().len(), 1);
}
