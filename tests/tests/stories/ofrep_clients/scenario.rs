//! The scenario that every client which evaluates one flag at a time goes through.

use std::time::{Duration, Instant};

use flag_tests::ofrep::{ODD_NAME, OVERRIDDEN, PROJECT, add_flags, revise_text};
use flag_tests::{Service, TestStore, flagctl};
use serde_json::json;
use tempfile::TempDir;

use super::client::Client;

/// How long a machine with much else to do may take to notice a change.
const NOTICED: Duration = Duration::from_secs(20);

/// What a client makes of answers that are right.
pub(super) struct Faults {
    /// Its name and version.
    pub(super) client: &'static str,
    /// Its code for a flag that cannot be read; the service says `PARSE_ERROR`.
    pub(super) unreadable: &'static str,
    /// Its code for a key with a question mark; the service has such a flag.
    pub(super) question_mark: &'static str,
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
    pub(super) async fn new() -> Self {
        let store = TestStore::embedded();
        add_flags(&store).await;
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("keys.json");
        let create = |project: &str| {
            let project = format!("--project={project}");
            let args = [
                "keys",
                "create",
                "-oname",
                "--file",
                path.to_str().unwrap(),
                "--scope=evaluate",
                &project,
            ];
            let made = flagctl(&store, &args);
            assert_eq!(made.code, 0, "{made:?}");
            made.stdout.trim().to_owned()
        };
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

/// Runs the scenario.
pub(super) async fn run(client: &mut Client, faults: &Faults) {
    let store = TestStore::embedded();
    add_flags(&store).await;
    let service = Service::start(&store);
    open(client, &service, None);
    values(client, &service).await;
    failures(client, faults);
    revise_text(&store, "llm_version", "5.0");
    let began = Instant::now();
    while client.evaluate("string", "llm_version", Some("B1"))["value"] != "5.0" {
        assert!(began.elapsed() < NOTICED, "the change is not seen");
    }
    access(client).await;
    rate(client).await;
}

fn open(client: &mut Client, service: &Service, key: Option<&str>) {
    let mut question =
        json!({ "op": "open", "url": format!("{}/projects/{PROJECT}", service.url()) });
    if let Some(key) = key {
        question["apiKey"] = json!(key);
    }
    assert_eq!(client.ask(&question), json!({}));
}

async fn values(client: &mut Client, service: &Service) {
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
            (&json!(reason), &json!(variant))
        );
        assert_eq!(found["metadata"]["flagType"], "feature");
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
            (&value, &json!("STATIC")),
            "{key}: {found}"
        );
    }
}

fn failures(client: &mut Client, faults: &Faults) {
    let code = |client: &mut Client, flag_type: &str, key: &str, instance: Option<&str>| {
        let found = client.evaluate(flag_type, key, instance);
        let default = if flag_type == "boolean" {
            json!(false)
        } else {
            json!("default")
        };
        assert_eq!(found["value"], default, "{}: {found}", faults.client);
        found["errorCode"].as_str().unwrap().to_owned()
    };
    let instance = Some("B1");
    assert_eq!(
        code(client, "boolean", "no_such_flag", instance),
        "FLAG_NOT_FOUND"
    );
    assert_eq!(
        code(client, "boolean", "llm_version", instance),
        "TYPE_MISMATCH"
    );
    assert_eq!(
        code(client, "string", "beta_search", instance),
        "TYPE_MISMATCH"
    );
    assert_eq!(
        code(client, "boolean", "beta_search", None),
        "TARGETING_KEY_MISSING"
    );
    let long = "x".repeat(513);
    assert_eq!(
        code(client, "boolean", "beta_search", Some(&long)),
        "INVALID_CONTEXT"
    );
    assert_eq!(
        code(client, "boolean", "unreadable", instance),
        faults.unreadable
    );
    assert_eq!(
        code(client, "boolean", "why?", instance),
        faults.question_mark
    );
}

async fn access(client: &mut Client) {
    let keys = Keys::new().await;
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

/// A client that is told to wait sends nothing until then.
async fn rate(client: &mut Client) {
    let store = TestStore::embedded();
    add_flags(&store).await;
    let limits = [("FLAG_RATE_LIMIT", "1"), ("FLAG_RATE_LIMIT_BURST", "2")];
    let service = Service::start_with(&store, &[], &limits);
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
