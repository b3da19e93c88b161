//! OpenFeature's own clients, as processes, against the service: one scenario, and what each client gets wrong in it.
//!
//! `cargo xtask test` installs the clients that `tests/ofrep` pins, and says where they are.
mod client;
mod scenario;

use std::time::Instant;

use flag_tests::ofrep::{ODD_NAME, OVERRIDDEN, PROJECT, add_flags, apply, revise_text};
use flag_tests::{Proxy, Service, TestStore, free_address, on_both_stores};
use serde_json::{Value, json};

use self::client::Client;
use self::scenario::{Faults, Keys, NOTICED};

/// Reads a file of the repository.
fn read(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
    std::fs::read_to_string(format!("{root}{path}")).unwrap()
}

#[test]
fn the_page_names_the_releases_that_are_tested() {
    let page = read("docs/openfeature.md");
    let python = read("tests/ofrep/python/requirements.txt");
    let python = python.lines().filter(|line| !line.starts_with('#'));
    let node: Value = serde_json::from_str(&read("tests/ofrep/node/package.json")).unwrap();
    let node = node["dependencies"].as_object().unwrap().iter();
    let node = node.map(|(name, version)| format!("{name}@{}", version.as_str().unwrap()));
    // What the others bring along.
    let node = node.filter(|package| !package.contains("core@"));
    let rust = read("tests/ofrep/rust/Cargo.toml").replace(" = \"=", "@");
    let rust = rust.lines().filter(|line| line.starts_with("open-feature"));
    let rust = rust.map(|line| line.trim_end_matches('"').to_owned());
    let named: Vec<_> = python.map(str::to_owned).chain(node).chain(rust).collect();
    assert_eq!(named.len(), 8, "{named:?}");
    for package in named {
        assert!(page.contains(&package), "{package}");
    }
}

/// `openfeature-provider-ofrep` 0.3.0, for Python.
mod python {
    use super::*;

    on_both_stores!(it_evaluates_flags_as_the_service_does);

    async fn it_evaluates_flags_as_the_service_does(store: TestStore) {
        let faults = Faults {
            // A 500 is GENERAL, with the body of the answer as its message.
            unreadable: "GENERAL",
            ..Faults::of_keys("openfeature-provider-ofrep 0.3.0")
        };
        scenario::run(&mut Client::python(), &faults, store).await;
    }

    /// The adapter of `docs/openfeature.md`, which has the names of the Python framework's client.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_adapter_of_the_page_has_the_names_of_before() {
        let store = TestStore::embedded();
        add_flags(&store).await;
        let service = Service::start(&store);
        let mut adapter = Client::adapter(service.url(), PROJECT);
        let mut ask = |name: &str, flag: &str, instance: &str, default: Value| {
            adapter.ask(&json!({ "method": name, "arguments": [flag, instance, default] }))
        };
        let (boolean, string) = ("get_flag_boolean", "get_flag_string");
        assert_eq!(
            ask(boolean, "beta_search", OVERRIDDEN, json!(false)),
            json!(true)
        );
        assert_eq!(ask(boolean, "router", "B1", json!(false)), json!(true));
        assert_eq!(ask(string, "router", "B1", json!("south")), json!("north"));
        assert_eq!(ask(string, "llm_version", "B1", json!("1")), json!("4.1"));
        assert_eq!(ask(boolean, "llm_version", "B1", json!(true)), json!(true));
        assert_eq!(ask(string, "no_such_flag", "B1", json!("1")), json!("1"));
        assert_eq!(ask(string, "llm_version", "", json!("1")), json!("1"));
        drop(service);
        assert_eq!(ask(string, "llm_version", "B1", json!("1")), json!("1"));
    }

    #[test]
    fn the_page_shows_the_adapter_as_it_is_tested() {
        let adapter = read("tests/ofrep/python/flag_adapter.py");
        let shown = format!("```python\n{adapter}```\n");
        assert!(read("docs/openfeature.md").contains(&shown));
    }
}

/// `@openfeature/ofrep-provider` 0.1.3, for Node.js.
mod node {
    use super::*;

    on_both_stores!(it_evaluates_flags_as_the_service_does);

