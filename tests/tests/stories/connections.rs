//! What happens on one connection: requests one after the other, bodies that are awaited, silence, and too many of them.

use std::time::Duration;

use flag_tests::{Method, Service, TestStore, Wire, flagctl};

const QUESTION: &str = "/get-feature-flag?project_name=csr-assistant&flag_type=data&flag_name=llm_version&instance_id=A";

const ENTRY: &str = r#"{"project_name":"csr-assistant","flag_type":"data","flag_name":"llm_version","instance_id":"A12345","flag_value":"4.1","rollout_group":"control"}"#;

fn head(method: &Method, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
}

fn get(path: &str) -> String {
    head(&Method::GET, path, "")
}

fn post(headers: &str) -> String {
    let headers = format!("Content-Type: application/json\r\n{headers}");
    head(&Method::POST, "/log-feature-flag", &headers)
}

fn logged() -> String {
    let length = format!("Content-Length: {}\r\n", ENTRY.len());
    post(&length) + ENTRY
}

/// A service with the sample flags, and where they are kept.
fn demo(variables: &[(&str, &str)]) -> (Service, TestStore) {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], variables);
    (service, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_requests_in_one_packet_has_the_answer_that_its_method_wants() {
    let (service, _store) = demo(&[]);
    let (get, head, post) = (Method::GET, Method::HEAD, Method::POST);
    let paths = ["/readyz", "/livez", QUESTION, "/openapi.json"];
    let mut requests: Vec<(&Method, &str)> = Vec::new();
    for first in paths {
        for second in paths {
            requests.extend([(&head, first), (&get, second), (&post, ""), (&head, first)]);
        }
    }
    let packet: Vec<String> = requests
        .iter()
        .map(|&(method, path)| match path {
            "" => logged(),
            path => self::head(method, path, ""),
        })
        .collect();
    for size in [2, 3, requests.len()] {
        for (packet, requests) in packet.chunks(size).zip(requests.chunks(size)) {
            let mut wire = service.connect().await;
            wire.send(&packet.concat()).await;
            for &(method, path) in requests {
                let answer = wire.answer(method).await.unwrap();
                assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
                assert!(answer.head.contains("content-length: "), "{answer:?}");
                let is_its_own = match (method, path) {
                    (_, "/readyz") => "\"status\":\"ready\"",
                    (_, "/livez") => "\"status\":\"live\"",
                    (_, "/openapi.json") => "\"openapi\"",
                    (_, QUESTION) => "\"flag_value\"",
                    _ => "\"stored\"",
                };
                assert!(
                    *method == head || answer.body.contains(is_its_own),
                    "{answer:?}"
                );
            }
            assert!(wire.is_silent(Duration::from_millis(1)).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_offers_another_protocol_is_answered_in_this_one_and_may_go_on() {
    let (service, _store) = demo(&[]);
    let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let mut wire = service.connect().await;
    wire.send(&(head(&Method::GET, QUESTION, offer) + &get(QUESTION)))
        .await;
    for _ in 0..2 {
        let answer = wire.answer(&Method::GET).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.head.contains("upgrade"), "{answer:?}");
    }
    wire.send(&get(QUESTION)).await;
    assert_eq!(wire.answer(&Method::GET).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_follows_the_last_request_is_done() {
    let (service, _store) = demo(&[]);
    let last = [
        head(&Method::GET, "/readyz", "Connection: close\r\n"),
        head(&Method::GET, "/livez", "Connection: close\r\n"),
        head(&Method::HEAD, "/readyz", "Connection: close\r\n"),
        "GET /readyz HTTP/1.0\r\n\r\n".to_owned(),
    ];
    for last in last {
        for before in ["", &get("/readyz")] {
            let mut wire = service.connect().await;
            wire.send(&format!("{before}{last}{}", logged().repeat(3)))
                .await;
            let method = if last.starts_with("HEAD") {
                Method::HEAD
            } else {
                Method::GET
            };
            if !before.is_empty() {
                assert_eq!(wire.answer(&Method::GET).await.unwrap().status, 200);
            }
            let answer = wire.answer(&method).await.unwrap();
            assert_eq!(answer.status, 200);
            assert_eq!(wire.answer(&Method::POST).await, None, "after {last}");
        }
    }
    let stored = service.metric("flag_exposure_entries_total{outcome=\"stored\"}");
    assert_eq!(stored.await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_leave_to_send_a_body_gets_it_only_where_it_is_wanted() {
    let (folder, store) = (tempfile::tempdir().unwrap(), TestStore::embedded());
    let file = folder.path().join("keys.json");
    let file = file.to_str().unwrap();
    let made = flagctl(
        &store,
        &[
            "keys",
            "create",
            "-oname",
            "--file",
            file,
            "--scope=log",
            "--project=*",
        ],
    );
    let key = format!("X-API-Key: {}\r\n", made.stdout.trim());
    let service = Service::start_with(&store, &["--demo", "--api-keys-file", file], &[]);
    let expects = "Expect: 100-continue\r\n";
    let small = format!("Content-Length: {}\r\n{expects}", ENTRY.len());
    let refused = [
        (401, post(&small)),
        (
            413,
            post(&format!("{key}Content-Length: 9999999\r\n{expects}")),
        ),
        (404, head(&Method::POST, "/nothing", &small)),
        (405, head(&Method::POST, "/livez", &small)),
        (
            415,
            head(&Method::POST, "/log-feature-flag", &format!("{key}{small}")),
        ),
        (
            404,
            head(
                &Method::POST,
                "/nothing",
                &format!("Transfer-Encoding: chunked\r\n{expects}"),
            ),
        ),
    ];
    for (status, request) in refused {
        let mut wire = service.connect().await;
        wire.send(&request).await;
        let answer = wire.answer(&Method::POST).await.unwrap();
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.head.contains("connection: close"), "{}", answer.head);
        assert_eq!(wire.answer(&Method::POST).await, None);
    }
    let mut wire = service.connect().await;
    for _ in 0..2 {
        wire.send(&post(&format!("{key}{small}"))).await;
        assert_eq!(wire.answer(&Method::POST).await.unwrap().status, 100);
        wire.send(ENTRY).await;
        assert_eq!(wire.answer(&Method::POST).await.unwrap().status, 200);
    }
    wire.send(&(post(&format!("{key}{small}")) + ENTRY)).await;
    assert_eq!(
        wire.answer(&Method::POST).await.unwrap().status,
        200,
        "it has not waited"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_body_is_not_waited_for() {
    let (service, _store) = demo(&[]);
    for length in ["", "Content-Length: 0\r\n"] {
        let mut wire = service.connect().await;
        wire.send(&post(&format!("{length}Expect: 100-continue\r\n")))
            .await;
        assert_eq!(wire.answer(&Method::POST).await.unwrap().status, 400);
        wire.send(&get("/livez")).await;
        let next = wire.answer(&Method::GET).await.unwrap();
        assert_eq!(next.status, 200, "{length:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_line_feed_in_a_head_is_refused() {
    let (service, _store) = demo(&[]);
    for request in [
        "GET /livez HTTP/1.1\nHost: x\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\n\n",
    ] {
        let mut wire = service.connect().await;
        wire.send(&(get("/livez") + request)).await;
        let statuses = wire
            .statuses(&[Method::GET, Method::GET, Method::GET])
            .await;
        assert_eq!(statuses, [Some(200), Some(400), None], "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_that_stays_away_is_waited_for_once() {
    let (service, _store) = demo(&[]);
    let mut wire = service.connect().await;
    wire.send(&post("Transfer-Encoding: chunked\r\n")).await;
    let answer = wire.answer(&Method::POST).await.unwrap();
    assert_eq!(answer.status, 408);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert_eq!(wire.answer(&Method::POST).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_request_is_closed_in_silence_after_the_time_that_is_set() {
    let (service, _store) = demo(&[("FLAG_KEEP_ALIVE_SECONDS", "1")]);
    let mut silent = service.connect().await;
    assert_eq!(silent.answer(&Method::GET).await, None);
    for _ in 0..5 {
        let mut quiet = service.connect().await;
        quiet.send(&get("/livez")).await;
        assert_eq!(quiet.answer(&Method::GET).await.unwrap().status, 200);
        assert_eq!(quiet.answer(&Method::GET).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_a_request_make_room_for_new_ones() {
    let limits = [("FLAG_MAX_CONNECTIONS", "20"), ("FLAG_WORKERS", "1")];
    let (service, _store) = demo(&limits);
    let mut held: Vec<Wire> = Vec::new();
    for number in 0..100 {
        let mut wire = service.connect().await;
        if number % 2 == 0 {
            wire.send(&get(QUESTION)).await;
            let answer = wire.answer(&Method::GET).await.unwrap();
            assert_eq!(answer.status, 200, "connection {number}");
        }
        held.push(wire);
    }
    let open = service.metric("flag_connections").await;
    assert!(open <= 20, "{open} connections");
    assert!(service.metric("flag_idle_connections_closed_total").await >= 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_while_every_connection_is_busy() {
    let limits = [("FLAG_MAX_CONNECTIONS", "4"), ("FLAG_WORKERS", "1")];
    let (service, _store) = demo(&limits);
    let mut busy: Vec<Wire> = Vec::new();
    for _ in 0..4 {
        let mut wire = service.connect().await;
        wire.send(&(post("Content-Length: 10\r\nExpect: 100-continue\r\n")))
            .await;
        assert_eq!(wire.answer(&Method::POST).await.unwrap().status, 100);
        busy.push(wire);
    }
    // As many as are let in beyond the limit, and more.
    let mut waiting: Vec<Wire> = Vec::new();
    for _ in 0..30 {
        let mut wire = service.connect().await;
        wire.send("GET /").await;
        waiting.push(wire);
    }
    for path in ["/livez", "/readyz"] {
        let mut probe = service.connect().await;
        probe.send(&get(path)).await;
        let answer = probe.answer(&Method::GET).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(
            probe.answer(&Method::GET).await,
            None,
            "it gives its place back"
        );
    }
    let mut other = service.connect().await;
    other.send(&get(QUESTION)).await;
    let answer = other.answer(&Method::GET).await.unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("overloaded"), "{}", answer.body);
    let mut first = busy.remove(0);
    first.send("[    ").await;
    first.send("    ]").await;
    assert_eq!(
        first.answer(&Method::POST).await.unwrap().status,
        200,
        "a busy one is left alone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_while_every_connection_has_a_part_of_a_head() {
    let limits = [("FLAG_MAX_CONNECTIONS", "4"), ("FLAG_WORKERS", "1")];
    let (service, _store) = demo(&limits);
    let mut slow: Vec<Wire> = Vec::new();
    for _ in 0..4 {
        let mut wire = service.connect().await;
        wire.send(&(get("/livez") + "GET /livez HT")).await;
        assert_eq!(wire.answer(&Method::GET).await.unwrap().status, 200);
        slow.push(wire);
    }
    for path in ["/livez", "/readyz"] {
        let mut probe = service.connect().await;
        probe.send(&get(path)).await;
        let statuses = probe.statuses(&[Method::GET, Method::GET]).await;
        assert_eq!(statuses, [Some(200), None], "it gives its place back");
    }
    let first = &mut slow[0];
    first.send("TP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(first.answer(&Method::GET).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pipelines_and_reads_nothing_makes_the_service_hold_little() {
    let (service, _store) = demo(&[("FLAG_WORKERS", "1")]);
    let before = service.resident();
    for path in ["/openapi.json", "/docs", "/metrics", QUESTION] {
        let requests = get(path).repeat(400);
        let mut held = Vec::new();
        for _ in 0..150 {
            let wire = service.connect().await;
            wire.push(&requests);
            held.push(wire);
        }
        // The one worker comes to these when it has seen to the others.
        for _ in 0..50 {
            assert_eq!(service.get("/livez", &[]).await.status, 200);
        }
        let grown = service.resident().saturating_sub(before);
        assert!(grown < 32 << 20, "{path}: {} MiB", grown >> 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_nothing_but_empty_lines_makes_the_service_hold_little() {
    let (service, _store) = demo(&[("FLAG_WORKERS", "1")]);
    assert_eq!(service.get("/livez", &[]).await.status, 200);
    let before = service.resident();
    let lines = "\r\n".repeat(30 << 10);
    let mut held = Vec::new();
    for _ in 0..600 {
        let wire = service.connect().await;
        wire.push(&lines);
        held.push(wire);
    }
    for _ in 0..50 {
        assert_eq!(service.get("/livez", &[]).await.status, 200);
    }
    let grown = service.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{} MiB", grown >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_body_in_chunks_of_a_byte_makes_the_service_hold_little() {
    let (service, _store) = demo(&[("FLAG_WORKERS", "1")]);
    let body = post("Transfer-Encoding: chunked\r\n") + &"1\r\n \r\n".repeat(40_000);
    assert_eq!(service.get("/livez", &[]).await.status, 200);
    let before = service.resident();
    let mut open = Vec::new();
    for _ in 0..200 {
        let wire = service.connect().await;
        wire.push(&body);
        open.push(wire);
    }
    for _ in 0..50 {
        assert_eq!(service.get("/livez", &[]).await.status, 200);
    }
    let grown = service.resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{} MiB", grown >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_sent_a_large_body_makes_the_service_hold_little() {
    let (service, _store) = demo(&[("FLAG_WORKERS", "1")]);
    let length = 200_000;
    let body = post(&format!("Content-Length: {length}\r\n")) + &" ".repeat(length);
    assert_eq!(service.get("/livez", &[]).await.status, 200);
    let before = service.resident();
    let mut open = Vec::new();
    for _ in 0..600 {
        let mut wire = service.connect().await;
        wire.send(&body).await;
        assert!(wire.answer(&Method::POST).await.is_some());
        open.push(wire);
    }
    let grown = service.resident().saturating_sub(before);
    assert!(grown < 40 << 20, "{} MiB", grown >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_while_others_want_every_place_there_is() {
    let limits = [("FLAG_MAX_CONNECTIONS", "4"), ("FLAG_WORKERS", "1")];
    let (service, _store) = demo(&limits);
    let unfinished = ["GET /livez HTTP/1.1\r\nX: ", &post("Content-Length: 9\r\n")];
    for unfinished in unfinished {
        let mut open = Vec::new();
        for _ in 0..400 {
            let mut wire = service.connect().await;
            wire.send(unfinished).await;
            open.push(wire);
        }
        let probe = async {
            let mut probe = service.connect().await;
            probe.send(&get("/livez")).await;
            probe.answer(&Method::GET).await.unwrap().status
        };
        // Far longer than it takes, and far shorter than if each of them were to wait for the rest.
        let status = tokio::time::timeout(Duration::from_secs(10), probe).await;
        assert_eq!(status, Ok(200), "after {unfinished:?}");
    }
}
