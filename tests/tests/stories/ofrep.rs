//! OpenFeature's Remote Evaluation Protocol, as its description has it.

mod events;

use std::time::{Duration, Instant};

use flag_tests::ofrep::{ODD_NAME, OVERRIDDEN, PROJECT, add_flags, apply, create_key, revise_text};
use flag_tests::{Method, Reply, Service, TestStore, on_both_stores};
use serde_json::{Value, json};
use tempfile::TempDir;

on_both_stores!(
    one_flag_is_evaluated_as_get_feature_flag_does_it,
    all_flags_are_evaluated_at_once_and_an_unreadable_one_is_a_failure_among_them,
);

/// How long a machine with much else to do may take to notice a change.
const NOTICED: Duration = Duration::from_secs(20);

/// A service with the flags of these stories.
async fn start(store: &TestStore, variables: &[(&str, &str)]) -> Service {
    add_flags(store).await;
    Service::start_with(store, &[], variables)
}

/// Code, and the beginning of the details, of a failure.
#[track_caller]
fn check_failure(reply: &Reply, status: u16, code: &str, details: &str) {
    let body = &reply.body;
    assert_eq!(
        (reply.status, &body["errorCode"]),
        (status, &json!(code)),
        "{body}"
    );
    assert!(
        body["errorDetails"].as_str().unwrap().contains(details),
        "{body}"
    );
    assert_eq!(reply.headers["content-type"], "application/json");
    assert!(reply.headers.contains_key("x-request-id"));
}

fn item<'a>(bulk: &'a Value, key: &str) -> &'a Value {
    let items = bulk["flags"].as_array().unwrap();
    items.iter().find(|item| item["key"] == key).unwrap()
}