    async fn it_evaluates_flags_as_the_service_does(store: TestStore) {
        let client = "@openfeature/ofrep-provider 0.1.3 with @openfeature/ofrep-core 0.1.4";
        scenario::run(&mut Client::node(), &Faults::of_keys(client), store).await;
    }
}

/// `open-feature-ofrep` 0.1.2, for Rust.
mod rust {
    use super::*;

    on_both_stores!(it_evaluates_flags_as_the_service_does);

    async fn it_evaluates_flags_as_the_service_does(store: TestStore) {
        let faults = Faults {
            // It looks for a value in every answer that is none of 400, 401, 403, 404 and 429, and takes no other type.
            other_type: "PARSE_ERROR",
            // Every 400 is that.
            no_targeting_key: "INVALID_CONTEXT",
            every_reason: Some("STATIC"),
            ..Faults::of_keys("open-feature-ofrep 0.1.2")
        };
        scenario::run(&mut Client::rust(), &faults, store).await;
    }
}

/// `@openfeature/ofrep-web-provider` 0.4.3, in Chromium, in a page of another origin.
mod browser {
    use super::*;

    on_both_stores!(
        a_page_that_does_not_poll_notices_a_change_through_the_stream,
        a_page_whose_stream_breaks_notices_what_changed_meanwhile,
    );

    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_of_another_origin_has_all_flags_and_notices_changes() {
        let store = TestStore::embedded();
        add_flags(&store).await;
        let address = free_address();
        let origin = format!("http://{address}");
        let service = Service::start_with(&store, &[], &[("FLAG_CORS_ORIGINS", &origin)]);
        let mut page = Client::browser(&address);
        let url = format!("{}/projects/{PROJECT}", service.url());
        let opened = page.ask(
            &json!({ "op": "open", "url": url, "targetingKey": OVERRIDDEN, "pollInterval": 200 }),
        );
        assert_eq!(opened, json!({}));

        page.check("boolean", "beta_search", "TARGETING_MATCH", &json!(true));
        page.check("boolean", "router", "STATIC", &json!(true));
        page.check("boolean", ODD_NAME, "STATIC", &json!(true));
        page.check("string", "llm_version", "STATIC", &json!("4.1"));
        page.check("string", "data/router", "STATIC", &json!("north"));
        page.check_error("boolean", "no_such_flag", "FLAG_NOT_FOUND");
        page.check_error("boolean", "llm_version", "TYPE_MISMATCH");
        page.check_error("boolean", "unreadable", "PARSE_ERROR");

        // Polls are answered with 304, and the entity tag is read across origins.
        let mut requests = page.requests();
        while requests.last().is_none_or(|last| last["status"] != 304) {
            requests.extend(page.requests());
        }
        let (first, last) = (&requests[0], &requests[requests.len() - 1]);
        assert_eq!(
            (&first["status"], &first["asked"]),
            (&json!(200), &Value::Null)
        );
        assert_eq!(last["asked"], first["etag"]);

        revise_text(&store, "llm_version", "5.0");
        page.wait_for_text("5.0");

        let other = scenario::with_reason(&service, "DEFAULT").await;
        page.ask(&json!({ "op": "change", "targetingKey": other }));
        page.check("boolean", "beta_search", "DEFAULT", &json!(false));
    }

    async fn a_page_that_does_not_poll_notices_a_change_through_the_stream(store: TestStore) {
        let keys = Keys::new(store).await;
        let address = free_address();
        let origin = format!("http://{address}");
        let service = keys.start(&[("FLAG_CORS_ORIGINS", &origin)]);
        let mut page = Client::browser(&address);
        let url = format!("{}/projects/{PROJECT}", service.url());
        let opened = page
            .ask(&json!({ "op": "open", "url": url, "targetingKey": "B1", "apiKey": keys.right }));
        assert_eq!(opened, json!({}));
        page.check("string", "llm_version", "STATIC", &json!("4.1"));
        for text in ["5.0", "6.0"] {
            revise_text(&keys.store, "llm_version", text);
            page.wait_for_text(text);
        }
    }

