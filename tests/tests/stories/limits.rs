//! How much a caller may ask of the service, and how slowly.

use std::time::{Duration, Instant};

use flag_store::Clock as _;
use flag_tests::{Method, Proxy, Service, TestStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a slow caller is borne with, as documented, and some more for a machine with much else to do.
const BORNE: Duration = Duration::from_secs(20);

const QUESTION: &str = "GET /get-feature-flag?project_name=csr-assistant&flag_type=data&flag_name=llm_version&instance_id=A HTTP/1.1\r\nHost: x\r\n";

async fn connect(service: &Service) -> TcpStream {
    let address = service.url().strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// What comes until the connection is closed, or nothing more comes for a while.
async fn rest(connection: &mut TcpStream) -> (String, bool) {
    let mut said = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        match timeout(BORNE, connection.read(&mut bytes)).await {
            Ok(Ok(0) | Err(_)) => return (String::from_utf8(said).unwrap(), true),
            Ok(Ok(read)) => said.extend(&bytes[..read]),
            Err(_) => return (String::from_utf8(said).unwrap(), false),
        }
    }
}

/// Reads one answer.
async fn answer(connection: &mut TcpStream) -> String {
    let mut said = String::new();
    let mut bytes = [0; 4096];
    while !said.ends_with('}') {
        let read = connection.read(&mut bytes).await.unwrap();
        assert!(read > 0, "closed after {said}");
        said += str::from_utf8(&bytes[..read]).unwrap();
    }
    said
}

/// Sends a part again and again, ever so slowly, until the connection is closed.
async fn trickle(connection: TcpStream, part: &[u8]) {
    let began = Instant::now();
    let (mut from, mut to) = connection.into_split();
    let reading = tokio::spawn(async move {
        let mut bytes = [0; 4096];
        while from.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    });
    while !reading.is_finished() {
        let _ = to.write_all(part).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert!(began.elapsed() < BORNE, "still open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_in_words() {
    let store = TestStore::embedded();
    let service = Service::start(&store);
    let long = format!("/get-feature-flag?x={}", "x".repeat(9_000));
    let reply = service.get(&long, &[]).await;
    assert_eq!(
        (reply.status, &reply.body["code"]),
        (414, &"uri_too_long".into())
    );
    let request = service.request(Method::GET, "/livez");
    let request = request.header("x-long", "x".repeat(40_000)).send().await;
    let response = request.unwrap();
    assert_eq!(response.status(), 431);
    assert!(response.text().await.unwrap().contains("headers_too_large"));
    let mut connection = connect(&service).await;
    let head = format!("{QUESTION}Content-Length: 300000\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    let (said, is_closed) = rest(&mut connection).await;
    assert!(
        said.starts_with("HTTP/1.1 413 ") && said.contains("payload_too_large"),
        "{said}"
    );
    assert!(is_closed);
    assert_eq!(service.get("/livez", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_beyond_what_is_read_at_all_are_refused() {
    let store = TestStore::embedded();
    let service = Service::start(&store);
    let mut connection = connect(&service).await;
    let head = format!("{QUESTION}X-Long: {}", "x".repeat(200_000));
    let _ = connection.write_all(head.as_bytes()).await;
    let mut bytes = [0; 64];
    let read = connection.read(&mut bytes).await.unwrap();
    let said = str::from_utf8(&bytes[..read]).unwrap();
    assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_request_of_a_connection_may_not_trickle_in() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let mut connection = connect(&service).await;
    connection.write_all(QUESTION.as_bytes()).await.unwrap();
    trickle(connection, b"X: y\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_later_request_may_trickle_in() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let mut connection = connect(&service).await;
    connection
        .write_all(format!("{QUESTION}\r\n").as_bytes())
        .await
        .unwrap();
    assert!(answer(&mut connection).await.starts_with("HTTP/1.1 200 "));
    connection.write_all(QUESTION.as_bytes()).await.unwrap();
    trickle(connection, b"X: y\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_reads_may_not_trickle_in() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    for method in ["GET", "POST"] {
        let mut connection = connect(&service).await;
        let head = format!("{QUESTION}Transfer-Encoding: chunked\r\n\r\n");
        let head = head.replacen("GET", method, 1);
        connection.write_all(head.as_bytes()).await.unwrap();
        answer(&mut connection).await;
        trickle(connection, b"1\r\nx\r\n").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_no_answers_is_cut_off() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let mut connection = connect(&service).await;
    let began = Instant::now();
    let questions = format!("{QUESTION}\r\n").repeat(1_000);
    // Until the buffers of both ends are full, and then until the connection is reset.
    let flood = async { while connection.write_all(questions.as_bytes()).await.is_ok() {} };
    assert!(timeout(BORNE * 3, flood).await.is_ok(), "still open");
    assert!(began.elapsed() > Duration::from_secs(1));
    let metrics = service
        .request(Method::GET, "/metrics")
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    let closed = "flag_slow_connections_closed_total{reason=\"read\"} 1";
    assert!(metrics.lines().any(|line| line == closed), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_one_of_many_pipelined_questions_is_answered() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let (mut from, mut to) = connect(&service).await.into_split();
    let questions = format!("{QUESTION}\r\n").repeat(5_000);
    let asking = tokio::spawn(async move {
        to.write_all(questions.as_bytes()).await.unwrap();
        to
    });
    let mut answers = 0;
    let mut said = Vec::new();
    let mut bytes = vec![0; 64 * 1024];
    while answers < 5_000 {
        let read = timeout(BORNE, from.read(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert!(read > 0, "closed after {answers}");
        said.extend(&bytes[..read]);
        let text = str::from_utf8(&said).unwrap();
        answers = text.matches("HTTP/1.1 200 OK").count();
    }
    asking.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_500_long_exposures_fits() {
    let store = TestStore::embedded();
    let service = Service::start(&store);
    let entry = |number: usize| {
        serde_json::json!({
            "project_name": "csr-assistant", "flag_type": "data", "flag_name": "llm_version",
            "instance_id": format!("{number:0>60}"), "flag_value": "a value of some length",
            "rollout_group": "treatment_1", "request_id": format!("{number:0>36}"),
            "created_time": flag_store::SystemClock.now().to_string(),
            "reason": "rollout", "bucket": 12_345, "revision": "2026-11-22 08:00:00.000000",
        })
    };
    let list: Vec<_> = (0..500).map(entry).collect();
    let body = serde_json::to_vec(&list).unwrap();
    assert!(body.len() > 150_000, "{} bytes", body.len());
    let request = service.request(Method::POST, "/log-feature-flag");
    let request = request.header("content-type", "application/json");
    assert_eq!(request.body(body).send().await.unwrap().status(), 200);
}

mod on_bigtable {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_would_wait_beyond_the_limit_is_refused_and_what_is_known_is_answered() {
        let TestStore::Bigtable { emulator, .. } = TestStore::bigtable() else {
            panic!("another store")
        };
        let network = Proxy::to(&emulator).await;
        let store = TestStore::at(network.address());
        let limits = [("FLAG_MAX_IN_FLIGHT", "4")];
        let service = Service::start_with(&store, &["--demo"], &limits);
        let ask = |name: &'static str| service.ask("csr-assistant", "data", name, "A12345");
        assert_eq!(ask("llm_version").await.status, 200);
        network.fall_silent();
        let cold = futures_util::future::join_all([(); 20].map(|()| ask("llm_provider")));
        let warm = async {
            // While the others wait, which takes them the two seconds that a store has.
            for _ in 0..50 {
                assert_eq!(ask("llm_version").await.status, 200);
            }
        };
        let (cold, ()) = tokio::join!(cold, warm);
        let overloaded = cold
            .iter()
            .filter(|reply| reply.body["code"] == "overloaded");
        let overloaded: Vec<_> = overloaded.collect();
        assert_eq!(overloaded.len(), 16, "{cold:?}");
        for reply in overloaded {
            assert_eq!(
                (reply.status, &reply.headers["retry-after"]),
                (503, &"1".parse().unwrap())
            );
        }
    }
}
