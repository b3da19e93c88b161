//! TLS in the service: certificates that are reloaded, and the protections of a connection, encrypted.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use flag_client::AsyncFeatureFlagClient;
use flag_tests::tls::{TlsFiles, TlsStream, client_config, connect, exchange};
use flag_tests::{Service, TestStore};
use rustls::version::{TLS12, TLS13};

/// How long a slow caller is borne with, as documented, and some more for a machine with much else to do.
const BORNE: Duration = Duration::from_secs(20);

const QUESTION: &str = "GET /get-feature-flag?project_name=csr-assistant&flag_type=data&flag_name=llm_version&instance_id=A HTTP/1.1\r\nHost: x\r\n";

/// A service with the certificate of `localhost`, its files, and its store.
fn start(variables: &[(&str, &str)]) -> (Service, TlsFiles, TestStore) {
    let (files, store) = (TlsFiles::of_localhost(), TestStore::embedded());
    let of_tls = files.variables();
    let of_tls = of_tls.iter().map(|(name, value)| (*name, &**value));
    let variables: Vec<_> = of_tls.chain(variables.iter().copied()).collect();
    (
        Service::start_with(&store, &["--demo"], &variables),
        files,
        store,
    )
}

fn open(service: &Service, name: &str) -> std::io::Result<TlsStream> {
    connect(client_config(&[&TLS13]), &service.address(), name)
}

fn get(service: &Service, path: &str) -> String {
    let mut stream = open(service, "localhost").unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    exchange(&mut stream, &request)
}

#[track_caller]
fn must_count(service: &Service, line: &str) {
    let began = Instant::now();
    loop {
        let metrics = get(service, "/metrics");
        if metrics.lines().any(|found| found == line) {
            return;
        }
        assert!(began.elapsed() < BORNE, "no {line} in {metrics}");
    }
}

