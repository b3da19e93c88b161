//! Who may ask the service for what, and what it keeps to itself.

use std::path::Path;
use std::time::{Duration, Instant};

use flag_tests::{Method, RequestBuilder, Service, TestStore, flagctl};
use serde_json::{Value, json};
use tempfile::TempDir;

const ALL_SCOPES: [&str; 4] = ["evaluate", "log", "read", "admin"];

/// How long a machine with much else to do may take to notice a file; the service looks every two seconds.
const NOTICED: Duration = Duration::from_secs(30);

/// What a path asks of a caller, as `docs/http-api.md` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Nothing,
    Scope(&'static str),
    ScopeForProject(&'static str),
    /// A token in the URL, so that no key in a header counts.
    Token,
    /// The stories of the dashboard have what it asks.
    SignIn,
}

/// Every path, with what it asks. A path that the service knows and this table doesn't is a mistake.
const ROUTES: &[(&str, Asks)] = &[
    ("/get-feature-flag", Asks::ScopeForProject("evaluate")),
    ("/log-feature-flag", Asks::ScopeForProject("log")),
    (
        "/projects/{project}/ofrep/v1/evaluate/flags/{key}",
        Asks::ScopeForProject("evaluate"),
    ),
    (
        "/projects/{project}/ofrep/v1/evaluate/flags",
        Asks::ScopeForProject("evaluate"),
    ),
    ("/livez", Asks::Nothing),
    ("/readyz", Asks::Nothing),
    ("/metrics", Asks::Scope("read")),
    ("/openapi.json", Asks::Nothing),
    ("/docs", Asks::Nothing),
    (
        "/projects/{project}/events",
        Asks::ScopeForProject("evaluate"),
    ),
    ("/projects/{project}/ofrep/v1/events", Asks::Token),
    (
        "/projects/{project}/flags/{type}/{name}/explain",
        Asks::ScopeForProject("read"),
    ),
    // Neither has a path of its own.
    ("preflight", Asks::Nothing),
    ("/dashboard", Asks::SignIn),
    ("/dashboard/assets", Asks::Nothing),
    ("/dashboard/events", Asks::SignIn),
    ("unknown", Asks::Nothing),
];

/// A file of keys, and the keys.
struct Keys {
    folder: TempDir,
    store: TestStore,
}

impl Keys {
    fn new() -> Self {
        let (folder, store) = (TempDir::new().unwrap(), TestStore::embedded());
        let keys = Self { folder, store };
        keys.write("{\"keys\": []}");
        keys
    }

    fn path(&self) -> String {
        let path = self.folder.path().join("keys.json");
        path.to_str().unwrap().to_owned()
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }

    /// Makes a key.
    fn create(&self, scopes: &[&str], project: &str, more: &[&str]) -> String {
        let path = self.path();
        let project = format!("--project={project}");
        let mut args = vec!["keys", "create", "-oname", "--file", &path, &project];
        let scopes: Vec<String> = scopes
            .iter()
            .map(|scope| format!("--scope={scope}"))
            .collect();
        args.extend(scopes.iter().map(String::as_str));
        args.extend(more);
        let made = flagctl(&self.store, &args);
        assert_eq!(made.code, 0, "{made:?}");
        made.stdout.trim().to_owned()
    }

    fn revoke(&self, key: &str) {
        let id = key.split('_').nth(1).unwrap();
        let revoked = flagctl(&self.store, &["keys", "revoke", id, "--file", &self.path()]);
        assert_eq!(revoked.code, 0, "{revoked:?}");
    }

    /// Lets the day be long past that was to be the last one of a key.
    fn age(&self, last: &str) {
        let text = std::fs::read_to_string(self.path()).unwrap();
        let aged = text.replace(last, "2020-01-01");
        assert_ne!(aged, text);
        std::fs::write(self.path(), aged).unwrap();
    }

    fn start(&self) -> Service {
        Service::start_with(
            &self.store,
            &["--demo", "--api-keys-file", &self.path()],
            &[],
        )
    }
}

/// A request that its path would answer with success, were its method the right one.
fn request(service: &Service, method: Method, path: &str) -> RequestBuilder {
    let path = match path {
        "preflight" | "unknown" => "/nowhere",
        "/dashboard/assets" => "/dashboard/assets/app.css",
        path => path,
    };
    let path = path.replace("{project}", "csr-assistant");
    let path = path.replace("{key}", "llm_version");
    let path = path.replace("{type}", "data");
    let path = path.replace("{name}", "llm_version");
    let request = service.request(method, &path);
    if path.contains("/ofrep/v1/evaluate/") {
        return request
            .header("content-type", "application/json")
            .body(r#"{"context":{"targetingKey":"A12345"}}"#);
    }
    if path == "/log-feature-flag" {
        let entry = r#"{"project_name":"csr-assistant","flag_type":"data","flag_name":"llm_version","instance_id":"A12345","flag_value":"4.1","rollout_group":"control"}"#;
        return request
            .header("content-type", "application/json")
            .body(entry);
    }
    request.query(&[
        ("project_name", "csr-assistant"),
        ("flag_type", "data"),
        ("flag_name", "llm_version"),
        ("instance_id", "A12345"),
    ])
}

/// The method that a path is for.
fn own_method(path: &str) -> Method {
    match path {
        "/log-feature-flag" => Method::POST,
        path if path.contains("/ofrep/v1/evaluate/") => Method::POST,
        _ => Method::GET,
    }
}

/// What a caller shows, and whether it is let in, kept out, or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    In,
    Unknown,
    Refused,
}

/// The paths that the service counts, which are all that it has.
async fn routes(service: &Service, key: &str) -> Vec<String> {
    let metrics = metrics(service, key).await;
    let lines = metrics.lines().filter_map(|line| {
        let (_, route) = line.split_once("flag_requests_waiting{route=\"")?;
        Some(route.split('"').next().unwrap().to_owned())
    });
    lines.collect()
}

/// The status of an answer about a flag to the holder of a key.
async fn status(service: &Service, key: &str) -> u16 {
    let request = request(service, Method::GET, "/get-feature-flag").bearer_auth(key);
    request.send().await.unwrap().status().as_u16()
}

async fn metrics(service: &Service, key: &str) -> String {
    let request = service.request(Method::GET, "/metrics").bearer_auth(key);
    request.send().await.unwrap().text().await.unwrap()
}

async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < NOTICED, "not within {NOTICED:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_lets_in_whom_it_should_and_nobody_else() {
    let keys = Keys::new();
    let right = keys.create(&ALL_SCOPES, "csr-assistant", &[]);
    let everywhere = keys.create(&ALL_SCOPES, "*", &[]);
    let expired = keys.create(&ALL_SCOPES, "*", &["--expires-on=9020-01-01"]);
    keys.age("9020-01-01");
    let revoked = keys.create(&ALL_SCOPES, "*", &[]);
    let elsewhere = keys.create(&ALL_SCOPES, "other", &[]);
    keys.revoke(&revoked);
    let scoped = ALL_SCOPES.map(|scope| (scope, keys.create(&[scope], "*", &[])));
    let service = keys.start();
    let known = routes(&service, &right).await;
    assert!(known.len() >= ROUTES.len(), "{known:?}");
    for route in &known {
        let row = ROUTES.iter().find(|(path, _)| path == route);
        let (path, asks) =
            row.unwrap_or_else(|| panic!("nobody has said what {route} asks of a caller"));
        let mut shown = vec![
            (None, Verdict::Unknown),
            (Some("garbage".to_owned()), Verdict::Unknown),
            (Some(format!("{right}x")), Verdict::Unknown),
            (Some(right.replace("flag_", "flag_x")), Verdict::Unknown),
            (Some(revoked.clone()), Verdict::Unknown),
            (Some(expired.clone()), Verdict::Unknown),
            (Some(right.clone()), Verdict::In),
            (Some(everywhere.clone()), Verdict::In),
        ];
        let (scope, about_project) = match asks {
            Asks::Nothing | Asks::Token => ("", false),
            Asks::Scope(scope) => (*scope, false),
            Asks::ScopeForProject(scope) => (*scope, true),
            Asks::SignIn => continue,
        };
        shown.extend(scoped.iter().map(|(of, key)| {
            let verdict = if *of == scope {
                Verdict::In
            } else {
                Verdict::Refused
            };
            (Some(key.clone()), verdict)
        }));
        for method in [
            "GET",
            "HEAD",
            "POST",
            "PUT",
            "PATCH",
            "DELETE",
            "OPTIONS",
            "TRACE",
            "X-MADE-UP",
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            for (key, verdict) in &shown {
                let verdict = match asks {
                    Asks::Nothing => Verdict::In,
                    Asks::Token => Verdict::Unknown,
                    Asks::Scope(_) | Asks::ScopeForProject(_) | Asks::SignIn => *verdict,
                };
                check(&service, &method, path, key.as_deref(), verdict, scope).await;
            }
        }
        let verdict = match asks {
            Asks::Token => Verdict::Unknown,
            _ if about_project => Verdict::Refused,
            _ => Verdict::In,
        };
        check(
            &service,
            &own_method(path),
            path,
            Some(&elsewhere),
            verdict,
            "csr-assistant",
        )
        .await;
    }
}

