//! Sends the requests.
//!
//! Shortly before a request is due the thread spins, for a timer's millisecond would become the measured latency.
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use tokio::task::{LocalSet, yield_now};
use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::outcome::{Outcome, Second};

/// After this time without an answer a request has failed.
const HUNG: Duration = Duration::from_secs(10);

/// The thread stops sleeping this long before a request is due.
const SPIN: Duration = Duration::from_millis(2);

/// Pause of a connection after a failure, so that a service that refuses at once is not asked in a tight loop.
const BACKOFF: Duration = Duration::from_millis(1);

/// Writes the request with this number, counted from 1, and returns the status expected of its answer.
pub type WriteRequest = dyn Fn(u64, &mut String) -> u16 + Send + Sync;

/// A load: what is sent, where, how fast and for how long.
#[derive(Clone)]
pub struct Load {
    /// The services; connections are spread over them.
    pub targets: Vec<SocketAddr>,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Requests per second, whatever the answers do; without it as many as are answered.
    pub rate: Option<f64>,
    /// Time before the seconds that count.
    pub warm_up: Duration,
    /// Time of the seconds that count.
    pub duration: Duration,
    /// The most requests; the load ends when they are answered.
    pub requests: Option<u64>,
    /// Writes them.
    pub write: Arc<WriteRequest>,
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load")
            .field("targets", &self.targets)
            .field("connections", &self.connections)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

impl Load {
    /// Sends the load and passes on each second when it has ended. Stops early when the receiver is dropped.
    ///
    /// # Errors
    ///
    /// If there is no runtime for it. Requests that fail are counted instead.
    pub fn run(&self, seconds: &Sender<Second>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        LocalSet::new().block_on(&runtime, generate(self, seconds))
    }

    /// Sends the load and returns the sum of its seconds, the warm-up included.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_to_end(&self) -> io::Result<Outcome> {
        let (seconds, ended) = channel();
        self.run(&seconds)?;
        drop(seconds);
        let mut all = Outcome::new()?;
        for second in ended {
            all.add(&second.outcome)?;
        }
        Ok(all)
    }
}

async fn generate(load: &Load, seconds: &Sender<Second>) -> io::Result<()> {
    let state = Rc::new(RefCell::new(State::new(load)?));
    connect(load, &state).await;
    let began = state.borrow().began;
    let all = load.warm_up + load.duration;
    let warm_up = i64::try_from(load.warm_up.as_secs()).unwrap_or(0);
    let (mut at, mut issued) = (0_u64, 0_u64);
    let number = |at| i64::try_from(at).unwrap_or(0) - warm_up;
    while began.elapsed() < all && !state.borrow().is_over() {
        if let Some(rate) = load.rate {
            issued = state.borrow_mut().issue(rate, issued);
            rest(began, rate, issued).await;
        } else {
            sleep(Duration::from_millis(5)).await;
        }
        let second = began.elapsed().as_secs();
        if second > at {
            let outcome = state.borrow_mut().end_second()?;
            let at = number(std::mem::replace(&mut at, second));
            if seconds.send(Second { at, outcome }).is_err() {
                return Ok(());
            }
        }
    }
    let outcome = state.borrow_mut().end_second()?;
    // The last second is whole if the duration is; what is only a moment says nothing.
    if all.as_secs() > at && !outcome.statuses.is_empty() {
        let at = number(at);
        let _ = seconds.send(Second { at, outcome });
    }
    Ok(())
}

/// Starts the workers. They connect one after the other, as a flood of connections would be another test.
async fn connect(load: &Load, state: &Rc<RefCell<State>>) {
    for (at, target) in (0..load.connections).zip(load.targets.iter().cycle()) {
        let worker = Worker {
            state: Rc::clone(state),
            connection: Connection::new(*target),
            write: Arc::clone(&load.write),
            is_paced: load.rate.is_some(),
        };
        tokio::task::spawn_local(worker.run());
        if at % 64 == 63 {
            yield_now().await;
        }
    }
}

/// Waits until the next request is due, or nearly.
#[expect(clippy::cast_precision_loss, reason = "a time")]
async fn rest(began: Instant, rate: f64, issued: u64) {
    let due = began + Duration::from_secs_f64(issued as f64 / rate);
    let left = due.saturating_duration_since(Instant::now());
    match left.checked_sub(SPIN) {
        Some(calm) => sleep(calm.min(Duration::from_millis(50))).await,
        None => yield_now().await,
    }
}

