//! The client behind OpenFeature's own one.

use std::time::Duration;

use flag_client::AsyncFeatureFlagClient;
use flag_client::open_feature::Provider;
use open_feature::{Client, EvaluationContext, EvaluationErrorCode, EvaluationReason, OpenFeature};

use crate::server::{Manner, Server, whole};

/// A service that answers that an instance is in this group.
fn server(group: &str) -> Server {
    saying(group, "")
}

/// The same with these headers, which end their lines.
fn saying(group: &str, headers: &str) -> Server {
    let body = format!(
        r#"{{"request_id":"r","instance_id":"A12345","flag_type":"feature","flag_name":"f","flag_value":true,"rollout_group":"{group}"}}"#
    );
    Server::start(Manner::Bytes(whole("200 OK", headers, &body)))
}

async fn client(server: &Server, lifetime: Duration) -> Client {
    let client = server.with_address(AsyncFeatureFlagClient::builder("p"));
    let client = client.cache_lifetime(lifetime).build().unwrap();
    let mut api = OpenFeature::default();
    api.set_provider(Provider::new(client)).await;
    api.create_client()
}

fn ann() -> EvaluationContext {
    EvaluationContext::default().with_targeting_key("A12345")
}

/// Asks for a flag: value, variant and reason.
async fn ask(client: &Client) -> (bool, Option<String>, EvaluationReason) {
    let details = client
        .get_bool_details("f", Some(&ann()), None)
        .await
        .unwrap();
    (details.value, details.variant, details.reason.unwrap())
}

#[tokio::test]
async fn a_treatment_is_a_variant_and_memory_a_reason() {
    let server = server("treatment_1");
    let client = client(&server, Duration::from_mins(1)).await;
    let variant = Some("treatment_1".to_owned());
    let matched = EvaluationReason::TargetingMatch;
    assert_eq!(ask(&client).await, (true, variant.clone(), matched));
    assert_eq!(
        ask(&client).await,
        (true, variant, EvaluationReason::Cached)
    );
}

#[tokio::test]
async fn the_control_value_is_the_default_one() {
    let server = server("control");
    let client = client(&server, Duration::from_mins(1)).await;
    let variant = Some("control".to_owned());
    assert_eq!(
        ask(&client).await,
        (true, variant, EvaluationReason::Default)
    );
}

#[tokio::test]
async fn the_reason_is_what_the_service_says() {
    for (said, reason) in [
        ("override", EvaluationReason::TargetingMatch),
        ("rollout", EvaluationReason::Split),
        ("control", EvaluationReason::Default),
        ("another", EvaluationReason::TargetingMatch),
    ] {
        let server = saying("treatment_1", &format!("X-Flag-Reason: {said}\r\n"));
        let client = client(&server, Duration::from_mins(1)).await;
        assert_eq!(ask(&client).await.2, reason, "{said}");
    }
}

#[tokio::test]
async fn a_last_known_value_is_stale() {
    let server = server("control");
    let client = client(&server, Duration::ZERO).await;
    ask(&client).await;
    server.set(Manner::Bytes(whole("500 Internal Server Error", "", "")));
    let (value, _, reason) = ask(&client).await;
    assert_eq!((value, reason.to_string()), (true, "STALE".to_owned()));
}

#[tokio::test]
async fn without_a_value_there_is_an_error() {
    let body = r#"{"code":"flag_not_found","detail":"No Flag Data found: f"}"#;
    let problem = "Content-Type: application/problem+json\r\n";
    let unknown = whole("404 Not Found", problem, body);
    let server = Server::start(Manner::Bytes(unknown));
    let client = client(&server, Duration::ZERO).await;
    let ann = ann();
    let unknown = client
        .get_bool_value("f", Some(&ann), None)
        .await
        .unwrap_err();
    assert_eq!(unknown.code, EvaluationErrorCode::FlagNotFound);
    assert_eq!(
        unknown.message.unwrap(),
        "no such flag: No Flag Data found: f"
    );
    let nobody = client.get_bool_value("f", None, None).await.unwrap_err();
    assert_eq!(nobody.code, EvaluationErrorCode::TargetingKeyMissing);
    let empty = EvaluationContext::default().with_targeting_key("");
    let nobody = client
        .get_bool_value("f", Some(&empty), None)
        .await
        .unwrap_err();
    assert_eq!(nobody.code, EvaluationErrorCode::TargetingKeyMissing);
    let number = client
        .get_int_value("f", Some(&ann), None)
        .await
        .unwrap_err();
    assert_eq!(number.code, EvaluationErrorCode::TypeMismatch);
    server.set(Manner::Bytes(whole("404 Not Found", "", "")));
    let elsewhere = client
        .get_string_value("g", Some(&ann), None)
        .await
        .unwrap_err();
    assert!(
        matches!(elsewhere.code, EvaluationErrorCode::General(_)),
        "{elsewhere:?}"
    );
}
