//! What callers see while the service is away.

use std::time::Duration;

use flag_client::{ClientBuilder, Failure, FeatureFlagClient, Source};
use futures_util::future::join_all;

use crate::server::{Manner, Server, whole};

const LONG: Duration = Duration::from_mins(1);

fn broken() -> Manner {
    Manner::Bytes(whole("500 Internal Server Error", "", "broken"))
}

/// Nothing counts longer than it takes to read, so every question goes out.
fn forgetful(server: &Server) -> ClientBuilder<FeatureFlagClient> {
    let client = server.with_address(FeatureFlagClient::builder("p"));
    client.cache_lifetime(Duration::ZERO).timeout(LONG)
}

fn source(client: &FeatureFlagClient) -> Source {
    client.get_flag_boolean_detail("f", "A12345", false).source
}

fn failed() -> Failure {
    Failure::ServiceFailed("500 Internal Server Error, \"broken\"".into())
}

fn cooling_down() -> Failure {
    Failure::CoolingDown("the service failed: 500 Internal Server Error, \"broken\"".into())
}

#[test]
fn the_last_known_value_is_better_than_the_default() {
    let server = Server::start(Manner::Value("true"));
    let client = forgetful(&server).build().unwrap();
    source(&client);
    server.set(broken());
    let detail = client.get_flag_boolean_detail("f", "A12345", false);
    assert!(detail.value);
    assert_eq!(detail.rollout_group.as_deref(), Some("treatment_1"));
    assert_eq!(detail.source, Source::LastKnown(failed()));
}

#[test]
fn who_wants_no_stale_values_gets_the_default() {
    let server = Server::start(Manner::Value("true"));
    let client = forgetful(&server)
        .without_last_known_values()
        .build()
        .unwrap();
    source(&client);
    server.set(broken());
    assert_eq!(source(&client), Source::Default(failed()));
}

#[test]
fn that_there_is_no_flag_any_more_is_believed() {
    let server = Server::start(Manner::Value("true"));
    let client = forgetful(&server).build().unwrap();
    source(&client);
    let body = r#"{"code":"flag_not_found","detail":"No Flag Data found: f"}"#;
    server.set(Manner::Bytes(whole("404 Not Found", "", body)));
    let unknown = Failure::FlagNotFound("No Flag Data found: f".into());
    assert_eq!(source(&client), Source::Default(unknown));
}

#[test]
fn a_service_that_failed_five_times_is_not_asked() {
    let server = Server::start(broken());
    let client = forgetful(&server).cool_down(LONG).build().unwrap();
    for _ in 0..5 {
        assert_eq!(source(&client), Source::Default(failed()));
    }
    for _ in 0..1_000 {
        assert_eq!(source(&client), Source::Default(cooling_down()));
    }
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_service_that_answers_again_is_asked_again() {
    let server = Server::start(broken());
    let client = forgetful(&server)
        .cool_down(Duration::from_millis(1))
        .build()
        .unwrap();
    while source(&client) != Source::Default(cooling_down()) {}
    server.set(Manner::Value("true"));
    while !client.get_flag_boolean("f", "A12345", false) {}
    assert!(matches!(source(&client), Source::Service(_)));
}

#[test]
fn one_probe_goes_out_while_nobody_else_waits() {
    let server = Server::start(broken());
    let client = forgetful(&server)
        .cool_down(Duration::from_millis(1))
        .build()
        .unwrap();
    for _ in 0..5 {
        source(&client);
    }
    let sent = server.requests().len();
    server.set(Manner::Held("true"));
    let prober = client.clone();
    let probe = std::thread::spawn(move || while !prober.get_flag_boolean("f", "A12345", false) {});
    server.await_requests(sent + 1);
    // The probe is under way for as long as the test likes, and its flag is asked for by others meanwhile.
    for _ in 0..1_000 {
        assert_eq!(source(&client), Source::Default(cooling_down()));
    }
    assert_eq!(server.requests().len(), sent + 1);
    server.let_go();
    probe.join().unwrap();
}

#[test]
fn what_the_service_says_of_itself_is_obeyed_at_once() {
    let answer = whole("503 Service Unavailable", "Retry-After: 60\r\n", "");
    let server = Server::start(Manner::Bytes(answer));
    let client = forgetful(&server).build().unwrap();
    assert!(matches!(
        source(&client),
        Source::Default(Failure::ServiceFailed(_))
    ));
    assert!(matches!(
        source(&client),
        Source::Default(Failure::CoolingDown(_))
    ));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn what_waits_for_its_turn_obeys_too() {
    let answer = whole("503 Service Unavailable", "Retry-After: 60\r\n", "");
    let server = Server::start(Manner::Bytes(answer));
    let client = forgetful(&server).build().unwrap();
    let ids: Vec<String> = (0..1_000).map(|id| id.to_string()).collect();
    let client = client.to_async();
    let callers = ids.iter().map(|id| client.get_flag_boolean("f", id, true));
    let answers = futures_executor::block_on(join_all(callers));
    assert!(answers.into_iter().all(|is_on| is_on));
    let sent = server.requests().len();
    assert!(sent <= 64, "{sent}");
}

#[test]
fn what_the_service_has_denied_does_not_come_back() {
    let server = Server::start(Manner::Value("true"));
    let client = forgetful(&server).build().unwrap();
    source(&client);
    let body = r#"{"code":"flag_not_found","detail":"No Flag Data found: f"}"#;
    server.set(Manner::Bytes(whole("404 Not Found", "", body)));
    source(&client);
    server.set(broken());
    assert_eq!(source(&client), Source::Default(failed()));
}

#[test]
fn a_name_that_cannot_be_has_nobody_left_alone() {
    let answer = whole("414 URI Too Long", "", "");
    let server = Server::start(Manner::Bytes(answer));
    let client = forgetful(&server).build().unwrap();
    let long = "f".repeat(129);
    for name in ["", "a#b", "50%", "a\n", &long] {
        let detail = client.get_flag_boolean_detail(name, "A12345", true);
        assert!(
            matches!(detail.source, Source::Default(Failure::InvalidRequest(_))),
            "{detail:?}"
        );
    }
    assert!(server.requests().is_empty());
}

#[test]
fn unknown_flags_leave_the_circuit_closed_and_cost_one_request() {
    let body = r#"{"code":"flag_not_found","detail":"No Flag Data found: f"}"#;
    let server = Server::start(Manner::Bytes(whole("404 Not Found", "", body)));
    let client = server
        .with_address(FeatureFlagClient::builder("p"))
        .build()
        .unwrap();
    for instance in 0..100 {
        client.get_flag_boolean("f", &instance.to_string(), false);
    }
    assert_eq!(server.requests().len(), 1);
    for flag in 0..10 {
        client.get_flag_boolean(&flag.to_string(), "A12345", false);
    }
    assert_eq!(server.requests().len(), 11);
}

#[test]
fn a_question_that_cannot_be_is_not_sent() {
    let server = Server::start(Manner::Value("true"));
    let client = forgetful(&server).build().unwrap();
    for instance in ["", "a\0b", &"x".repeat(513)] {
        let detail = client.get_flag_boolean_detail("f", instance, true);
        assert!(detail.value);
        assert!(matches!(
            detail.source,
            Source::Default(Failure::InvalidRequest(_))
        ));
    }
    assert!(server.requests().is_empty());
}
