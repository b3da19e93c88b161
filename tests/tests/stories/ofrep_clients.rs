//! OpenFeature's own clients, as processes, against the service: one scenario, and what each client gets wrong in it.
//!
//! `cargo xtask test` installs the clients that `tests/ofrep` pins, and says where they are.
mod client;
mod scenario;

use flag_tests::ofrep::{ODD_NAME, OVERRIDDEN, PROJECT, add_flags, apply, revise_text};
use flag_tests::{Service, TestStore, free_address};
use serde_json::{Value, json};

use self::client::Client;
use self::scenario::Faults;

/// `openfeature-provider-ofrep` 0.3.0, for Python.
mod python {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn it_evaluates_flags_as_the_service_does() {
        let faults = Faults {
            client: "openfeature-provider-ofrep 0.3.0",
            // A 500 is GENERAL, with the body of the answer as its message.
            unreadable: "GENERAL",
            // Keys are joined to the URL as they are: what follows a question mark is a query.
            question_mark: "FLAG_NOT_FOUND",
        };
        scenario::run(&mut Client::python(), &faults).await;
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
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
        let read = |path: &str| std::fs::read_to_string(format!("{root}{path}")).unwrap();
        let adapter = read("tests/ofrep/python/flag_adapter.py");
        let shown = format!("```python\n{adapter}```\n");
        assert!(read("docs/openfeature.md").contains(&shown));
    }
}

/// `@openfeature/ofrep-provider` 0.1.3, for Node.js.
mod node {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn it_evaluates_flags_as_the_service_does() {
        let faults = Faults {
            client: "@openfeature/ofrep-provider 0.1.3 with @openfeature/ofrep-core 0.1.4",
            unreadable: "PARSE_ERROR",
            // The same.
            question_mark: "FLAG_NOT_FOUND",
        };
        scenario::run(&mut Client::node(), &faults).await;
    }
}

/// `@openfeature/ofrep-web-provider` 0.4.3, in Chromium, in a page of another origin.
mod browser {
    use super::*;

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
        let seen = page.ask(&json!({ "op": "until", "type": "string", "key": "llm_version", "default": "", "value": "5.0" }));
        assert_eq!(seen["value"], "5.0");

        let other = scenario::with_reason(&service, "DEFAULT").await;
        page.ask(&json!({ "op": "change", "targetingKey": other }));
        page.check("boolean", "beta_search", "DEFAULT", &json!(false));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_that_does_not_poll_notices_a_change_through_the_stream() {
        let keys = scenario::Keys::new().await;
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
            let seen = page.ask(&json!({ "op": "until", "type": "string", "key": "llm_version", "default": "", "value": text }));
            assert_eq!(seen["value"], text);
        }
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
    async fn a_page_without_access_is_told_so() {
        let keys = scenario::Keys::new().await;
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
