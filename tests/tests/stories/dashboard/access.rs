//! Who may see what, and how a browser stays signed in.

use std::time::{Duration, Instant};

use flag_tests::{Method, Service, TestStore, flagctl};
use reqwest::header::HeaderMap;
use tempfile::TempDir;

/// How long a machine with much else to do may take to notice a file; the service looks every two seconds.
pub(super) const NOTICED: Duration = Duration::from_secs(30);

/// The page of a flag of the demo.
pub(super) const FLAG: &str = "/dashboard/flag?project=csr-assistant&type=data&name=llm_version";

/// A file of keys.
pub(super) struct Keys {
    folder: TempDir,
    pub(super) store: TestStore,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self::of(TestStore::embedded())
    }

    pub(super) fn of(store: TestStore) -> Self {
        let folder = TempDir::new().unwrap();
        let keys = Self { folder, store };
        std::fs::write(keys.path(), "{\"keys\": []}").unwrap();
        keys
    }

    pub(super) fn path(&self) -> String {
        let path = self.folder.path().join("keys.json");
        path.to_str().unwrap().to_owned()
    }

    pub(super) fn create(&self, scope: &str, project: &str) -> String {
        self.create_for(&[scope], project, "")
    }

    /// A key with these scopes, for whom the comment names.
    pub(super) fn create_for(&self, scopes: &[&str], project: &str, comment: &str) -> String {
        let path = self.path();
        let scopes = scopes.iter().map(|scope| format!("--scope={scope}"));
        let others = [
            format!("--project={project}"),
            format!("--comment={comment}"),
        ];
        let options: Vec<String> = scopes.chain(others).collect();
        let mut args = vec!["keys", "create", "-oname", "--file", &path];
        args.extend(options.iter().map(String::as_str));
        let made = flagctl(&self.store, &args);
        assert_eq!(made.code, 0, "{made:?}");
        made.stdout.trim().to_owned()
    }

    pub(super) fn revoke(&self, key: &str) {
        let id = key.split('_').nth(1).unwrap();
        let revoked = flagctl(&self.store, &["keys", "revoke", id, "--file", &self.path()]);
        assert_eq!(revoked.code, 0, "{revoked:?}");
    }

    pub(super) fn start(&self, options: &[&str]) -> Service {
        let path = self.path();
        let options = [&["--demo", "--api-keys-file", &path][..], options].concat();
        Service::start_with(&self.store, &options, &[])
    }
}

/// Status, headers and text of a page.
pub(super) type Page = (u16, HeaderMap, String);

pub(super) async fn get(service: &Service, path: &str, cookie: Option<&str>) -> Page {
    let request = service.request(Method::GET, path);
    let request = match cookie {
        Some(cookie) => request.header("cookie", cookie),
        None => request,
    };
    send(request).await
}

pub(super) async fn send(request: flag_tests::RequestBuilder) -> Page {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.text().await.unwrap())
}

