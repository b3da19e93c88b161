//! What no polite server does.

use std::thread;
use std::time::{Duration, Instant};

use flag_client::{Failure, FeatureFlagClient, Source};

use crate::server::{Manner, Server, whole};

/// Asks a server that behaves like this, and tells why the default was given.
fn failure(server: &Server, timeout: Duration) -> Failure {
    let client = server
        .with_address(FeatureFlagClient::builder("p"))
        .timeout(timeout)
        .build()
        .unwrap();
    let asked = Instant::now();
    let detail = client.get_flag_string_detail("f", "A12345", "default");
    // Far more than the timeout, for a busy machine.
    assert!(asked.elapsed() < Duration::from_secs(30));
    assert_eq!(detail.value, "default");
    match detail.source {
        Source::Default(failure) => failure,
        other => panic!("{other:?}"),
    }
}

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_mins(1);

#[test]
fn a_silent_server_is_left_at_the_timeout() {
    let server = Server::start(Manner::Silence);
    assert_eq!(failure(&server, SHORT), Failure::TimedOut);
}

#[test]
fn a_server_that_trickles_is_left_at_the_timeout() {
    let server = Server::start(Manner::Trickle);
    assert_eq!(failure(&server, SHORT), Failure::TimedOut);
}

#[test]
fn a_gigabyte_is_not_taken() {
    let server = Server::start(Manner::Gigabyte);
    let expected = Failure::BadAnswer("longer than 524288 bytes".into());
    assert_eq!(failure(&server, LONG), expected);
    // What the buffers between may have held besides.
    assert!(server.bytes_sent() < 100_000_000, "{}", server.bytes_sent());
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(Manner::Value(r#""stolen""#));
    let location = format!("Location: {}/get-feature-flag\r\n", elsewhere.url());
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let server = Server::start(Manner::Bytes(whole(status, &location, "")));
        let expected = Failure::BadAnswer(format!("{status}, not followed").into());
        assert_eq!(failure(&server, LONG), expected);
    }
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn an_answer_that_is_cut_is_none() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n{\"request_id\"";
    let server = Server::start(Manner::Bytes(cut.to_owned()));
    let failure = failure(&server, LONG);
    assert!(failure.to_string().contains("end of file"), "{failure}");
}

#[test]
fn a_connection_that_is_closed_without_an_answer_is_tried_twice() {
    let server = Server::start(Manner::Bytes(String::new()));
    let failure = failure(&server, LONG);
    assert!(matches!(failure, Failure::BadAnswer(_)), "{failure}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn what_is_no_http_is_no_answer() {
    let server = Server::start(Manner::Bytes("220 mail.example ESMTP\r\n".to_owned()));
    let failure = failure(&server, LONG);
    assert!(matches!(failure, Failure::BadAnswer(_)), "{failure}");
}

#[test]
fn nobody_speaks_tls_where_plain_http_is_spoken() {
    let server = Server::start(Manner::Value("true"));
    let client = FeatureFlagClient::builder("p")
        .base_url(server.url().replace("http", "https"))
        .build()
        .unwrap();
    let detail = client.get_flag_boolean_detail("f", "A12345", true);
    assert!(detail.value);
    assert!(
        matches!(detail.source, Source::Default(Failure::Unreachable(_))),
        "{detail:?}"
    );
}

#[test]
fn a_refused_connection_is_reported_with_its_cause() {
    let client = FeatureFlagClient::builder("p")
        .base_url(Server::nowhere())
        .build()
        .unwrap();
    let detail = client.get_flag_boolean_detail("f", "A12345", true);
    let Source::Default(failure) = detail.source else {
        panic!("{detail:?}")
    };
    assert_eq!(
        failure.to_string(),
        "cannot reach the service: Connection refused (os error 111)"
    );
}

#[test]
fn a_host_that_does_not_exist_is_reported() {
    let client = FeatureFlagClient::builder("p")
        .base_url("http://no-such-host.invalid")
        .build()
        .unwrap();
    let detail = client.get_flag_boolean_detail("f", "A12345", true);
    assert!(
        matches!(
            detail.source,
            Source::Default(Failure::Unreachable(_) | Failure::TimedOut)
        ),
        "{detail:?}"
    );
}

#[test]
fn connections_that_are_reset_all_at_once_cost_no_call_its_answer() {
    const CALLS: usize = 40;
    let server = Server::start(Manner::Held("true"));
    let client = server
        .with_address(FeatureFlagClient::builder("p"))
        .timeout(LONG)
        .build()
        .unwrap();
    thread::scope(|scope| {
        for call in 0..CALLS {
            let client = &client;
            scope.spawn(move || client.get_flag_boolean("f", &format!("before-{call}"), false));
        }
        server.await_requests(CALLS);
        server.let_go();
    });
    assert_eq!(server.connections(), CALLS);

    server.lose_connections();
    server.set(Manner::Value("true"));
    for call in 0..CALLS {
        let detail = client.get_flag_boolean_detail("f", &format!("after-{call}"), false);
        assert!(matches!(detail.source, Source::Service(_)), "{detail:?}");
    }
}
