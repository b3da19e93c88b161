//! The service as its operator sees it.

use std::net::TcpListener;

use flag_tests::{Method, Service, TestStore, on_both_stores};

on_both_stores!(
    the_demo_answers_the_line_that_it_prints,
    a_restart_keeps_every_flag
);

async fn the_demo_answers_the_line_that_it_prints(store: TestStore) {
    let service = Service::start_with(&store, &["--demo"], &[]);
    let url = service.greeting.split('\'').nth(1).unwrap().to_owned();
    let reply = service.get_url(&url).await;
    assert_eq!(
        (reply.status, &reply.body["flag_value"]),
        (200, &serde_json::Value::Bool(true))
    );
    assert_eq!(reply.body["rollout_group"], "treatment_1");
    for (name, value) in [("llm_provider", "vertex"), ("llm_version", "4.1")] {
        assert_eq!(
            service
                .ask("csr-assistant", "data", name, "A12345")
                .await
                .body["flag_value"],
            value
        );
    }
}

/// The emulator keeps rows in memory, but it outlives the service.
async fn a_restart_keeps_every_flag(store: TestStore) {
    Service::start_with(&store, &["--demo"], &[]).stop();
    let before = store
        .rows()
        .await
        .scan(flag_store::Scan::prefix(""))
        .await
        .unwrap();
    let service = Service::start_with(&store, &["--demo"], &[]);
    assert_eq!(
        service
            .ask("csr-assistant", "data", "llm_version", "A")
            .await
            .status,
        200
    );
    let after = store
        .rows()
        .await
        .scan(flag_store::Scan::prefix(""))
        .await
        .unwrap();
    assert_eq!(
        before, after,
        "the demo added to a store that was not empty"
    );
}

#[tokio::test]
async fn a_request_id_comes_back() {
    let store = TestStore::embedded();
    let service = Service::start(&store);
    let reply = service.get("/nowhere", &[]).await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert_eq!(
        reply.headers["x-request-id"].to_str().unwrap(),
        reply.body["request_id"]
    );
}

