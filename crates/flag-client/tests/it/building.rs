//! Settings that clients refuse.

use std::error::Error as _;

use flag_client::{AsyncFeatureFlagClient, ClientBuilder, Failure, FeatureFlagClient, Source};

#[track_caller]
fn check(builder: ClientBuilder<FeatureFlagClient>, expected: &str) {
    let error = builder.build().unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert!(error.source().is_none());
}

#[test]
fn a_project_that_cannot_be_is_refused() {
    let long = "p".repeat(129);
    for project in ["", "a#b", "50%", "a\n", &long] {
        check(
            FeatureFlagClient::builder(project),
            &format!(
                "project {project:?}: expected 1 to 128 characters without '#', '%' or control characters"
            ),
        );
    }
}

#[test]
fn a_base_url_that_cannot_be_is_refused() {
    for url in [
        "",
        "localhost:8080",
        "ftp://host",
        "http://",
        "http://[::1",
        "/flags",
    ] {
        check(
            FeatureFlagClient::builder("p").base_url(url),
            &format!("base URL {url:?}: expected http:// or https:// and a host"),
        );
    }
}

#[test]
fn a_base_url_is_refused_without_its_password() {
    for url in ["ftp://ann:secret@host", "http://ann:sec@ret@host:port/a@b"] {
        let builder = FeatureFlagClient::builder("p").base_url(url);
        let error = builder.build().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("ret"), "{error}");
    }
}

#[test]
fn a_key_that_cannot_be_sent_is_refused_without_being_shown() {
    let builder = FeatureFlagClient::builder("p").api_key("secret\n");
    assert!(!format!("{builder:?}").contains("secret"));
    check(
        builder,
        "header \"authorization\": its name or value cannot be sent",
    );
    check(
        FeatureFlagClient::builder("p").header("a b", "c"),
        "header \"a b\": its name or value cannot be sent",
    );
}

#[tokio::test]
async fn a_client_that_cannot_be_answers_nonetheless() {
    let client = AsyncFeatureFlagClient::new("no#project");
    assert!(client.get_flag_boolean("f", "A12345", true).await);
    let detail = client
        .to_blocking()
        .get_flag_string_detail("f", "A12345", "d");
    let Source::Default(Failure::Misconfigured(why)) = detail.source else {
        panic!("{detail:?}")
    };
    assert!(why.starts_with("project \"no#project\": expected"), "{why}");
}

#[test]
fn a_client_of_the_application_is_used() {
    let server = crate::server::Server::start(crate::server::Manner::Value("true"));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = || reqwest::Client::builder().user_agent("mine/1");
    let client = server
        .with_address(FeatureFlagClient::builder("p"))
        .http_client(http)
        .build()
        .unwrap();
    assert!(client.get_flag_boolean("f", "A12345", false));
    assert!(server.requests()[0].contains("\nuser-agent: mine/1\n"));
}
