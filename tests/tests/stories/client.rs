//! Applications that use the client crate, and a service that comes and goes.

use flag_tests::{Application, Service, TestStore, flagctl, on_both_stores};

/// Waits until it is so; a test that waits for ever is ended by the test runner.
fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        std::thread::yield_now();
    }
}

#[test]
fn a_plain_application_outlives_its_service() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let (url, address) = (service.url().to_owned(), service.address());
    let mut application = Application::start("plain", &["300"], &url);
    let several = "A12345: steps several, provider vertex";
    assert_eq!(application.ask("A12345"), format!("{several} (asked)"));
    until(|| application.ask("A12345") == format!("{several} (remembered and watched)"));

    drop(service);
    until(|| application.ask("A12345") == format!("{several} (remembered)"));
    let answer = application.ask("B67890");
    assert!(
        answer.starts_with("B67890: steps one, provider openai (default: cannot reach the service"),
        "{answer}"
    );

    let _service = Service::start_with(&store, &[], &[("FLAG_LISTEN", &address)]);
    until(|| application.ask("B67890").ends_with("(asked)"));
    until(|| {
        application
            .ask("B67890")
            .ends_with("(remembered and watched)")
    });
}

async fn a_change_reaches_an_application_that_has_cached_the_value(store: TestStore) {
    let service = Service::start_with(&store, &["--demo"], &[]);
    let mut application = Application::start("changes", &["B67890"], service.url());
    assert_eq!(application.read(), "B67890: provider openai");
    let flag = ["csr-assistant", "data", "llm_provider"];
    let meant = ["--yes", "--yes-i-mean", "llm_provider"];
    let revise = ["--control", "vertex", "--comment", "For the test"];
    for (command, options, provider) in [
        ("revise", &revise[..], "vertex"),
        ("rollback", &[], "openai"),
    ] {
        let words = [&[command][..], &flag, options, &meant].concat();
        let changed = flagctl(&store, &words);
        assert_eq!(changed.code, 0, "{changed:?}");
        assert_eq!(application.read(), format!("B67890: provider {provider}"));
    }
}

on_both_stores!(a_change_reaches_an_application_that_has_cached_the_value);

#[test]
fn a_plain_application_falls_back_on_what_it_knew_last() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let (url, address) = (service.url().to_owned(), service.address());
    let mut application = Application::start("plain", &["0"], &url);
    let several = "A12345: steps several, provider vertex";
    assert_eq!(application.ask("A12345"), format!("{several} (asked)"));
    assert_eq!(application.ask("A12345"), format!("{several} (asked)"));

    drop(service);
    let before = format!("{several} (remembered from before: ");
    let answer = application.ask("A12345");
    assert!(
        answer.starts_with(&format!("{before}cannot reach the service")),
        "{answer}"
    );
    // Three questions of two flags each are more failures than the service is given.
    application.ask("A12345");
    application.ask("A12345");
    let answer = application.ask("A12345");
    assert!(
        answer.starts_with(&format!("{before}not asked, after: ")),
        "{answer}"
    );

    let _service = Service::start_with(&store, &[], &[("FLAG_LISTEN", &address)]);
    until(|| application.ask("A12345") == format!("{several} (asked)"));
}

async fn a_web_application_outlives_its_service(example: &str) {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let (url, address) = (service.url().to_owned(), service.address());
    let application = Application::start(example, &[], &url);
    assert_eq!(application.get("/users/A12345/steps").await, "several");

    drop(service);
    assert_eq!(application.get("/users/A12345/steps").await, "several");
    assert_eq!(application.get("/users/B67890/steps").await, "one");

    // The demo gives the treatment to 40 % of instances, of which this is one.
    assert_eq!(application.get("/users/A10001/steps").await, "one");
    let _service = Service::start_with(&store, &[], &[("FLAG_LISTEN", &address)]);
    while application.get("/users/A10001/steps").await == "one" {}
}

#[tokio::test(flavor = "multi_thread")]
async fn an_axum_application_outlives_its_service() {
    a_web_application_outlives_its_service("axum").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actix_application_outlives_its_service() {
    a_web_application_outlives_its_service("actix").await;
}
