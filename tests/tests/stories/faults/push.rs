//! Many event streams on one replica.

use std::time::{Duration, Instant};

use flag_store_embedded::run_at_idle_priority;
use flag_tests::{Load, Service, TestStore, flagctl, free_address, median_p99};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::report::{Row, Verdict};
use super::world::warm;

const STREAMS: usize = 10_000;

const CHANGES: usize = 10;

const RATE: f64 = 1_000.0;

/// What a reader of a stream reports.
struct Report {
    at: Instant,
    /// The name of the changed flag, or nothing for the first event.
    text: String,
}

/// A replica with `STREAMS` streams, in this process; the files that both need are permitted.
fn start(store: &TestStore, address: &str) -> Service {
    let id = std::process::id().to_string();
    let raised = std::process::Command::new("prlimit")
        .args(["--pid", &id, "--nofile=20000:20000"])
        .status();
    assert!(
        raised.unwrap().success(),
        "too few open files are permitted"
    );
    let streams = (STREAMS + 10).to_string();
    let variables = [
        ("FLAG_MAX_EVENT_STREAMS", &*streams),
        ("FLAG_MAX_CONNECTIONS", "2000"),
        ("FLAG_LISTEN", address),
    ];
    Service::start_with(store, &["--demo"], &variables)
}

/// Creates the runtime that reads the streams. Other machines would read them: they take no processor time from the service
/// and the load.
fn readers() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(run_at_idle_priority)
        .build()
        .unwrap()
}

/// Reads a stream to its end, and reports each event; returns the time in `retry:`.
async fn read(address: &str, events: &UnboundedSender<Report>) -> Option<Duration> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = "GET /projects/csr-assistant/events HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(request.as_bytes()).await.ok()?;
    let (mut retry, mut buffer) = (None, [0; 2 << 10]);
    loop {
        let length = stream.read(&mut buffer).await.unwrap_or(0);
        if length == 0 {
            return retry;
        }
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if let Some((_, rest)) = text.split_once("retry: ") {
            let millis = rest.split_once('\n').unwrap().0.parse().unwrap();
            retry = Some(Duration::from_millis(millis));
        }
        if text.contains("id: ") {
            let at = Instant::now();
            let _ = events.send(Report { at, text });
        }
    }
}

/// Waits for an event with this text at every stream; returns when the first and the last one came.
async fn all(events: &mut UnboundedReceiver<Report>, wanted: &str) -> (Instant, Instant) {
    let (mut first, mut last, mut count) = (None, Instant::now(), 0);
    while count < STREAMS {
        let report = timeout(Duration::from_mins(1), events.recv()).await;
        let report = report
            .unwrap_or_else(|_| panic!("only {count} events"))
            .unwrap();
        if report.text.contains(wanted) {
            first.get_or_insert(report.at);
            (last, count) = (report.at, count + 1);
        }
    }
    (first.unwrap(), last)
}

fn revise(store: &TestStore, control: usize) {
    let control = control.to_string();
    let words = [
        "revise",
        "csr-assistant",
        "data",
        "llm_provider",
        "--control",
        &control,
    ];
    let meant = ["--comment", "next", "--yes", "--yes-i-mean", "llm_provider"];
    assert_eq!(flagctl(store, &[&words[..], &meant].concat()).code, 0);
}

