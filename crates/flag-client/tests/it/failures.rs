//! The table of answers that give no value.

use flag_client::{AsyncFeatureFlagClient, Failure, Source};

use crate::server::{Manner, Server, whole};

/// What a service with this answer leads to: why there is no value, and how many of two questions reached it.
async fn ask(answer: String) -> (Failure, usize) {
    let server = Server::start(Manner::Bytes(answer));
    let client = server.with_address(AsyncFeatureFlagClient::builder("p"));
    let client = client.build().unwrap();
    let detail = client.get_flag_boolean_detail("f", "A12345", true).await;
    client.get_flag_boolean("f", "B67890", true).await;
    assert!(detail.value);
    match detail.source {
        Source::Default(failure) => (failure, server.requests().len()),
        other => panic!("{other:?}"),
    }
}

/// An error with its code; its status has to be as in the standard.
fn problem(status: &str, code: &str, detail: &str) -> String {
    retry(status, code, detail, "")
}

/// The same with a header.
fn retry(status: &str, code: &str, detail: &str, header: &str) -> String {
    let number = &status[..3];
    let body = format!(
        r#"{{"type":"about:blank","title":"","status":{number},"detail":"{detail}","code":"{code}","request_id":"r"}}"#
    );
    let headers = format!("Content-Type: application/problem+json\r\n{header}");
    whole(status, &headers, &body)
}

fn reply(body: &str) -> String {
    whole("200 OK", "Content-Type: application/json\r\n", body)
}

#[tokio::test]
async fn every_answer_without_a_value_gives_the_default() {
    let unknown = "No Flag Data found: p/feature/f has no revision";
    let table = [
        (
            whole("500 Internal Server Error", "", &" ".repeat(1_000_000)),
            "the service failed: 500 Internal Server Error, \"\"".into(),
            2,
        ),
        (problem("404 Not Found", "flag_not_found", unknown), format!("no such flag: {unknown}"), 1),
        (problem("404 Not Found", "not_found", "nothing at /"), "the service failed: 404 Not Found, nothing at /".into(), 2),
        (problem("400 Bad Request", "invalid_request", "instance_id: no"), "invalid question: instance_id: no".into(), 2),
        (problem("500 Internal Server Error", "invalid_flag_data", "row k"), "unreadable flag: row k".into(), 1),
        (problem("401 Unauthorized", "unauthorized", "no key"), "the service refuses the API key: 401 Unauthorized, no key".into(), 1),
        (problem("403 Forbidden", "forbidden", "wrong key"), "the service refuses the API key: 403 Forbidden, wrong key".into(), 1),
        (retry("429 Too Many Requests", "too_many", "slow down", "Retry-After: 5\r\n"), "the service failed: 429 Too Many Requests, slow down".into(), 1),
        (problem("500 Internal Server Error", "internal", "a mistake"), "the service failed: 500 Internal Server Error, a mistake".into(), 2),
        (retry("503 Service Unavailable", "store_unavailable", "no store", "Retry-After: 1\r\n"), "the service failed: 503 Service Unavailable, no store".into(), 1),
        (problem("504 Gateway Timeout", "timeout", "late"), "the service failed: 504 Gateway Timeout, late".into(), 2),
        (reply("not JSON"), r#"not an answer: expected ident at line 1 column 2 in "not JSON""#.into(), 2),
        (reply(r#"{"flag_value":true}"#), r#"not an answer: missing field `request_id` at line 1 column 19 in "{\"flag_value\":true}""#.into(), 2),
        (reply(r#"{"request_id":"r","instance_id":"A12345","flag_type":"feature","flag_name":"f","flag_value":"true","rollout_group":"control"}"#), "not an answer: the wrong kind of value".into(), 2),
    ];
    for (answer, expected, requests) in table {
        let (failure, count) = ask(answer).await;
        assert_eq!((failure.to_string(), count), (expected, requests));
    }
}
