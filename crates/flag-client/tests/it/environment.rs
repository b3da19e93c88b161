//! What a client takes from the environment, and says there. Each test runs [`child`] in a process of its own.

use std::env;
use std::process::Command;

use flag_client::FeatureFlagClient;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::server::{Manner, Server};

/// How standard output says what the client answered.
const ANSWER: &str = "answer: ";

const KEY: (&str, &str) = ("FLAG_API_KEY", "ffk_secret");

/// Set if a subscriber listens.
const LISTENING: &str = "LISTENING";

/// Nobody serves this host, except through a proxy.
const FAR: (&str, &str) = ("FLAG_SERVICE_URL", "http://flags.invalid");

/// A subscriber that keeps nothing.
struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
#[ignore = "the other tests run it, in a process of its own"]
fn child() {
    if env::var_os(LISTENING).is_some() {
        tracing::subscriber::set_global_default(Listener).unwrap();
    }
    let client = FeatureFlagClient::new("p");
    drop(FeatureFlagClient::new("p"));
    let detail = client.get_flag_boolean_detail("f", "a", false);
    println!("\n{ANSWER}{} {:?}", detail.value, detail.source);
}

/// The answer and the lines on standard error of a client with these variables.
fn run(variables: &[(&str, &str)]) -> (String, Vec<String>) {
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command
        .args(["--exact", "environment::child", "--ignored", "--nocapture"])
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let lines = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (said, complaints) = (lines(output.stdout), lines(output.stderr));
    let answer = said.iter().find_map(|line| line.strip_prefix(ANSWER));
    (answer.unwrap().to_owned(), complaints)
}

#[track_caller]
fn check(variables: &[(&str, &str)], expected: &str) {
    assert_eq!(run(variables).0, expected);
}

/// The client is misconfigured for this reason.
#[track_caller]
fn check_refused(variables: &[(&str, &str)], why: &str) {
    check(variables, &format!("false Default(Misconfigured({why:?}))"));
}

#[test]
fn a_problem_is_said_once_on_standard_error_if_nobody_listens() {
    let variables = [("FLAG_SERVICE_URL", "flags.example")];
    let why = r#"base URL "flags.example": expected http:// or https:// and a host"#;
    check_refused(&variables, why);
    let line = format!("flag-client: {why}. Every call returns its default.");
    assert_eq!(run(&variables).1, [line]);
    let heard = [variables[0], (LISTENING, "1")];
    assert_eq!(run(&heard).1, [""; 0]);
}

#[test]
fn the_api_key_comes_from_the_environment() {
    let server = Server::start(Manner::Value("true"));
    let url = server.url();
    let service = ("FLAG_SERVICE_URL", &*url);
    check(&[service, KEY], "true Service(Current)");
    check(&[service, ("FLAG_API_KEY", "")], "true Service(Current)");
    let requests = server.requests();
    assert!(requests[0].contains("\nauthorization: Bearer ffk_secret\n"));
    assert!(!requests[1].contains("authorization"));
}

#[test]
fn an_api_key_that_cannot_be_sent_is_refused_without_being_shown() {
    check_refused(
        &[("FLAG_API_KEY", "ffk_secret\n")],
        "FLAG_API_KEY holds a character that cannot be sent in a header, such as a line break",
    );
}

#[test]
fn a_service_on_this_machine_is_asked_without_a_proxy() {
    let server = Server::start(Manner::Value("true"));
    let proxy = Server::start(Manner::Value("true"));
    for address in [server.url(), server.url().replace("127.0.0.1", "localhost")] {
        for (name, value) in [
            ("HTTP_PROXY", proxy.url()),
            ("http_proxy", proxy.url()),
            ("ALL_PROXY", "socks5://127.0.0.1:9".to_owned()),
        ] {
            check(
                &[("FLAG_SERVICE_URL", &address), (name, &value), KEY],
                "true Service(Current)",
            );
        }
    }
    assert_eq!(proxy.requests(), [""; 0]);
}

#[test]
fn a_service_elsewhere_is_asked_through_the_proxy() {
    let proxy = Server::start(Manner::Value("true"));
    let url = proxy.url().replace("http://", "http://ann:secret@");
    check(&[FAR, ("HTTP_PROXY", &url)], "true Service(Current)");
    let request = &proxy.requests()[0];
    assert!(
        request.starts_with("GET http://flags.invalid/"),
        "{request}"
    );
    assert!(request.contains("\nproxy-authorization: Basic YW5uOnNlY3JldA==\n"));
}

#[test]
fn a_failure_names_the_proxy() {
    let nowhere = Server::nowhere();
    let (answer, _) = run(&[FAR, ("HTTP_PROXY", &nowhere)]);
    assert!(answer.contains("Connection refused"), "{answer}");
    assert!(answer.contains(&format!("(through the proxy {nowhere})")));

    let gateway = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let proxy = Server::start(Manner::Bytes(gateway.to_owned()));
    let name = format!("(through the proxy {})", proxy.url());
    for service in ["http://flags.invalid", "https://flags.invalid"] {
        let variables = [("FLAG_SERVICE_URL", service), ("ALL_PROXY", &proxy.url())];
        let (answer, _) = run(&variables);
        assert!(answer.contains(&name), "{answer}");
    }
}

#[test]
fn a_proxy_never_reads_the_api_key() {
    let proxy = Server::start(Manner::Value("true"));
    let url = proxy.url();
    let proxied = [("HTTP_PROXY", &*url), ("HTTPS_PROXY", &*url), KEY];
    check_refused(
        &[&proxied[..], &[FAR]].concat(),
        &format!(
            "the proxy {url} would read the API key, as the base URL is not https://. \
             To go without the proxy, list \"flags.invalid\" in NO_PROXY"
        ),
    );
    assert_eq!(proxy.requests(), [""; 0]);

    let service = ("FLAG_SERVICE_URL", "https://flags.invalid");
    run(&[&proxied[..], &[service]].concat());
    let request = proxy.requests().concat();
    assert!(
        request.starts_with("CONNECT flags.invalid:443 "),
        "{request}"
    );
    assert!(!request.contains("ffk_secret"));
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused() {
    check_refused(
        &[FAR, ("ALL_PROXY", "socks5://127.0.0.1:9")],
        "ALL_PROXY=\"socks5://127.0.0.1:9\" is not a proxy that can be used: expected http:// or https:// and a \
         host. To go without it, list \"flags.invalid\" in NO_PROXY",
    );
}