async fn one_flag_is_evaluated_as_get_feature_flag_does_it(store: TestStore) {
    let service = start(&store, &[]).await;
    let mut reasons = Vec::new();
    for instance in [OVERRIDDEN, "B1", "B2", "B3", "B4"] {
        let ofrep = service.evaluate("beta_search", instance).await;
        let reference = service
            .ask(PROJECT, "feature", "beta_search", instance)
            .await;
        assert_eq!(ofrep.status, 200, "{:?}", ofrep.body);
        assert_eq!(ofrep.body["key"], "beta_search");
        assert_eq!(ofrep.body["value"], reference.body["flag_value"]);
        assert_eq!(ofrep.body["variant"], reference.body["rollout_group"]);
        assert_eq!(ofrep.body["metadata"]["flagType"], "feature");
        assert_eq!(
            ofrep.body["metadata"]["revision"].as_str().unwrap().len(),
            26
        );
        let reason = ofrep.body["reason"].as_str().unwrap().to_owned();
        assert_eq!(
            ofrep.body["metadata"]["bucket"].is_u64(),
            reason != "TARGETING_MATCH"
        );
        let expected = if ofrep.body["variant"] == "control" {
            "DEFAULT"
        } else {
            "SPLIT"
        };
        assert!(
            instance == OVERRIDDEN || reason == expected,
            "{instance}: {reason}"
        );
        reasons.push(reason);
    }
    for reason in ["TARGETING_MATCH", "SPLIT", "DEFAULT"] {
        assert!(reasons.iter().any(|found| found == reason), "{reasons:?}");
    }
    let text = service.evaluate("llm_version", "B1").await.body;
    assert_eq!(
        (&text["value"], &text["reason"]),
        (&json!("4.1"), &json!("STATIC"))
    );
    for (key, value) in [
        ("router", json!(true)),
        ("feature/router", json!(true)),
        ("data/router", json!("north")),
        ("data%2Frouter", json!("north")),
    ] {
        let found = service.evaluate(key, "B1").await.body;
        assert_eq!(found["value"], value, "{key}: {found}");
        assert_eq!(found["key"], key.replace("%2F", "/"));
    }
    for key in [
        "new%20search%2F%C3%BC",
        "new%20search/%C3%BC",
        "feature/new%20search%2f%c3%bc",
    ] {
        let found = service.evaluate(key, "B1").await.body;
        assert_eq!(
            (&found["value"], &found["reason"]),
            (&json!(true), &json!("STATIC")),
            "{key}: {found}"
        );
    }
    assert!(service.stop().success());
    let logged = store.logged(PROJECT).await;
    let of = |name: &str| {
        logged
            .iter()
            .filter(|record| record.text().key.contains(&format!("FLAGNAME#{name}#")))
            .count()
    };
    // Both protocols are logged alike.
    assert_eq!(
        (of("beta_search"), of("llm_version"), of(ODD_NAME)),
        (10, 1, 3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn get_feature_flag_says_the_reason_in_a_header_if_asked() {
    let store = TestStore::embedded();
    let service = start(&store, &[]).await;
    let query = [
        ("project_name", PROJECT),
        ("flag_type", "feature"),
        ("flag_name", "beta_search"),
        ("instance_id", OVERRIDDEN),
    ];
    let plain = service.get("/get-feature-flag", &query).await;
    assert!(!plain.headers.contains_key("x-flag-reason"));
    let query = [&query[..], &[("with_reason", "")]].concat();
    let explained = service.get("/get-feature-flag", &query).await;
    assert_eq!(explained.headers["x-flag-reason"], "override");
    assert_eq!(
        (
            explained.body.as_object().unwrap().len(),
            &explained.body["flag_value"]
        ),
        (6, &plain.body["flag_value"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_the_form_of_the_protocol() {
    let store = TestStore::embedded();
    let service = start(&store, &[]).await;
    for key in [
        "no_such_flag",
        "data/beta_search",
        "a%23b",
        "%FF",
        &"x".repeat(300),
        "",
    ] {
        let reply = service.evaluate(key, "B1").await;
        check_failure(&reply, 404, "FLAG_NOT_FOUND", "csr-assistant");
        assert!(reply.body["key"].is_string());
    }
    check_failure(
        &service.evaluate("unreadable", "B1").await,
        500,
        "PARSE_ERROR",
        "FormatVersion",
    );
    for path in ["/beta_search", ""] {
        for body in [
            r#"{"context":{}}"#,
            r#"{"context":{"targetingKey":null}}"#,
            r#"{"context":{"targetingKey":""}}"#,
        ] {
            let reply = service.send(service.ofrep(path, "").body(body)).await;
            check_failure(&reply, 400, "TARGETING_KEY_MISSING", "targetingKey");
            assert_eq!(reply.body["key"].is_string(), !path.is_empty());
        }
        for body in [
            "{}",
            r#"{"context":1}"#,
            r#"{"context":{"targetingKey":1}}"#,
            r#"{"context":{"targetingKey":"a\u0000"}}"#,
        ] {
            let reply = service.send(service.ofrep(path, "").body(body)).await;
            check_failure(&reply, 400, "INVALID_CONTEXT", "context");
        }
        let reply = service.send(service.ofrep(path, "").body("{")).await;
        check_failure(&reply, 400, "PARSE_ERROR", "body");
    }
    let kind = service
        .request(
            Method::POST,
            "/projects/csr-assistant/ofrep/v1/evaluate/flags",
        )
        .body("{}");
    check_failure(
        &service.send(kind).await,
        400,
        "PARSE_ERROR",
        "content type",
    );
    let other = "/projects/%FF/ofrep/v1/evaluate/flags";
    let other = service.request(Method::POST, other);
    let other = other.header("content-type", "application/json").body("{}");
    check_failure(&service.send(other).await, 400, "GENERAL", "not UTF-8");
    let get = service.request(
        Method::GET,
        "/projects/csr-assistant/ofrep/v1/evaluate/flags/beta_search",
    );
    let reply = service.send(get).await;
    check_failure(&reply, 405, "GENERAL", "POST");
    assert_eq!(reply.headers["allow"], "POST");
}

async fn all_flags_are_evaluated_at_once_and_an_unreadable_one_is_a_failure_among_them(
    store: TestStore,
) {
    let service = start(&store, &[]).await;
    let reply = service.send(service.ofrep("", OVERRIDDEN)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["cache-control"], "private, no-cache");
    // Each readable flag is a decision; an answer that is not sent has none.
    let tag = reply.headers["etag"].clone();
    let again = service.ofrep("", OVERRIDDEN).header("if-none-match", tag);
    assert_eq!(service.send(again).await.status, 304);
    let decisions = service.scrape().await.sum("flag_decisions_total", &[]);
    assert_eq!(decisions, 6.0);
    let keys: Vec<&str> = reply.body["flags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["key"].as_str().unwrap())
        .collect();
    let expected = [
        "beta_search",
        "llm_version",
        ODD_NAME,
        "router",
        "data/router",
        "unreadable",
        "why?",
    ];
    assert_eq!(keys, expected);
    for key in ["beta_search", "llm_version", "router", "data/router"] {
        assert_eq!(
            *item(&reply.body, key),
            service.evaluate(key, OVERRIDDEN).await.body
        );
    }
    let failure = item(&reply.body, "unreadable");
    assert_eq!(failure["errorCode"], "PARSE_ERROR");
    assert!(
        failure["errorDetails"]
            .as_str()
            .unwrap()
            .contains("FormatVersion")
    );
    assert!(service.stop().success());
    // The four single evaluations.
    assert_eq!(store.logged(PROJECT).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_tag_is_of_one_answer_to_one_caller() {
    let store = TestStore::embedded();
    let service = start(&store, &[]).await;
    let ask = async |instance: &str, tag: &str| {
        let reply = service
            .send(service.ofrep("", instance).header("if-none-match", tag))
            .await;
        let tag = reply.headers["etag"].to_str().unwrap().to_owned();
        assert_eq!(reply.headers["cache-control"], "private, no-cache");
        assert_eq!(reply.body.is_null(), reply.status == 304);
        (reply.status, tag, reply.body)
    };
    let (status, tag, _) = ask("B1", "\"x\"").await;
    assert_eq!(status, 200);
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for named in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        assert_eq!(
            ask("B1", &named).await,
            (304, tag.clone(), Value::Null),
            "{named}"
        );
    }
    let (status, other, _) = ask("B2", &tag).await;
    assert_eq!(status, 200);
    assert_ne!(other, tag);
    revise_text(&store, "llm_version", "5.0");
    let began = Instant::now();
    let (changed, body) = loop {
        let (status, changed, body) = ask("B1", &tag).await;
        if status == 200 {
            break (changed, body);
        }
        assert!(began.elapsed() < NOTICED, "the change is not seen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_ne!(changed, tag);
    assert_eq!(item(&body, "llm_version")["value"], "5.0");
    // A flag that is new is among them as soon as the head row names it.
    let flag = json!({ "flag_type": "feature", "name": "added", "metadata": { "description": "x" }, "revision": { "control": true } });
    apply(
        &store,
        &json!({ "file_version": 1, "project": PROJECT, "flags": [flag] }),
    );
    let began = Instant::now();
    while ask("B1", &changed).await.0 == 304 {
        assert!(began.elapsed() < NOTICED, "the new flag is not seen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (_, _, body) = ask("B1", "").await;
    assert_eq!(item(&body, "added")["value"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_flags_are_one_answer_and_no_more_than_the_setting_says() {
    let store = TestStore::embedded();
    let text = "x".repeat(500);
    let flags: Vec<Value> = (0..1_000)
        .map(|number| json!({ "flag_type": "data", "name": format!("flag_{number:04}"), "metadata": { "description": "x" }, "revision": { "control": text } }))
        .collect();
    apply(
        &store,
        &json!({ "file_version": 1, "project": PROJECT, "flags": flags }),
    );
    for max in [1_000, 300] {
        let service =
            Service::start_with(&store, &[], &[("FLAG_OFREP_MAX_FLAGS", &max.to_string())]);
        let first = service.send(service.ofrep("", "B1")).await;
        assert_eq!(first.body["flags"].as_array().unwrap().len(), max);
        let length: usize = first.headers["content-length"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(length, first.body.to_string().len());
        assert_eq!(
            first.body["flags"][max - 1]["key"],
            format!("flag_{:04}", max - 1)
        );
        let tag = first.headers["etag"].clone();
        let again = service
            .send(service.ofrep("", "B1").header("if-none-match", tag))
            .await;
        assert_eq!(again.status, 304);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluations_of_a_bulk_answer_are_logged_if_the_setting_says_so() {
    let store = TestStore::embedded();
    let variables = [
        ("FLAG_OFREP_BULK_EXPOSURES", "delivered"),
        ("FLAG_OFREP_STRICT_REASONS", "true"),
    ];
    let service = start(&store, &variables).await;
    let control = (0..100).map(|number| format!("C{number}"));
    let mut tag = None;
    for instance in control {
        let reply = service.send(service.ofrep("", &instance)).await;
        if item(&reply.body, "beta_search")["variant"] == "control" {
            assert_eq!(item(&reply.body, "beta_search")["reason"], "UNKNOWN");
            tag = Some((instance, reply.headers["etag"].clone()));
            break;
        }
    }
    let (instance, tag) = tag.unwrap();
    let unchanged = service
        .send(service.ofrep("", &instance).header("if-none-match", tag))
        .await;
    assert_eq!(unchanged.status, 304);
    assert!(service.stop().success());
    let logged = store.logged(PROJECT).await;
    let of_it: Vec<_> = logged
        .iter()
        .filter(|record| record.text().instance == instance)
        .collect();
    assert_eq!(
        of_it.len(),
        6,
        "one for each readable flag, and none for the 304"
    );
    assert!(
        of_it
            .iter()
            .all(|record| record.text().reason.as_deref() == Some("delivered"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_project_may_be_left_out_if_one_is_implied() {
    let store = TestStore::embedded();
    let ask = async |service: &Service, path: &str| {
        let request = service
            .request(Method::POST, path)
            .header("content-type", "application/json");
        service
            .send(request.body(r#"{"context":{"targetingKey":"B1"}}"#))
            .await
    };
    let paths = [
        "/ofrep/v1/evaluate/flags/llm_version",
        "/ofrep/v1/evaluate/flags",
    ];
    let service = start(&store, &[]).await;
    for path in paths {
        check_failure(
            &ask(&service, path).await,
            400,
            "GENERAL",
            "FLAG_DEFAULT_PROJECT",
        );
    }
    drop(service);
    let service = Service::start_with(&store, &[], &[("FLAG_DEFAULT_PROJECT", PROJECT)]);
    for path in paths {
        assert_eq!(ask(&service, path).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_one_project_implies_it_whatever_the_default_is() {
    let store = TestStore::embedded();
    add_flags(&store).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.json");
    let one = create_key(&store, &file, &[PROJECT]);
    let two = create_key(&store, &file, &[PROJECT, "other"]);
    let options = ["--api-keys-file", file.to_str().unwrap()];
    let path = "/ofrep/v1/evaluate/flags/llm_version";
    let ask = async |service: &Service, key: &str| {
        let request = service.request(Method::POST, path).bearer_auth(key);
        let request = request.header("content-type", "application/json");
        let body = r#"{"context":{"targetingKey":"B1"}}"#;
        service.send(request.body(body)).await
    };
    let service = Service::start_with(&store, &options, &[]);
    assert_eq!(ask(&service, &one).await.body["value"], "4.1");
    check_failure(&ask(&service, &two).await, 400, "GENERAL", "no project");
    drop(service);
    let service = Service::start_with(&store, &options, &[("FLAG_DEFAULT_PROJECT", "other")]);
    assert_eq!(ask(&service, &one).await.body["value"], "4.1");
    check_failure(&ask(&service, &two).await, 404, "FLAG_NOT_FOUND", "other");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_set_origins_may_ask_and_others_may_not() {
    const ORIGIN: &str = "https://app.example.com";
    let store = TestStore::embedded();
    let service = start(&store, &[("FLAG_CORS_ORIGINS", ORIGIN)]).await;
    let paths = [
        "/get-feature-flag",
        "/projects/csr-assistant/ofrep/v1/evaluate/flags",
        "/projects/csr-assistant/ofrep/v1/evaluate/flags/beta_search",
    ];
    for (origin, is_allowed) in [(ORIGIN, true), ("https://other.example.com", false)] {
        let allowed = |reply: &Reply| {
            let header = reply.headers.get("access-control-allow-origin");
            assert_eq!(
                header.map(|header| header.to_str().unwrap()),
                is_allowed.then_some(ORIGIN)
            );
            assert_eq!(reply.headers["vary"], "origin");
        };
        for path in paths {
            let preflight = service
                .request(Method::OPTIONS, path)
                .header("origin", origin)
                .header("access-control-request-method", "POST");
            let reply = service
                .send(preflight.header("access-control-request-headers", "authorization"))
                .await;
            assert_eq!(reply.status, 204);
            allowed(&reply);
            let headers = reply.headers["access-control-allow-headers"]
                .to_str()
                .unwrap();
            for header in [
                "content-type",
                "authorization",
                "x-api-key",
                "if-none-match",
            ] {
                assert!(headers.contains(header), "{headers}");
            }
        }
        for request in [
            service.ofrep("", "B1"),
            service.ofrep("/nothing", "B1"),
            service.request(Method::GET, "/get-feature-flag"),
        ] {
            let reply = service.send(request.header("origin", origin)).await;
            allowed(&reply);
            if is_allowed {
                let exposed = reply.headers["access-control-expose-headers"]
                    .to_str()
                    .unwrap();
                for header in ["etag", "retry-after", "x-flag-reason"] {
                    assert!(exposed.contains(header), "{exposed}");
                }
            }
        }
    }
    let other = service
        .request(Method::OPTIONS, "/readyz")
        .header("origin", ORIGIN)
        .header("access-control-request-method", "GET");
    assert_eq!(service.send(other).await.status, 405);
    drop(service);
    let service = Service::start(&store);
    let preflight = service
        .request(Method::OPTIONS, paths[1])
        .header("origin", ORIGIN)
        .header("access-control-request-method", "POST");
    let reply = service.send(preflight).await;
    assert_eq!(reply.status, 405);
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
}
