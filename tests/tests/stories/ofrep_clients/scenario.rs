//! The scenario that every client which evaluates one flag at a time goes through.

use std::time::{Duration, Instant};

use flag_tests::ofrep::{ODD_NAME, OVERRIDDEN, PROJECT, add_flags, create_key, revise_text};
use flag_tests::{Service, TestStore};
use serde_json::json;
use tempfile::TempDir;

use super::client::Client;

/// How long a machine with much else to do may take to notice a change.
pub(super) const NOTICED: Duration = Duration::from_secs(20);

/// What a client makes of answers that are right.
pub(super) struct Faults {
    /// Its name and version.
    pub(super) client: &'static str,
    /// Its code for a flag that cannot be read; the service says `PARSE_ERROR`.
    pub(super) unreadable: &'static str,
    /// Its code for a key with a question mark; the service has such a flag.
    pub(super) question_mark: &'static str,
    /// Its code for a value of another type.
    pub(super) other_type: &'static str,
    /// Its code for a context without a targeting key; the service says so.
    pub(super) no_targeting_key: &'static str,
    /// The reason that it gives for every value, whatever the service says; it then drops the metadata too.
    pub(super) every_reason: Option<&'static str>,
}

impl Faults {
    /// A client that is right but for its keys: it joins them to the URL as they are, and what follows a question mark is a query.
    pub(super) const fn of_keys(client: &'static str) -> Self {
        Self {
            client,
            unreadable: "PARSE_ERROR",
            question_mark: "FLAG_NOT_FOUND",
            other_type: "TYPE_MISMATCH",
            no_targeting_key: "TARGETING_KEY_MISSING",
            every_reason: None,
        }
    }
}

/// A store with the flags, and a file of keys.
pub(super) struct Keys {
    pub(super) store: TestStore,
    folder: TempDir,
    /// A key for the project of the flags.
    pub(super) right: String,
    /// A key for another project.
    pub(super) elsewhere: String,
}

impl Keys {
    /// Adds the flags to the store.
    pub(super) async fn new(store: TestStore) -> Self {
        add_flags(&store).await;
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("keys.json");
        let create = |project| create_key(&store, &path, &[project]);
        let (right, elsewhere) = (create(PROJECT), create("other"));
        Self {
            store,
            folder,
            right,
            elsewhere,
        }
    }

    pub(super) fn start(&self, variables: &[(&str, &str)]) -> Service {
        let path = self.folder.path().join("keys.json");
        let options = ["--api-keys-file", path.to_str().unwrap()];
        Service::start_with(&self.store, &options, variables)
    }
}

/// Finds an instance for which `beta_search` has this reason.
pub(super) async fn with_reason(service: &Service, reason: &str) -> String {
    for number in 0..100 {
        let instance = format!("B{number}");
        if service.evaluate("beta_search", &instance).await.body["reason"] == reason {
            return instance;
        }
    }
    panic!("nobody has {reason}");
}

/// Runs the scenario with the flags in this store.
pub(super) async fn run(client: &mut Client, faults: &Faults, store: TestStore) {
    let keys = Keys::new(store).await;
    let service = Service::start(&keys.store);
    open(client, &service, None);
    values(client, &service, faults).await;
    failures(client, faults);
    revise_text(&keys.store, "llm_version", "5.0");
    let began = Instant::now();
    while client.evaluate("string", "llm_version", Some("B1"))["value"] != "5.0" {
        assert!(began.elapsed() < NOTICED, "the change is not seen");
    }
    drop(service);
    access(client, &keys);
    rate(client, &keys.store).await;
}

fn open(client: &mut Client, service: &Service, key: Option<&str>) {
    let mut question =
        json!({ "op": "open", "url": format!("{}/projects/{PROJECT}", service.url()) });
    if let Some(key) = key {
        question["apiKey"] = json!(key);
    }
    assert_eq!(client.ask(&question), json!({}));
}

async fn values(client: &mut Client, service: &Service, faults: &Faults) {
    let told = |reason: &'static str| json!(faults.every_reason.unwrap_or(reason));
    let split = with_reason(service, "SPLIT").await;
    let control = with_reason(service, "DEFAULT").await;
    for (instance, reason, value, variant) in [
        (OVERRIDDEN, "TARGETING_MATCH", true, "on"),
        (&split, "SPLIT", true, "on"),
        (&control, "DEFAULT", false, "control"),
    ] {
        let found = client.evaluate("boolean", "beta_search", Some(instance));
        assert_eq!(found["value"], value, "{found}");
        assert_eq!(
            (&found["reason"], &found["variant"]),
            (&told(reason), &json!(variant)),
            "{}",
            faults.client
        );
        let flag_type = faults.every_reason.is_none().then_some("feature");
        assert_eq!(found["metadata"]["flagType"], json!(flag_type), "{found}");
        assert!(found["errorCode"].is_null());
    }
    for (flag_type, key, value) in [
        ("string", "llm_version", json!("4.1")),
        ("boolean", "router", json!(true)),
        ("string", "data/router", json!("north")),
        ("boolean", ODD_NAME, json!(true)),
    ] {
        let found = client.evaluate(flag_type, key, Some("B1"));
        assert_eq!(
            (&found["value"], &found["reason"]),
            (&value, &told("STATIC")),
            "{key}: {found}"
        );
    }
}

fn failures(client: &mut Client, faults: &Faults) {
    let (instance, long) = (Some("B1"), "x".repeat(513));
    for (flag_type, key, instance, code) in [
        ("boolean", "no_such_flag", instance, "FLAG_NOT_FOUND"),
        ("boolean", "llm_version", instance, faults.other_type),
        ("string", "beta_search", instance, faults.other_type),
        ("boolean", "beta_search", None, faults.no_targeting_key),
        ("boolean", "beta_search", Some(&*long), "INVALID_CONTEXT"),
        ("boolean", "unreadable", instance, faults.unreadable),
        ("boolean", "why?", instance, faults.question_mark),
    ] {
        let found = client.evaluate(flag_type, key, instance);
        let default = if flag_type == "boolean" {
            json!(false)
        } else {
            json!("default")
        };
        assert_eq!(
            (&found["value"], &found["errorCode"]),
            (&default, &json!(code)),
            "{}: {key}: {found}",
            faults.client
        );
    }
}

fn access(client: &mut Client, keys: &Keys) {
    let service = keys.start(&[]);
    open(client, &service, Some(&keys.right));
    assert_eq!(
        client.evaluate("boolean", "router", Some("B1"))["value"],
        true
    );
    for key in [Some("wrong"), Some(&*keys.elsewhere), None] {
        open(client, &service, key);
        let found = client.evaluate("boolean", "router", Some("B1"));
        assert_eq!(
            (&found["errorCode"], &found["value"]),
            (&json!("GENERAL"), &json!(false)),
            "{found}"
        );
    }
}

/// A client sends nothing before the end of the time that `Retry-After` gives.
async fn rate(client: &mut Client, store: &TestStore) {
    let limits = [("FLAG_RATE_LIMIT", "1"), ("FLAG_RATE_LIMIT_BURST", "2")];
    let service = Service::start_with(store, &[], &limits);
    open(client, &service, None);
    let codes: Vec<_> = (0..5)
        .map(|_| client.evaluate("boolean", "router", Some("B1"))["errorCode"].clone())
        .collect();
    assert!(codes.contains(&json!("GENERAL")), "{codes:?}");
    let began = Instant::now();
    while !client.evaluate("boolean", "router", Some("B1"))["errorCode"].is_null() {
        assert!(began.elapsed() < NOTICED, "the client waits for ever");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