    async fn a_page_whose_stream_breaks_notices_what_changed_meanwhile(store: TestStore) {
        add_flags(&store).await;
        let service = Service::start_with(&store, &[], &[("FLAG_CORS_ORIGINS", "*")]);
        let network = Proxy::to(&service.address()).await;
        let address = network.address();
        let mut page = Client::browser(&free_address());
        let url = format!("http://{address}/projects/{PROJECT}");
        let opened = page.ask(&json!({ "op": "open", "url": url, "targetingKey": "B1" }));
        assert_eq!(opened, json!({}));
        let began = Instant::now();
        while service.metric("flag_event_streams").await != 1 {
            assert!(began.elapsed() < NOTICED, "the page opens no stream");
        }
        network.cut().await;
        revise_text(&store, "llm_version", "5.0");
        let began = Instant::now();
        while service.evaluate("llm_version", "B1").await.body["value"] != "5.0" {
            assert!(began.elapsed() < NOTICED, "the change is not seen");
        }
        page.check("string", "llm_version", "STATIC", &json!("4.1"));
        let _network = Proxy::at(&address, &service.address()).await;
        page.wait_for_text("5.0");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_that_asks_too_often_reads_when_it_may_ask_again() {
        let store = TestStore::embedded();
        add_flags(&store).await;
        let address = free_address();
        let origin = format!("http://{address}");
        let variables = [
            ("FLAG_CORS_ORIGINS", &*origin),
            ("FLAG_RATE_LIMIT", "1"),
            ("FLAG_RATE_LIMIT_BURST", "5"),
        ];
        let service = Service::start_with(&store, &[], &variables);
        let mut page = Client::browser(&address);
        let url = format!("{}/projects/{PROJECT}", service.url());
        let opened = page.ask(&json!({ "op": "open", "url": url, "targetingKey": "B0" }));
        assert_eq!(opened, json!({}));
        page.requests();
        let refused = page.changes_until(429);
        let seconds: u32 = refused["retryAfter"].as_str().unwrap().parse().unwrap();
        assert!((1..=10).contains(&seconds), "{refused}");
        // It keeps its flags, and asks again afterwards.
        page.check("string", "llm_version", "STATIC", &json!("4.1"));
        page.changes_until(200);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_gets_a_thousand_flags() {
        let store = TestStore::embedded();
        let flags: Vec<Value> = (0..1_000)
            .map(|number| json!({ "flag_type": "data", "name": format!("flag_{number:04}"), "metadata": { "description": "x" }, "revision": { "control": format!("{number}") } }))
            .collect();
        apply(
            &store,
            &json!({ "file_version": 1, "project": PROJECT, "flags": flags }),
        );
        let service = Service::start_with(&store, &[], &[("FLAG_CORS_ORIGINS", "*")]);
        let mut page = Client::browser(&free_address());
        let url = format!("{}/projects/{PROJECT}", service.url());
        assert_eq!(
            page.ask(&json!({ "op": "open", "url": url, "targetingKey": "B1" })),
            json!({})
        );
        for number in [0, 500, 999] {
            let value = json!(number.to_string());
            page.check("string", &format!("flag_{number:04}"), "STATIC", &value);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_without_access_gets_an_error() {
        let keys = Keys::new(TestStore::embedded()).await;
        let address = free_address();
        let origin = format!("http://{address}");
        let service = keys.start(&[("FLAG_CORS_ORIGINS", &origin)]);
        let mut page = Client::browser(&address);
        let url = format!("{}/projects/{PROJECT}", service.url());
        let mut open = |key: &str| {
            let opened =
                page.ask(&json!({ "op": "open", "url": url, "targetingKey": "B1", "apiKey": key }));
            let status = page.requests().last().map(|last| last["status"].clone());
            (opened, status)
        };
        assert_eq!(open(&keys.right).0, json!({}));
        for (key, status) in [("wrong", 401), (&*keys.elsewhere, 403)] {
            let (opened, found) = open(key);
            assert!(opened["errorMessage"].is_string(), "{opened}");
            assert_eq!(found, Some(json!(status)));
        }
        // Without the setting the browser keeps the answer from the page.
        let closed = keys.start(&[]);
        let url = format!("{}/projects/{PROJECT}", closed.url());
        let opened = page
            .ask(&json!({ "op": "open", "url": url, "targetingKey": "B1", "apiKey": keys.right }));
        assert!(opened["errorMessage"].is_string(), "{opened}");
    }
}