async fn check(
    service: &Service,
    method: &Method,
    path: &str,
    key: Option<&str>,
    verdict: Verdict,
    named: &str,
) {
    for header in ["authorization", "x-api-key"] {
        let mut request = request(service, method.clone(), path);
        if let Some(key) = key {
            let is_bearer = header == "authorization";
            let value = if is_bearer {
                format!("Bearer {key}")
            } else {
                key.to_owned()
            };
            request = request.header(header, value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let kind = headers.get("content-type");
        let is_stream = kind.is_some_and(|kind| kind == "text/event-stream");
        let body = if is_stream {
            String::new()
        } else {
            response.text().await.unwrap()
        };
        let shown = format!("{method} {path} with {key:?} in {header}: {status} {body}");
        match verdict {
            Verdict::In => assert!(![401, 403, 500].contains(&status), "{shown}"),
            Verdict::Unknown => {
                assert_eq!(status, 401, "{shown}");
                assert_eq!(headers["www-authenticate"], "Bearer", "{shown}");
            }
            Verdict::Refused => {
                assert_eq!(status, 403, "{shown}");
                assert!(body.contains(named) || *method == Method::HEAD, "{shown}");
            }
        }
        if status >= 400 && *method != Method::HEAD {
            let kind = if path.contains("/ofrep/v1/evaluate/") {
                "application/json"
            } else {
                "application/problem+json"
            };
            assert_eq!(headers["content-type"], kind, "{shown}");
            assert!(key.is_none_or(|key| !body.contains(key)), "{shown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_that_differ_are_none() {
    let keys = Keys::new();
    let [first, second] = [(); 2].map(|()| keys.create(&["evaluate"], "*", &[]));
    let service = keys.start();
    let ask = |bearer: &str, plain: &str| {
        let request = request(&service, Method::GET, "/get-feature-flag");
        request
            .bearer_auth(bearer)
            .header("x-api-key", plain)
            .send()
    };
    assert_eq!(ask(&first, &first).await.unwrap().status(), 200);
    assert_eq!(ask(&first, &second).await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_does_not_tell_a_stranger_which_flags_there_are() {
    let keys = Keys::new();
    let everybodys = keys.create(&["evaluate"], "*", &[]);
    let strangers = keys.create(&["evaluate"], "other", &[]);
    let service = keys.start();
    let ask = async |key: &str, name: &str, instance: &str| {
        let query = [
            ("project_name", "csr-assistant"),
            ("flag_type", "data"),
            ("flag_name", name),
            ("instance_id", instance),
        ];
        let request = service.request(Method::GET, "/get-feature-flag");
        let request = request.query(&query).header("x-request-id", "r");
        let answer = request.bearer_auth(key).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ask(&everybodys, "llm_version", "A12345").await.0, 200);
    for (instance, status) in [("A12345", 403), ("", 400), ("\0", 400)] {
        let warm = ask(&strangers, "llm_version", instance).await;
        assert_eq!(warm.0, status, "{instance:?}: {}", warm.1);
        assert_eq!(warm, ask(&strangers, "not_there", instance).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_and_go_with_the_file_and_a_broken_file_changes_nothing() {
    let keys = Keys::new();
    let kept = keys.create(&ALL_SCOPES, "*", &[]);
    let leaving = keys.create(&ALL_SCOPES, "*", &[]);
    let service = keys.start();
    let status = async |key: &str| status(&service, key).await;
    let says = async |line: &str| {
        metrics(&service, &kept)
            .await
            .lines()
            .any(|said| said == line)
    };
    assert_eq!(status(&leaving).await, 200);
    assert!(says("flag_api_keys 2").await);

    keys.revoke(&leaving);
    wait_until("the revoked key is refused", async || {
        status(&leaving).await == 401
    })
    .await;
    let coming = keys.create(&ALL_SCOPES, "*", &[]);
    wait_until("the new key is taken", async || {
        status(&coming).await == 200
    })
    .await;

    let good = std::fs::read(keys.path()).unwrap();
    keys.write("{\"keys\": [");
    wait_until("the broken file is noticed", async || {
        says("flag_api_keys_file_current 0").await
    })
    .await;
    assert_eq!((status(&kept).await, status(&leaving).await), (200, 401));
    assert!(says("flag_api_keys 2").await);
    std::fs::remove_file(keys.path()).unwrap();
    std::fs::write(keys.path(), good).unwrap();
    wait_until("the mended file is noticed", async || {
        says("flag_api_keys_file_current 1").await
    })
    .await;
    assert_eq!(status(&coming).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_release_has_written_hides_no_revocation_and_stops_no_start() {
    let keys = Keys::new();
    let [kept, leaving] = [(); 2].map(|()| keys.create(&ALL_SCOPES, "*", &[]));
    let service = keys.start();
    keys.revoke(&leaving);
    let text = std::fs::read_to_string(keys.path()).unwrap();
    let newer = text.replacen("\"id\"", "\"networks\": [\"10.0.0.0/8\"], \"id\"", 1);
    keys.write(&newer.replacen('{', "{\"version\": 2,", 1));
    wait_until("the revocation counts", async || {
        status(&service, &leaving).await == 401
    })
    .await;
    let again = keys.start();
    for service in [service, again] {
        assert_eq!(status(&service, &kept).await, 200);
        assert_eq!(status(&service, &leaving).await, 401);
        let metrics = metrics(&service, &kept).await;
        assert!(
            metrics.contains("\nflag_api_keys_not_understood 2\n"),
            "{metrics}"
        );
        let told = "some entries of the file of API keys are not understood";
        service.must_log(told);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_in_the_place_of_the_file_is_reported_and_so_is_its_end() {
    let keys = Keys::new();
    let key = keys.create(&ALL_SCOPES, "*", &[]);
    let service = keys.start();
    let good = std::fs::read(keys.path()).unwrap();
    std::fs::remove_file(keys.path()).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(keys.path())
        .status();
    assert!(made.unwrap().success());
    let current = async |value: &str| {
        let line = format!("\nflag_api_keys_file_current {value}\n");
        metrics(&service, &key).await.contains(&line)
    };
    wait_until("the pipe is noticed", async || current("0").await).await;
    service.must_log("it is no regular file");
    let (status, stderr) = Service::fail(&keys.store, &["--api-keys-file", &keys.path()], &[]);
    assert_eq!(status.code(), Some(2));
    assert!(stderr.contains("it is no regular file"), "{stderr}");
    std::fs::remove_file(keys.path()).unwrap();
    std::fs::write(keys.path(), good).unwrap();
    wait_until("the file is back", async || current("1").await).await;
    let told = "the file of API keys can be read again";
    service.must_log(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_revoked_though_connections_take_every_file_that_they_may() {
    let keys = Keys::new();
    let key = keys.create(&ALL_SCOPES, "*", &[]);
    let options = ["--demo", "--api-keys-file", &keys.path()];
    let service = Service::start_with_files(&keys.store, 600, &options, &[]);
    let told = "the system allows too few open files";
    service.must_log(told);
    let mut held = Vec::new();
    for _ in 0..700 {
        let mut wire = service.connect().await;
        wire.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
        held.push(wire);
    }
    let status = async || status(&service, &key).await;
    assert_eq!(status().await, 200);
    keys.revoke(&key);
    wait_until("the revoked key is refused", async || status().await == 401).await;
    assert!(
        !service.log().contains("cannot be read"),
        "{}",
        service.log()
    );
    drop(held);
}

#[test]
fn a_start_that_would_let_everybody_in_must_say_so() {
    let store = TestStore::embedded();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let (status, stderr) = Service::fail(&store, &["--listen", address], &[]);
        assert_eq!(status.code(), Some(2));
        for word in [
            "flagctl keys create",
            "--api-keys-file",
            "--allow-anonymous",
        ] {
            assert!(stderr.contains(word), "{stderr}");
        }
    }
}

#[test]
fn a_start_with_a_file_that_holds_no_keys_ends_with_two() {
    let keys = Keys::new();
    let start = || Service::fail(&keys.store, &["--api-keys-file", &keys.path()], &[]);
    keys.write("flag_canary_1");
    let (status, stderr) = start();
    assert_eq!(status.code(), Some(2));
    assert!(
        stderr.contains("keys.json: it is no file of API keys: line 1, column"),
        "{stderr}"
    );
    assert!(!stderr.contains("canary"), "{stderr}");
    std::fs::remove_file(keys.path()).unwrap();
    let (status, stderr) = start();
    assert_eq!(status.code(), Some(2));
    assert!(
        stderr.contains("keys.json: cannot read or write it: "),
        "{stderr}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_asks_too_often_is_answered_when_to_retry() {
    let store = TestStore::embedded();
    let limits = [("FLAG_RATE_LIMIT", "1"), ("FLAG_RATE_LIMIT_BURST", "3")];
    let service = Service::start_with(&store, &["--demo"], &limits);
    let mut refused = None;
    // A machine would have to take a second for each request to let all of them in.
    for _ in 0..50 {
        let reply = service
            .ask("csr-assistant", "data", "llm_version", "A")
            .await;
        if reply.status != 200 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (429, &json!("too_many_requests"))
    );
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(service.get("/livez", &[]).await.status, 200);
}

/// How many of these requests are answered before the first 429; one that comes late enough is let in again.
async fn answered(mut ask: impl AsyncFnMut() -> u16) -> usize {
    for number in 0..50 {
        if ask().await == 429 {
            return number;
        }
    }
    50
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_counted_whether_it_is_answered_or_refused() {
    let keys = Keys::new();
    keys.create(&ALL_SCOPES, "*", &[]);
    let limits = [("FLAG_RATE_LIMIT", "1"), ("FLAG_RATE_LIMIT_BURST", "5")];
    let options = ["--demo", "--api-keys-file", &keys.path()];
    let asked = [
        (Method::GET, "/get-feature-flag", "", 401),
        (Method::GET, "/metrics", "flag_abc_wrong", 401),
        (Method::POST, "/log-feature-flag", "flag_abc_wrong", 401),
        (Method::PUT, "/docs", "", 405),
        (Method::GET, "/openapi.json", "", 200),
        (Method::GET, "/docs", "", 200),
        (Method::GET, "/nowhere", "", 404),
    ];
    for (method, path, key, status) in asked {
        let service = Service::start_with(&keys.store, &options, &limits);
        let ask = async || {
            let request = service.request(method.clone(), path);
            let answer = request.bearer_auth(key).send().await.unwrap();
            answer.status().as_u16()
        };
        assert_eq!(ask().await, status, "{method} {path}");
        let more = answered(ask).await;
        assert!(more < 50, "{method} {path} is never 429");
        for probe in ["/livez", "/readyz"] {
            assert_eq!(service.get(probe, &[]).await.status, 200, "{probe}");
        }
    }
    let service = Service::start_with(&keys.store, &options, &limits);
    for _ in 0..50 {
        assert_eq!(service.get("/livez", &[]).await.status, 200);
    }
    let refused = service.ask("csr-assistant", "data", "llm_version", "A");
    assert_eq!(refused.await.status, 429, "probes use up what others have");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_holder_of_a_key_does_not_use_up_the_rate_of_another() {
    let keys = Keys::new();
    let [first, second] = [(); 2].map(|()| keys.create(&["evaluate"], "*", &[]));
    let limits = [("FLAG_RATE_LIMIT", "1"), ("FLAG_RATE_LIMIT_BURST", "2")];
    let options = ["--demo", "--api-keys-file", &keys.path()];
    let service = Service::start_with(&keys.store, &options, &limits);
    let status = async |key: &str| status(&service, key).await;
    for _ in 0..50 {
        if status(&first).await == 429 {
            break;
        }
    }
    assert_eq!(status(&second).await, 200);
}

/// Everything that must not leak has this in it.
const CANARY: &str = "canary7f3a";

/// Uses a service in every way that its callers have, the wrong ones included; the bodies of errors.
async fn use_it(service: &Service, key: &str) -> Vec<String> {
    let instance = format!("{CANARY}-instance");
    let long = CANARY.repeat(60);
    let questions = [
        ("csr-assistant", "data", "llm_version", instance.as_str()),
        (
            "csr-assistant",
            "feature",
            "multi_step_api_router",
            &instance,
        ),
        ("csr-assistant", "feature", "nothing_of_the_kind", &instance),
        ("csr-assistant", "boolean", "llm_version", &instance),
        ("other", "data", "llm_version", &instance),
        ("csr assistant", "data", "llm_version", &instance),
        ("csr-assistant", "data", "llm_version", &long),
    ];
    let shown = [
        Some(key.to_owned()),
        Some(format!("{key}{CANARY}")),
        Some(format!("flag_{CANARY}_{CANARY}")),
        Some(CANARY.to_owned()),
        None,
    ];
    let mut errors = Vec::new();
    for key in shown {
        for (project, flag_type, name, instance) in questions {
            let mut request = service.request(Method::GET, "/get-feature-flag").query(&[
                ("project_name", project),
                ("flag_type", flag_type),
                ("flag_name", name),
                ("instance_id", instance),
            ]);
            if let Some(key) = &key {
                request = request.bearer_auth(key);
            }
            let response = request.send().await.unwrap();
            let is_error =
                response.status().is_client_error() || response.status().is_server_error();
            let body = response.text().await.unwrap();
            if is_error {
                // An error may tell its caller which instance id it didn't like.
                errors.push(body.replace(instance, ""));
            }
        }
        for path in ["/metrics", "/livez", "/readyz", "/nowhere"] {
            let mut request = service.request(Method::POST, path).body(CANARY);
            if let Some(key) = &key {
                request = request.header("x-api-key", key).header("cookie", CANARY);
            }
            errors.push(request.send().await.unwrap().text().await.unwrap());
        }
    }
    errors
}

fn log(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_and_no_instance_id_is_in_a_log_a_metric_or_an_error() {
    let keys = Keys::new();
    let key = keys.create(&ALL_SCOPES, "csr-assistant", &[]);
    let secret = key.rsplit('_').next().unwrap();
    let stderr = keys.folder.path().join("log");
    let options = ["--demo", "--api-keys-file", &keys.path()];
    let service = Service::start_logging(
        &keys.store,
        &options,
        &[],
        std::fs::File::create(&stderr).unwrap(),
    );
    let errors = use_it(&service, &key).await;
    assert!(errors.len() > 40, "{}", errors.len());
    let metrics = metrics(&service, &key).await;
    assert!(
        metrics.contains("flag_refused_requests_total{reason=\"unauthorized\"}"),
        "{metrics}"
    );
    for (text, says) in [
        (
            format!("{{\"keys\": [\"{key}\"]}}"),
            "some entries of the file of API keys are not understood",
        ),
        (key.clone(), "the file of API keys cannot be read"),
    ] {
        keys.write(&text);
        wait_until("the key in the wrong place is noticed", async || {
            log(&stderr).contains(says)
        })
        .await;
    }
    let greeting = service.greeting.clone();
    assert!(service.stop().success());
    let log = log(&stderr);
    let lines = log.lines().map(serde_json::from_str::<Value>);
    assert!(lines.flatten().count() >= 2, "{log}");
    let mut said = vec![log, metrics, greeting];
    said.extend(errors);
    for text in said {
        assert!(!text.contains(CANARY) && !text.contains(secret), "{text}");
    }
}
