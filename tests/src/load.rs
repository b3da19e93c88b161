//! Many requests, at once or at a constant rate, and how they went.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

/// After so long without an answer a request counts as hung.
const HUNG: Duration = Duration::from_secs(10);

/// What to send: so many requests over so many connections.
pub struct Load {
    /// How many requests.
    pub requests: u64,
    /// How many connections, each of which sends one request at a time.
    pub connections: u64,
    /// Requests a second, whatever the answers do; without it a connection sends when it has its answer.
    pub rate: Option<f64>,
    /// The path and query of a request, by its number.
    pub path: fn(u64) -> String,
}

/// How the requests went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many answers had which status; 0 stands for no answer.
    pub statuses: BTreeMap<u16, u64>,
    /// How many answers were marked as stale.
    pub stale: u64,
    /// How long each took, from when it was due; sorted.
    pub latencies: Vec<Duration>,
    /// How long they took together.
    pub lasted: Duration,
}

impl Outcome {
    /// How many answers did not have this status.
    pub fn other_than(&self, status: u16) -> u64 {
        let all: u64 = self.statuses.values().sum();
        all - self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// The latency that this share of requests stayed below, `0.99` for the 99th percentile.
    pub fn percentile(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let at = (self.latencies.len() as f64 * share).ceil() as usize;
        let last = self.latencies.len().saturating_sub(1);
        let at = at.saturating_sub(1).min(last);
        self.latencies.get(at).copied().unwrap_or_default()
    }

    /// Requests a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.lasted.as_secs_f64()
    }

    fn add(&mut self, answer: Option<Answer>, latency: Duration) {
        let answer = answer.unwrap_or_default();
        *self.statuses.entry(answer.status).or_default() += 1;
        self.stale += u64::from(answer.is_stale);
        self.latencies.push(latency);
    }

    fn merge(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.stale += other.stale;
        self.latencies.extend(other.latencies);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    status: u16,
    is_stale: bool,
}

impl Load {
    /// Sends the requests to `http://host:port`, and waits for all answers.
    pub async fn run(self, url: &str) -> Outcome {
        let address: Arc<str> = url.trim_start_matches("http://").into();
        let next = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            let connection = Connection {
                address: Arc::clone(&address),
                stream: None,
                buffer: Vec::new(),
            };
            let worker = Worker {
                requests: self.requests,
                rate: self.rate,
                path: self.path,
                next: Arc::clone(&next),
                began,
            };
            connections.spawn(worker.run(connection));
        }
        let mut outcome = Outcome::default();
        for part in connections.join_all().await {
            outcome.merge(part);
        }
        outcome.lasted = began.elapsed();
        outcome.latencies.sort_unstable();
        outcome
    }
}

struct Worker {
    requests: u64,
    rate: Option<f64>,
    path: fn(u64) -> String,
    next: Arc<AtomicU64>,
    began: Instant,
}

impl Worker {
    async fn run(self, mut connection: Connection) -> Outcome {
        let mut outcome = Outcome::default();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.requests {
                return outcome;
            }
            let due = self.due(number).await;
            let path = (self.path)(number);
            let answer = timeout(HUNG, connection.get(&path)).await.ok().flatten();
            if answer.is_none() {
                connection.stream = None;
            }
            outcome.add(answer, due.elapsed());
        }
    }

    /// Waits until a request is due; latency counts from there, so that a slow answer hides none that it delays.
    #[expect(clippy::cast_precision_loss, reason = "a time")]
    async fn due(&self, number: u64) -> Instant {
        let Some(rate) = self.rate else {
            return Instant::now();
        };
        let due = self.began + Duration::from_secs_f64(number as f64 / rate);
        sleep_until(due.into()).await;
        due
    }
}

struct Connection {
    address: Arc<str>,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Sends a request and reads its answer; `None` if the connection ended.
    async fn get(&mut self, path: &str) -> Option<Answer> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&*self.address).await.ok()?;
            stream.set_nodelay(true).ok()?;
            self.stream = Some(stream);
        }
        let stream = self.stream.as_mut()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.ok()?;
        self.buffer.clear();
        loop {
            if let Some((answer, length)) = parse(&self.buffer)
                && self.buffer.len() >= length
            {
                return Some(answer);
            }
            if stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }
}

/// The answer that the bytes begin with, and how long it is with its body; `None` while its headers are not whole.
fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = str::from_utf8(bytes.get(..end)?).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let body: usize = header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    let answer = Answer {
        status,
        is_stale: header("cache-status") == Some("stale"),
    };
    Some((answer, end + body))
}