fn load(seconds: u32) -> Load {
    Load {
        requests: u64::from(seconds) * 1_000,
        connections: 32,
        rate: Some(RATE),
        path: warm,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn ten_thousand_streams_on_one_replica() {
    let fault = "10,000 event streams on one replica, 10 changes, 1,000 requests/s, readers at idle priority, embedded store";
    changing(TestStore::embedded(), fault).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_ten_thousand_streams_on_one_replica() {
    let fault = "10,000 event streams on one replica, 10 changes, 1,000 requests/s, readers at idle priority, Bigtable emulator";
    changing(TestStore::bigtable(), fault).await;
}

async fn changing(store: TestStore, fault: &'static str) {
    let service = start(&store, "127.0.0.1:0");
    load(5).run(service.url()).await;
    let before = load(20).run_by_second(service.url()).await;
    let resident = service.resident();
    let (sender, mut events) = unbounded_channel();
    let readers = readers();
    for _ in 0..STREAMS {
        let (address, sender) = (service.address(), sender.clone());
        readers.spawn(async move { read(&address, &sender).await });
        sleep(Duration::from_micros(200)).await;
    }
    all(&mut events, "\"flags\":[]").await;
    let each = (service.resident() - resident) / STREAMS as u64;
    let url = service.url().to_owned();
    let during = tokio::spawn(async move { load(30).run_by_second(&url).await });
    let (mut slowest, began) = (Duration::ZERO, Instant::now());
    for change in 0..CHANGES {
        revise(&store, change);
        let (first, last) = all(&mut events, "llm_provider").await;
        // The repeated event.
        all(&mut events, "llm_provider").await;
        slowest = slowest.max(last - first);
    }
    let changing = usize::try_from(began.elapsed().as_secs()).unwrap();
    let during = during.await.unwrap();
    readers.shutdown_background();
    let failed: u64 = (during.iter().chain(&before))
        .map(|second| second.other_than(200) + second.failed)
        .sum();
    let during = during.get(..changing).unwrap_or(&during);
    let [p99, p99_before] = [during, &before].map(median_p99);
    let ratio = p99.as_secs_f64() / p99_before.as_secs_f64();
    let row = Row {
        fault,
        goal: "at most 12 KiB each; a change reaches all within 500 ms of the first; request p99 within 1.5x, medians of seconds",
    };
    row.report(
        &format!(
            "{each} B each; slowest change {} ms; p99 {:.2} ms in {} s, before {:.2} ms ({ratio:.2}x), {failed} failed",
            slowest.as_millis(),
            p99.as_secs_f64() * 1e3,
            during.len(),
            p99_before.as_secs_f64() * 1e3,
        ),
        Verdict::from(each <= 12 << 10 && slowest <= Duration::from_millis(500) && ratio <= 1.5),
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn ten_thousand_streams_come_back_after_a_restart() {
    let fault = "a replica with 10,000 event streams is restarted, 1,000 requests/s after it, embedded store";
    coming_back(TestStore::embedded(), fault).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_ten_thousand_streams_come_back_after_a_restart() {
    let fault = "a replica with 10,000 event streams is restarted, 1,000 requests/s after it, Bigtable emulator";
    coming_back(TestStore::bigtable(), fault).await;
}

async fn coming_back(store: TestStore, fault: &'static str) {
    let address = free_address();
    let service = start(&store, &address);
    let (sender, mut events) = unbounded_channel();
    let readers = readers();
    for _ in 0..STREAMS {
        let (address, sender) = (address.clone(), sender.clone());
        readers.spawn(async move {
            loop {
                let retry = read(&address, &sender).await;
                // The replica may not listen yet.
                sleep(retry.unwrap_or(Duration::from_secs(1))).await;
            }
        });
        sleep(Duration::from_micros(200)).await;
    }
    all(&mut events, "\"flags\":[]").await;
    assert!(service.stop().success());
    let service = start(&store, &address);
    let began = Instant::now();
    let url = service.url().to_owned();
    let during = tokio::spawn(async move { load(12).run(&url).await });
    let (first, last) = all(&mut events, "\"flags\":[]").await;
    let reads = service
        .metric("flag_store_calls_total{operation=\"get\",outcome=\"ok\"}")
        .await;
    // The change mark is read every 450 to 500 ms.
    let polls = u64::try_from(began.elapsed().as_millis() / 450 + 1).unwrap();
    let more = reads.saturating_sub(polls);
    let during = during.await.unwrap();
    readers.shutdown_background();
    let failed: u64 = during.statuses.range(500..).map(|(_, count)| count).sum();
    let row = Row {
        fault,
        goal: "no 5xx; streams come back over at least 5 s; at most 2 reads of the store for the project, besides polls",
    };
    let spread = last - first;
    row.report(
        &format!(
            "{failed} answers with 5xx of {}, {} failed; all back within {:.1} s of the first; {more} reads",
            during.count(200),
            during.failed,
            spread.as_secs_f64(),
        ),
        Verdict::from(failed == 0 && spread >= Duration::from_secs(5) && more <= 2),
    );
}