/// What the connections share.
struct State {
    began: Instant,
    /// Requests that are due and that no connection has taken.
    due: VecDeque<Instant>,
    /// Connections that wait for one.
    idle: VecDeque<Waker>,
    /// Requests taken by a connection, those answered or failed, and the most there are.
    taken: u64,
    ended: u64,
    requests: u64,
    outcome: Outcome,
}

impl State {
    fn new(load: &Load) -> io::Result<Self> {
        Ok(Self {
            began: Instant::now(),
            due: VecDeque::with_capacity(load.connections),
            idle: VecDeque::with_capacity(load.connections),
            taken: 0,
            ended: 0,
            requests: load.requests.unwrap_or(u64::MAX),
            outcome: Outcome::new()?,
        })
    }

    fn is_over(&self) -> bool {
        self.ended >= self.requests
    }

    /// Makes every request due whose time has come; returns the number of those that have been.
    #[expect(clippy::cast_precision_loss, reason = "a time")]
    fn issue(&mut self, rate: f64, mut issued: u64) -> u64 {
        let now = Instant::now();
        loop {
            let due = self.began + Duration::from_secs_f64(issued as f64 / rate);
            if due > now || issued >= self.requests {
                return issued;
            }
            issued += 1;
            self.due.push_back(due);
            if let Some(idle) = self.idle.pop_front() {
                idle.wake();
            }
        }
    }

    fn end_second(&mut self) -> io::Result<Outcome> {
        Ok(std::mem::replace(&mut self.outcome, Outcome::new()?))
    }
}

/// A connection that takes one request after the other.
struct Worker {
    state: Rc<RefCell<State>>,
    connection: Connection,
    write: Arc<WriteRequest>,
    is_paced: bool,
}

impl Worker {
    async fn run(mut self) {
        let mut request = String::new();
        while let Some((due, number)) = self.next().await {
            let expected = (self.write)(number, &mut request);
            let answer = timeout(HUNG, self.connection.ask(&request)).await;
            let answer = answer.ok().and_then(Result::ok);
            if answer.is_none() {
                self.connection.close();
                sleep(BACKOFF).await;
            }
            let mut state = self.state.borrow_mut();
            let began = state.began;
            state.outcome.record(began, due, answer, expected);
            state.ended += 1;
        }
    }

    /// The next request: when it is due, and its number. `None` when there were enough.
    async fn next(&self) -> Option<(Instant, u64)> {
        let due = if self.is_paced {
            poll_fn(|context| {
                let mut state = self.state.borrow_mut();
                let Some(due) = state.due.pop_front() else {
                    state.idle.push_back(context.waker().clone());
                    return Poll::Pending;
                };
                Poll::Ready(due)
            })
            .await
        } else {
            Instant::now()
        };
        let mut state = self.state.borrow_mut();
        if state.taken >= state.requests {
            return None;
        }
        state.taken += 1;
        Some((due, state.taken))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that answers each path with the status that it ends with, and `/0` with the end of the connection.
    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(move || answer(&stream.unwrap()));
            }
        });
        address
    }

    fn answer(mut stream: &std::net::TcpStream) {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let Some(path) = line.strip_prefix("GET /") else {
                continue;
            };
            let status = &path[..path.find(' ').unwrap()];
            if status == "0" {
                return;
            }
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok");
            stream.write_all(head.as_bytes()).unwrap();
        }
    }

    fn load(rate: Option<f64>) -> Load {
        Load {
            targets: vec![server()],
            connections: 4,
            rate,
            warm_up: Duration::ZERO,
            duration: Duration::from_mins(1),
            requests: Some(400),
            write: Arc::new(|number, request| {
                let status = [200, 404, 500, 0][usize::try_from(number % 4).unwrap()];
                *request = format!("GET /{status} HTTP/1.1\r\nhost: test\r\n\r\n");
                if status == 404 { 404 } else { 200 }
            }),
        }
    }

    #[test]
    fn every_request_is_counted_by_its_status() {
        for rate in [None, Some(4_000.0)] {
            let outcome = load(rate).run_to_end().unwrap();
            let each = [(0, 100), (200, 100), (404, 100), (500, 100)];
            assert_eq!(outcome.statuses, each.into());
            assert_eq!((outcome.expected, outcome.failed), (200, 200));
        }
    }

    #[test]
    fn a_load_ends_when_nobody_reads_its_seconds() {
        let (seconds, ended) = channel();
        drop(ended);
        let endless = Load {
            requests: None,
            ..load(None)
        };
        endless.run(&seconds).unwrap();
    }
}
