//! Traces, as a collector receives them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flag_store::Row;
use flag_tests::{Collector, Method, Service, TestStore, soon};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// What must be in no trace: whom a value is for.
const INSTANCE: &str = "A12345-canary";

const QUESTION: &str = "/get-feature-flag?project_name=csr-assistant&flag_type=data&flag_name=llm_provider&instance_id=A12345-canary";

fn start(store: &TestStore, collector: &Collector, more: &[(&str, &str)]) -> Service {
    let endpoint = collector.endpoint();
    let mut variables = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    variables.extend(more);
    Service::start_with(store, &["--demo"], &variables)
}

async fn ask(service: &Service, traceparent: &str) -> reqwest::Response {
    let request = service.request(Method::GET, QUESTION);
    let request = request.header("traceparent", traceparent);
    let response = request.header("x-request-id", "r-1").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

fn hex(id: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap();
    let digits = id
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.collect()
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let said = span.attributes.iter().map(|attribute| {
        let value = attribute.value.as_ref().unwrap().value.as_ref().unwrap();
        let value = match value {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            other => panic!("{other:?}"),
        };
        (&*attribute.key, value)
    });
    said.collect()
}

/// A request that reads its flag, and another that finds it in memory.
async fn check_spans(collector: Collector, protocol: &str) {
    let store = TestStore::embedded();
    let service = start(
        &store,
        &collector,
        &[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_SERVICE_NAME", "flags-of-the-test"),
        ],
    );
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let response = ask(&service, &traceparent).await;
    let told = response.headers()["traceresponse"]
        .to_str()
        .unwrap()
        .to_owned();
    ask(&service, &traceparent).await;
    let spans = collector.wait_for(3).await;
    assert!(service.stop().success());
    let named =
        |name: &str| -> Vec<&Span> { spans.iter().filter(|span| span.name == name).collect() };
    let (served, reads) = (named("GET /get-feature-flag"), named("read flag"));
    assert_eq!((served.len(), reads.len()), (2, 1), "{spans:?}");
    let (served, read) = (served[0], reads[0]);
    assert_eq!(
        (hex(&served.trace_id), hex(&served.parent_span_id)),
        (TRACE.into(), PARENT.into())
    );
    assert_eq!(told, format!("00-{TRACE}-{}-01", hex(&served.span_id)));
    assert_eq!(served.kind(), SpanKind::Server);
    assert_eq!(
        (&read.trace_id, &read.parent_span_id),
        (&served.trace_id, &served.span_id)
    );
    assert!(read.start_time_unix_nano >= served.start_time_unix_nano);
    assert!(read.end_time_unix_nano <= served.end_time_unix_nano);
    let expected = [
        ("feature_flag.key", "csr-assistant/data/llm_provider"),
        (
            "feature_flag.result.reason",
            attributes(served)["feature_flag.result.reason"].as_str(),
        ),
        (
            "feature_flag.result.variant",
            attributes(served)["feature_flag.result.variant"].as_str(),
        ),
        ("flag.request_id", "r-1"),
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/get-feature-flag"),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    assert_eq!(attributes(served), BTreeMap::from(expected));
    let sent = format!("{:?}", collector.requests());
    assert!(sent.contains("flags-of-the-test"), "{sent}");
    assert!(!sent.contains(INSTANCE), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_its_read_are_spans_over_grpc() {
    check_spans(Collector::grpc().await, "grpc").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_its_read_are_spans_over_http() {
    check_spans(Collector::http().await, "http/protobuf").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_does_not_sample_is_followed() {
    let (store, collector) = (TestStore::embedded(), Collector::http().await);
    let service = start(&store, &collector, &[]);
    ask(&service, &format!("00-{TRACE}-{PARENT}-00")).await;
    ask(&service, &format!("00-{TRACE}-{PARENT}-01")).await;
    assert!(service.stop().success());
    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:?}");
}

/// They would be sent a minute from now.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_sends_what_is_left() {
    for (collector, protocol) in [
        (Collector::http().await, "http/protobuf"),
        (Collector::grpc().await, "grpc"),
    ] {
        let store = TestStore::embedded();
        let service = start(
            &store,
            &collector,
            &[
                ("OTEL_BSP_SCHEDULE_DELAY", "60000"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ],
        );
        for _ in 0..10 {
            ask(&service, &format!("00-{TRACE}-{PARENT}-01")).await;
        }
        assert!(service.stop().success());
        let served = collector.spans().into_iter();
        let served = served.filter(|span| span.name == "GET /get-feature-flag");
        assert_eq!(served.count(), 10, "{protocol}");
    }
}

/// More spans than fit into the queue, and nobody who takes them.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_or_refuses_fails_no_request() {
    let refusing = Collector::silent().await;
    let gone = refusing.endpoint();
    drop(refusing);
    let silent = Collector::silent().await;
    for endpoint in [gone, silent.endpoint()] {
        for protocol in ["http/protobuf", "grpc"] {
            let store = TestStore::embedded();
            let service = Service::start_with(
                &store,
                &["--demo"],
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                    ("OTEL_BSP_SCHEDULE_DELAY", "10"),
                    ("OTEL_BSP_MAX_QUEUE_SIZE", "64"),
                    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "32"),
                ],
            );
            for _ in 0..300 {
                ask(&service, &format!("00-{TRACE}-{PARENT}-01")).await;
            }
            let asked = Instant::now();
            assert!(service.stop().success());
            assert!(asked.elapsed() < Duration::from_secs(10));
        }
    }
}

/// A failure is a line in the log, in the trace of its caller, and says nothing of whom the value was for.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_logged_once_a_second_in_its_trace() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[("FLAG_LOG", "error")]);
    let prefix = "PROJECT#csr-assistant#ROWTYPE#REVISION#FLAGTYPE#data#FLAGNAME#llm_provider#TIME#";
    let key = format!("{prefix}{}", soon());
    let row = Row {
        key: key.into(),
        cells: [("Name", "something else")].into_iter().collect(),
    };
    store.rows().await.insert_if_absent(&row).await.unwrap();
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    for _ in 0..50 {
        let request = service.request(Method::GET, QUESTION);
        let response = request
            .header("traceparent", &traceparent)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 500);
    }
    service.must_log("request failed");
    let log = service.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!((1..50).contains(&lines.len()), "{log}");
    let line = &lines[0];
    assert_eq!(line["severity"], "ERROR");
    assert_eq!(line["logging.googleapis.com/trace"], TRACE);
    assert_eq!(line["logging.googleapis.com/spanId"], PARENT);
    assert_eq!(line["httpRequest"]["requestUrl"], "/get-feature-flag");
    assert_eq!(
        line["logging.googleapis.com/labels"]["route"],
        "/get-feature-flag"
    );
    assert!(!log.contains(INSTANCE), "{log}");
}