#[tokio::test]
async fn every_mistake_of_a_caller_is_reported() {
    let store = TestStore::embedded();
    let service = Service::start(&store);
    let reply = service
        .get(
            "/get-feature-flag",
            &[("flag_name", "a"), ("flag_name", "b"), ("flag_type", "")],
        )
        .await;
    assert_eq!(
        (reply.status, &reply.body["code"]),
        (400, &"invalid_request".into())
    );
    assert_eq!(
        reply.body["detail"],
        "project_name: missing; instance_id: missing; flag_name: given more than once"
    );
    let reply = service.ask("p", "", "f", "i").await;
    assert_eq!(
        reply.body["detail"],
        "flag_type: found \"\", expected feature or data"
    );
    let reply = service.ask("p", "boolean", "f", "i").await;
    assert_eq!(reply.body["code"], "invalid_flag_type");
    let long = "x".repeat(513);
    let reply = service.ask("p#q", "feature", "f", &long).await;
    assert!(
        reply.body["detail"]
            .as_str()
            .unwrap()
            .contains("instance_id: found 513 bytes"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn a_callers_request_id_is_kept() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let request = service
        .request(Method::GET, "/livez")
        .header("x-request-id", "mine-1");
    assert_eq!(
        request.send().await.unwrap().headers()["x-request-id"],
        "mine-1"
    );
}

#[tokio::test]
async fn a_path_is_read_and_nothing_else() {
    let store = TestStore::embedded();
    let service = Service::start(&store);
    for path in [
        "/get-feature-flag",
        "/get-feature-flag/",
        "/livez",
        "/readyz",
    ] {
        let head = service.request(Method::HEAD, path).send().await.unwrap();
        let get = service.request(Method::GET, path).send().await.unwrap();
        assert_eq!(
            (head.status(), head.headers()["content-length"].clone()),
            (get.status(), get.headers()["content-length"].clone())
        );
        let post = service.request(Method::POST, path).send().await.unwrap();
        assert_eq!(
            (
                post.status().as_u16(),
                post.headers()["allow"].to_str().unwrap()
            ),
            (405, "GET, HEAD")
        );
    }
}

#[tokio::test]
async fn a_service_is_live_and_ready() {
    let store = TestStore::embedded();
    let service = Service::start(&store);
    assert_eq!(service.get("/livez", &[]).await.body["status"], "live");
    let ready = service.get("/readyz", &[]).await;
    assert_eq!(
        (ready.status, &ready.body["status"]),
        (200, &"ready".into())
    );
}

#[tokio::test]
async fn sigterm_ends_it_with_success() {
    let store = TestStore::embedded();
    let service = Service::start(&store);
    service.get("/livez", &[]).await;
    assert!(service.stop().success());
}

#[test]
fn a_start_with_mistakes_tells_them_all_and_ends_with_two() {
    let (status, stderr) = Service::fail(
        &TestStore::embedded(),
        &["--workers", "0"],
        &[("FLAG_LISTEN", "nowhere")],
    );
    assert_eq!(status.code(), Some(2));
    assert!(
        stderr.contains("workers (command line)")
            && stderr.contains("listen (variable FLAG_LISTEN)"),
        "{stderr}"
    );
}

#[test]
fn an_emulator_is_refused_in_production() {
    let store = TestStore::at("127.0.0.1:1".to_owned());
    let (status, stderr) = Service::fail(&store, &[], &[("environment", "hcb-prod")]);
    assert_eq!(status.code(), Some(2));
    assert!(
        stderr.contains("refused in environment \"hcb-prod\""),
        "{stderr}"
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, stderr) = Service::fail(&TestStore::embedded(), &["--listen", &address], &[]);
    assert_eq!(status.code(), Some(1));
    assert!(
        stderr.contains(&format!("cannot listen on {address}")),
        "{stderr}"
    );
}

/// What caches may do with an answer, as `docs/http-api.md` says it.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_what_caches_may_do_with_it() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let flag = "/get-feature-flag?project_name=csr-assistant&flag_type=data&flag_name=llm_version&instance_id=A";
    let (all, nobody) = ("public, max-age=300", "private, no-store");
    let asked = [
        (Method::GET, flag, 200, nobody),
        (Method::HEAD, flag, 200, nobody),
        (Method::GET, "/get-feature-flag", 400, nobody),
        (Method::POST, "/log-feature-flag", 415, nobody),
        (Method::GET, "/livez", 200, nobody),
        (Method::GET, "/readyz", 200, nobody),
        (Method::GET, "/metrics", 200, nobody),
        (Method::GET, "/openapi.json", 200, all),
        (Method::GET, "/docs", 200, all),
        (Method::POST, "/docs", 405, nobody),
        (Method::GET, "/dashboard", 200, nobody),
        (Method::GET, "/dashboard/assets/app.js", 200, all),
        (Method::GET, "/nowhere", 404, nobody),
    ];
    for (method, path, status, expected) in asked {
        let answer = service.request(method, path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["cache-control"], expected, "{path}");
    }
}

/// Alerts on the log of the Python service look for these words; see `docs/operating.md`.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_python_service_logged_is_logged_in_its_words_and_not_for_each_request() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    for _ in 0..20 {
        let wrong = service.ask("csr-assistant", "A12345", "llm_version", "A12345");
        assert_eq!(wrong.await.status, 400);
        let absent = service.ask("csr-assistant", "data", "not_there", "A12345");
        assert_eq!(absent.await.status, 404);
    }
    service.must_log("No Flag Data found");
    let said = service.log();
    for words in [
        "Invalid flag type: ",
        "No Flag Data found: csr-assistant/data/not_there",
    ] {
        let lines = said
            .lines()
            .filter(|line| line.contains(&format!("\"message\":\"{words}")));
        let number = lines.clone().count();
        assert!((1..20).contains(&number), "{words}: {said}");
        assert!(
            lines
                .clone()
                .all(|line| line.contains("\"severity\":\"WARNING\"")),
            "{said}"
        );
    }
    assert!(!said.contains("A12345"), "{said}");
}

/// `+` and `%zz` in a query, as `docs/http-api.md` says it.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_read_as_forms_write_it() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    for (written, read) in [
        ("a+b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%zz", "a%zz"),
        ("100%", "100%"),
    ] {
        let url = format!(
            "{}/get-feature-flag?project_name=csr-assistant&flag_type=data&flag_name=llm_version&instance_id={written}",
            service.url()
        );
        let reply = service.get_url(&url).await;
        assert_eq!(reply.body["instance_id"], read, "{reply:?}");
    }
}
