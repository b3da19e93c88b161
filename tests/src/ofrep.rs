//! A store with flags for the stories of OFREP, and its requests.

use std::path::Path;

use flag_store::{Cells, Row};
use serde_json::{Value, json};

use crate::{Method, Reply, RequestBuilder, Service, TestStore, flagctl};

/// The project of these flags.
pub const PROJECT: &str = "csr-assistant";

/// A name that must be encoded in a path; the tooling of the Python framework takes it.
pub const ODD_NAME: &str = "new search/ü";

/// An instance that an override list holds.
pub const OVERRIDDEN: &str = "A12345";

/// Adds the flags: a boolean with an override and 50 %, a text without treatments, a name of both types, one that must be encoded,
/// and one that cannot be read.
pub async fn add_flags(store: &TestStore) {
    let flag = |flag_type: &str, name: &str, revision: Value| json!({ "flag_type": flag_type, "name": name, "metadata": { "description": name }, "revision": revision });
    let on = json!({ "name": "on", "percent": 50, "value": true, "overrides": [OVERRIDDEN] });
    let file = json!({
        "file_version": 1,
        "project": PROJECT,
        "flags": [
            flag("feature", "beta_search", json!({ "control": false, "treatments": [on] })),
            flag("data", "llm_version", json!({ "control": "4.1" })),
            flag("data", "router", json!({ "control": "north" })),
            flag("feature", "router", json!({ "control": true })),
        ],
    });
    apply(store, &file);
    let left = [
        ("why?", "FEATURE", "feature", "1"),
        (ODD_NAME, "FEATURE", "feature", "1"),
        ("unreadable", "FEATURE", "feature", "3"),
    ];
    let rows = left.map(|(name, upper, lower, version)| Row {
        key: format!(
            "PROJECT#{PROJECT}#ROWTYPE#REVISION#FLAGTYPE#{lower}#FLAGNAME#{name}#TIME#2026-01-02 03:04:05.000006"
        )
        .into(),
        cells: Cells::default()
            .with("Name", name)
            .with("Type", upper)
            .with("FormatVersion", version)
            .with("ControlValue", "True")
            .with("Treatments", "[]"),
    });
    store.leave(&rows).await;
}

/// Applies a flag file.
#[track_caller]
pub fn apply(store: &TestStore, file: &Value) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("flags.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let path = path.to_str().unwrap();
    let applied = flagctl(store, &["apply", "-f", path, "--yes", "--comment", "Test"]);
    assert_eq!(applied.code, 0, "{applied:?}");
}

/// Creates an API key in this file, which evaluates flags of these projects.
#[track_caller]
pub fn create_key(store: &TestStore, file: &Path, projects: &[&str]) -> String {
    let file = file.to_str().unwrap();
    let mut args = vec!["keys", "create", "-oname", "--file", file];
    args.push("--scope=evaluate");
    args.extend(projects.iter().flat_map(|project| ["--project", *project]));
    let made = flagctl(store, &args);
    assert_eq!(made.code, 0, "{made:?}");
    made.stdout.trim().to_owned()
}

/// Has everybody get a new text.
#[track_caller]
pub fn revise_text(store: &TestStore, name: &str, text: &str) {
    let args = [
        "revise",
        PROJECT,
        "data",
        name,
        "--control",
        text,
        "--comment",
        "Test",
        "--yes-i-mean",
        name,
    ];
    let revised = flagctl(store, &args);
    assert_eq!(revised.code, 0, "{revised:?}");
}

impl Service {
    /// A request at a path of OFREP behind `…/evaluate/flags`, for an instance.
    pub fn ofrep(&self, path: &str, instance: &str) -> RequestBuilder {
        let path = format!("/projects/{PROJECT}/ofrep/v1/evaluate/flags{path}");
        self.request(Method::POST, &path)
            .header("content-type", "application/json")
            .body(json!({ "context": { "targetingKey": instance, "plan": "premium" } }).to_string())
    }

    /// Sends a request; the body is `null` if there is none.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        Reply {
            status,
            headers,
            body,
        }
    }

    /// Evaluates a flag by its key, which stands in the path as it is given.
    pub async fn evaluate(&self, key: &str, instance: &str) -> Reply {
        self.send(self.ofrep(&format!("/{key}"), instance)).await
    }
}
