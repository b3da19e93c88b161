//! The table of answers that give no value.

use flag_client::{AsyncFeatureFlagClient, Failure, Source};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// What a service with this answer leads to: why there is no value, and how many of two questions reached it.
async fn ask(answer: ResponseTemplate) -> (Failure, usize) {
    let server = MockServer::start().await;
    Mock::given(path("/get-feature-flag"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let client = AsyncFeatureFlagClient::builder("p")
        .base_url(server.uri())
        .build()
        .unwrap();
    let detail = client.get_flag_boolean_detail("f", "A12345", true).await;
    client.get_flag_boolean("f", "B67890", true).await;
    assert!(detail.value);
    let requests = server.received_requests().await.unwrap().len();
    match detail.source {
        Source::Default(failure) => (failure, requests),
        other => panic!("{other:?}"),
    }
}

fn problem(status: u16, code: &str, detail: &str) -> ResponseTemplate {
    let body = format!(
        r#"{{"type":"about:blank","title":"","status":{status},"detail":"{detail}","code":"{code}","request_id":"r"}}"#
    );
    ResponseTemplate::new(status).set_body_raw(body, "application/problem+json")
}

fn reply(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

#[tokio::test]
async fn every_answer_without_a_value_gives_the_default() {
    let unknown = "No Flag Data found: p/feature/f has no revision";
    let table = [
        (
            ResponseTemplate::new(500).set_body_bytes(vec![b' '; 1_000_000]),
            "the service failed: 500 Internal Server Error, \"\"".into(),
            2,
        ),
        (problem(404, "flag_not_found", unknown), format!("no such flag: {unknown}"), 1),
        (problem(404, "not_found", "nothing at /"), "the service failed: 404 Not Found, nothing at /".into(), 2),
        (problem(400, "invalid_request", "instance_id: no"), "invalid question: instance_id: no".into(), 2),
        (problem(500, "invalid_flag_data", "row k"), "unreadable flag: row k".into(), 1),
        (problem(401, "unauthorized", "no key"), "the service refuses the API key: 401 Unauthorized, no key".into(), 1),
        (problem(403, "forbidden", "wrong key"), "the service refuses the API key: 403 Forbidden, wrong key".into(), 1),
        (problem(429, "too_many", "slow down").insert_header("Retry-After", "5"), "the service failed: 429 Too Many Requests, slow down".into(), 1),
        (problem(500, "internal", "a mistake"), "the service failed: 500 Internal Server Error, a mistake".into(), 2),
        (problem(503, "store_unavailable", "no store").insert_header("Retry-After", "1"), "the service failed: 503 Service Unavailable, no store".into(), 1),
        (problem(504, "timeout", "late"), "the service failed: 504 Gateway Timeout, late".into(), 2),
        (reply("not JSON"), r#"not an answer: expected ident at line 1 column 2 in "not JSON""#.into(), 2),
        (reply(r#"{"flag_value":true}"#), r#"not an answer: missing field `request_id` at line 1 column 19 in "{\"flag_value\":true}""#.into(), 2),
        (reply(r#"{"request_id":"r","instance_id":"A12345","flag_type":"feature","flag_name":"f","flag_value":"true","rollout_group":"control"}"#), "not an answer: the wrong kind of value".into(), 2),
    ];
    for (answer, expected, requests) in table {
        let (failure, count) = ask(answer).await;
        assert_eq!((failure.to_string(), count), (expected, requests));
    }
}