/// Waits until the service closes a connection.
fn must_close(mut socket: TcpStream) {
    socket.set_read_timeout(Some(BORNE)).unwrap();
    let read = socket.read(&mut [0; 1024]);
    // An alert of TLS may come before the end.
    let read = read.and_then(|_| socket.read(&mut [0; 1024]));
    let is_open = read.is_err_and(|error| {
        error.kind() == std::io::ErrorKind::WouldBlock
            || error.kind() == std::io::ErrorKind::TimedOut
    });
    assert!(!is_open, "still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_asks_over_tls() {
    let (service, _files, _store) = start(&[]);
    assert!(service.greeting.contains("curl 'https://"));
    let port = service.address().rsplit(':').next().unwrap().to_owned();
    let client = AsyncFeatureFlagClient::builder("csr-assistant")
        .base_url(format!("https://localhost:{port}"))
        .timeout(BORNE)
        .http_client(|| {
            let tls = client_config(&[&TLS12, &TLS13]);
            reqwest::Client::builder().tls_backend_preconfigured(tls)
        })
        .build()
        .unwrap();
    let steps = client.get_flag_boolean_detail("multi_step_api_router", "A12345", false);
    let steps = steps.await;
    assert!(steps.value, "{steps:?}");
    assert!(matches!(steps.source, flag_client::Source::Service(_)));
}

#[test]
fn versions_and_protocols_are_those_that_are_documented() {
    let (service, _files, _store) = start(&[]);
    for version in [&TLS12, &TLS13] {
        let mut config = client_config(&[version]);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = connect(config, &service.address(), "localhost").unwrap();
        assert_eq!(stream.conn.protocol_version(), Some(version.version));
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    let mut config = client_config(&[&TLS13]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    assert!(connect(config, &service.address(), "localhost").is_err());
    must_count(
        &service,
        "flag_tls_handshakes_failed_total{reason=\"invalid\"} 1",
    );
}

#[test]
fn one_request_at_a_time_is_answered_over_tls() {
    let (service, _files, _store) = start(&[]);
    let mut stream = open(&service, "localhost").unwrap();
    let question = format!("{QUESTION}\r\n");
    let requests = question.repeat(200) + &question.replacen("GET", "HEAD", 1);
    let last = format!("{QUESTION}Connection: close\r\n\r\n");
    let answers = exchange(&mut stream, &(requests + &last));
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 202);
    assert_eq!(answers.matches("\"flag_value\"").count(), 201);
}

#[test]
fn a_new_certificate_counts_without_a_restart_and_a_broken_pair_does_not() {
    let (service, files, _store) = start(&[]);
    must_count(
        &service,
        "flag_tls_certificate_expiry_timestamp_seconds 4733510400",
    );
    let mut kept = open(&service, "localhost").unwrap();

    // Its key is that of another.
    files.put("service_account.key", "key.pem");
    service.must_log("TLS files cannot be used");
    must_count(&service, "flag_tls_files_current 0");
    files.put("server.key", "key.pem");
    service.must_log("TLS files can be used again");
    must_count(&service, "flag_tls_files_current 1");

    files.put("bigtable.test.pem", "certificate.pem");
    let began = Instant::now();
    while open(&service, "bigtable.test").is_err() {
        assert!(began.elapsed() < BORNE, "{}", service.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(open(&service, "localhost").is_err());
    let last = format!("{QUESTION}Connection: close\r\n\r\n");
    assert!(exchange(&mut kept, &last).starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn who_does_not_end_a_handshake_is_cut_off() {
    let (service, _files, _store) = start(&[]);
    let silent = TcpStream::connect(service.address()).unwrap();
    let mut partial = TcpStream::connect(service.address()).unwrap();
    // The beginning of a record that is announced as 512 bytes.
    partial.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
    must_close(silent);
    must_close(partial);
    must_count(
        &service,
        "flag_tls_handshakes_failed_total{reason=\"slow\"} 2",
    );
    let mut plain = TcpStream::connect(service.address()).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    must_close(plain);
    must_count(
        &service,
        "flag_tls_handshakes_failed_total{reason=\"invalid\"} 1",
    );
}

#[test]
fn unfinished_handshakes_make_room_for_callers() {
    let limits = [("FLAG_MAX_CONNECTIONS", "20"), ("FLAG_WORKERS", "1")];
    let (service, _files, _store) = start(&limits);
    let mut held = Vec::new();
    for number in 0..100 {
        held.push(TcpStream::connect(service.address()).unwrap());
        if number % 10 == 0 {
            assert!(get(&service, "/livez").starts_with("HTTP/1.1 200 OK"));
        }
    }
    let closed = get(&service, "/metrics");
    let closed = closed.lines().find_map(|line| {
        let count = line.strip_prefix("flag_idle_connections_closed_total ")?;
        count.parse::<u64>().ok()
    });
    assert!(closed.is_some_and(|closed| closed >= 80), "{closed:?}");
}

#[test]
fn a_slow_head_is_refused_over_tls() {
    let (service, _files, _store) = start(&[]);
    let mut stream = open(&service, "localhost").unwrap();
    let answer = exchange(&mut stream, QUESTION);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    must_count(
        &service,
        "flag_slow_connections_closed_total{reason=\"send\"} 1",
    );
}

#[test]
fn who_reads_no_answers_is_cut_off_over_tls() {
    let (service, _files, _store) = start(&[]);
    for path in ["/openapi.json", "/livez"] {
        let mut stream = open(&service, "localhost").unwrap();
        stream.sock.set_write_timeout(Some(BORNE * 3)).unwrap();
        let requests = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(1_000);
        // Until the buffers of both ends are full, and then until the connection is reset.
        let error = loop {
            if let Err(error) = stream.write_all(requests.as_bytes()) {
                break error;
            }
        };
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "still open");
    }
    must_count(
        &service,
        "flag_slow_connections_closed_total{reason=\"read\"} 2",
    );
}

#[test]
fn a_certificate_without_a_key_is_a_mistake() {
    let (files, store) = (TlsFiles::of_localhost(), TestStore::embedded());
    for (at, (name, value)) in files.variables().into_iter().enumerate() {
        let (status, stderr) = Service::fail(&store, &[], &[(name, &value)]);
        assert_eq!(status.code(), Some(2), "{stderr}");
        let missing = ["tls-key-file", "tls-certificate-file"][at];
        assert!(stderr.contains(&format!("set {missing} too")), "{stderr}");
    }
}
