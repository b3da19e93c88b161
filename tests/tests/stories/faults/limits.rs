//! Clients that ask too much, or too slowly.

use std::time::{Duration, Instant};

use flag_tests::{Load, Service, TestStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::report::{Row, Verdict};
use super::world::warm;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn three_times_the_capacity_leaves_the_goodput() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[("FLAG_WORKERS", "1")]);
    let peak = Load {
        requests: 200_000,
        connections: 64,
        rate: None,
        path: warm,
    };
    let peak = peak.run(service.url()).await;
    assert_eq!(peak.count(200), 200_000, "{:?}", peak.statuses);
    let rate = peak.rate() * 3.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of requests"
    )]
    let requests = (rate * 10.0) as u64;
    let over = Load {
        requests,
        connections: 1_000,
        rate: Some(rate),
        path: warm,
    };
    let over = over.run(service.url()).await;
    let good = over.count(200);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let goodput = good as f64 / over.lasted.as_secs_f64();
    let ratio = goodput / peak.rate();
    Row {
        fault: "load at 3x capacity, one worker",
        goal: "goodput at least 90 % of peak",
    }
    .report(
        &format!(
            "{goodput:.0} good answers/s of {:.0} at peak ({:.0} %); others: {:?}",
            peak.rate(),
            ratio * 100.0,
            over.statuses
        ),
        Verdict::from(ratio >= 0.9),
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn slow_clients_are_left() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let headers = trickle(&service, "").await;
    let body = trickle(
        &service,
        "POST /log-feature-flag HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n",
    )
    .await;
    Row {
        fault: "slow headers, slow body (a byte a second)",
        goal: "closed within 10 s",
    }
    .report(
        &format!(
            "headers: closed after {:.1} s; body: answered or closed after {:.1} s",
            headers.as_secs_f64(),
            body.as_secs_f64()
        ),
        // A byte is sent each second, so the end may be seen a second late.
        Verdict::from(headers.max(body) <= Duration::from_secs(11)),
    );
}

/// Sends this, then a byte a second; how long it takes until the connection is answered or closed.
async fn trickle(service: &Service, begin: &str) -> Duration {
    let address = service.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(begin.as_bytes()).await.unwrap();
    let since = Instant::now();
    let mut buffer = [0; 1024];
    while since.elapsed() < Duration::from_mins(1) {
        tokio::select! {
            _ = stream.read(&mut buffer) => return since.elapsed(),
            () = sleep(Duration::from_secs(1)) => {
                if stream.write_all(b"G").await.is_err() {
                    return since.elapsed();
                }
            }
        }
    }
    since.elapsed()
}