pub(super) fn form(service: &Service, path: &str, text: &str) -> flag_tests::RequestBuilder {
    service
        .request(Method::POST, path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(text.to_owned())
}

/// Signs in: the cookie, as a browser sends it back.
pub(super) async fn sign_in(service: &Service, key: &str) -> String {
    let (status, headers, page) =
        send(form(service, "/dashboard/sign-in", &format!("key={key}"))).await;
    assert_eq!(status, 303, "{page}");
    assert_eq!(headers["location"], "/dashboard");
    let cookie = headers["set-cookie"].to_str().unwrap();
    let attributes = "; Path=/dashboard; Max-Age=43200; HttpOnly; SameSite=Strict";
    let cookie = cookie.strip_suffix(attributes).unwrap();
    assert!(
        !cookie.contains(key.rsplit('_').next().unwrap()),
        "{cookie}"
    );
    cookie.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_lets_in_holders_of_keys_that_may_read_until_they_are_revoked() {
    let keys = Keys::new();
    let key = keys.create("read", "csr-assistant");
    let service = keys.start(&[]);
    for path in ["/dashboard", "/dashboard/health", FLAG] {
        let (status, headers, _) = get(&service, path, None).await;
        assert_eq!(status, 303, "{path}");
        let to = headers["location"].to_str().unwrap();
        assert!(
            to.starts_with("/dashboard/sign-in?next=%2Fdashboard"),
            "{to}"
        );
    }
    let session = sign_in(&service, &key).await;
    for path in ["/dashboard", "/dashboard/health", FLAG] {
        let (status, _, page) = get(&service, path, Some(&session)).await;
        assert_eq!(status, 200, "{path}: {page}");
        assert!(page.contains("Sign out"), "{path}");
    }
    let key_in_header = service.request(Method::GET, FLAG).bearer_auth(&key);
    assert_eq!(send(key_in_header).await.0, 200);
    // A session is for pages: somebody who takes the cookie cannot ask the service anything else.
    assert_eq!(get(&service, "/metrics", Some(&session)).await.0, 401);

    // Another process with the same file knows the session, as a restarted one does.
    let other = keys.start(&[]);
    assert_eq!(get(&other, FLAG, Some(&session)).await.0, 200);

    keys.revoke(&key);
    let began = Instant::now();
    while get(&service, FLAG, Some(&session)).await.0 != 303 {
        assert!(began.elapsed() < NOTICED, "still signed in");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_unknown_or_may_not_read_get_no_session() {
    let keys = Keys::new();
    let evaluate = keys.create("evaluate", "*");
    let service = keys.start(&[]);
    for (key, status, says) in [
        ("garbage", 401, "not a valid API key"),
        ("", 401, "not a valid API key"),
        (&*evaluate, 403, "lacks the scope read"),
    ] {
        let request = form(&service, "/dashboard/sign-in", &format!("key={key}"));
        let (found, headers, page) = send(request).await;
        assert_eq!(found, status, "{page}");
        assert!(
            headers.get("set-cookie").is_none() && page.contains(says),
            "{page}"
        );
    }
    let forged = "flag_dashboard=abc.9999999999999999.00ff";
    assert_eq!(get(&service, FLAG, Some(forged)).await.0, 303);
    let request = service.request(Method::GET, FLAG).bearer_auth(&evaluate);
    assert_eq!(send(request).await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_a_key_may_not_see_looks_like_one_that_does_not_exist() {
    let keys = Keys::new();
    let key = keys.create("read", "other");
    let service = keys.start(&[]);
    let session = sign_in(&service, &key).await;
    let (_, _, projects) = get(&service, "/dashboard", Some(&session)).await;
    assert!(!projects.contains("csr-assistant"), "{projects}");
    let page = async |path: String| {
        let (status, _, page) = get(&service, &path, Some(&session)).await;
        assert_eq!(status, 404, "{path}");
        page
    };
    for path in [
        "flags?",
        "flag?type=data&name=llm_version&",
        "flag?type=data&name=no_flag&",
    ] {
        let hidden = page(format!("/dashboard/{path}project=csr-assistant")).await;
        let absent = page(format!("/dashboard/{path}project=csr-absentees")).await;
        assert_eq!(hidden.replace("csr-assistant", "csr-absentees"), absent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_other_sites_are_refused_and_signing_out_forgets_the_session() {
    let keys = Keys::new();
    let key = keys.create("read", "*");
    let service = keys.start(&[]);
    let body = format!("key={key}&next=https://evil.example/");
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ] {
        for path in ["/dashboard/sign-in", "/dashboard/sign-out"] {
            let (status, headers, _) = send(form(&service, path, &body).header(name, value)).await;
            assert_eq!(status, 403, "{path} {name}: {value}");
            assert!(headers.get("set-cookie").is_none());
        }
    }
    let request = form(&service, "/dashboard/sign-in", &body);
    let (_, headers, _) = send(request.header("sec-fetch-site", "same-origin")).await;
    assert_eq!(headers["location"], "/dashboard");
    let (status, headers, _) = send(form(&service, "/dashboard/sign-out", "")).await;
    assert_eq!(status, 303);
    let cookie = headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("flag_dashboard=; ") && cookie.contains("Max-Age=0"),
        "{cookie}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_nobody_signs_in_and_the_dashboard_can_be_turned_off() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let (status, headers, page) = get(&service, FLAG, None).await;
    assert_eq!(status, 200, "{page}");
    assert!(!page.contains("Sign out"));
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert_eq!(headers["cache-control"], "private, no-store");
    assert_eq!(
        service
            .metric("flag_requests_total{route=\"/dashboard\",status=\"200\"}")
            .await,
        1
    );
    drop(service);
    let service = Service::start_with(&store, &["--demo", "--dashboard", "off"], &[]);
    for path in [
        "/dashboard",
        FLAG,
        "/dashboard/sign-in",
        "/dashboard/assets/app.js",
    ] {
        assert_eq!(get(&service, path, None).await.0, 404, "{path}");
    }
    assert_eq!(
        service
            .ask("csr-assistant", "data", "llm_version", "A")
            .await
            .status,
        200
    );
}
