//! The load: requests at a constant rate or as fast as answers come, and what became of them.
//!
//! One thread. At a constant rate a request is due at its time whether or not a connection is free, and its latency
//! counts from then: a slow answer hides no request that it delays. Shortly before a request is due the thread spins,
//! for a timer's millisecond would become the measured latency.
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::task::{LocalSet, yield_now};
use tokio::time::{sleep, timeout};

use super::ask::Asks;
use super::connection::Connection;

/// Without an answer for so long, a request has failed.
const HUNG: Duration = Duration::from_secs(10);

/// So long before a request is due the thread stops sleeping and spins.
const SPIN: Duration = Duration::from_millis(2);

/// What is sent, how, where, for how long.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) targets: Vec<SocketAddr>,
    pub(crate) connections: usize,
    /// Requests a second; without it as many as are answered.
    pub(crate) rate: Option<f64>,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    /// How many requests there are at most; with them, the load ends when they are answered.
    pub(crate) requests: Option<u64>,
    pub(crate) asks: Asks,
}

/// What a second of load gave.
#[derive(Debug)]
pub(crate) struct Second {
    /// Which one; the first of those that count is 0, those of the warm-up are below.
    pub(crate) at: i64,
    /// Latencies, in microseconds, of all answers.
    pub(crate) latencies: Histogram<u32>,
    /// Answers with the status that was expected.
    pub(crate) expected: u64,
    /// Other answers, and requests without any.
    pub(crate) failed: u64,
}

/// Latencies in microseconds, up to a minute, to two digits.
pub(crate) fn latencies() -> Result<Histogram<u32>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 2)?)
}

/// Sends the load; hands over each second when it has ended. Ends early when told to.
pub(crate) fn run(
    load: &Load,
    told_to_end: &Arc<AtomicBool>,
    seconds: &Sender<Second>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, generate(load, told_to_end, seconds))
}

async fn generate(load: &Load, told_to_end: &AtomicBool, seconds: &Sender<Second>) -> Result<()> {
    let began = Instant::now();
    let state = Rc::new(RefCell::new(State::new(load)?));
    for (at, target) in (0..load.connections).zip(load.targets.iter().cycle()) {
        // Connections are opened one after the other, as a flood of them would be another test.
        let worker = Worker {
            state: Rc::clone(&state),
            connection: Connection::new(*target),
            asks: load.asks.clone(),
            is_paced: load.rate.is_some(),
        };
        tokio::task::spawn_local(worker.run());
        if at % 64 == 63 {
            yield_now().await;
        }
    }
    let all = load.warm_up + load.duration;
    let warm_up = i64::try_from(load.warm_up.as_secs()).unwrap_or(0);
    let mut at = 0;
    let mut issued = 0_u64;
    while began.elapsed() < all && !told_to_end.load(Ordering::Relaxed) {
        if state.borrow().is_over() {
            break;
        }
        if let Some(rate) = load.rate {
            issued = state.borrow_mut().issue(began, rate, issued);
            rest(began, rate, issued).await;
        } else {
            sleep(Duration::from_millis(5)).await;
        }
        let second = began.elapsed().as_secs();
        if second > at {
            let ended = state
                .borrow_mut()
                .end_second(i64::try_from(at).unwrap_or(0) - warm_up)?;
            at = second;
            if seconds.send(ended).is_err() {
                break;
            }
        }
    }
    let last = state
        .borrow_mut()
        .end_second(i64::try_from(at).unwrap_or(0) - warm_up)?;
    // The last second is whole if the duration is; what is only a moment says nothing.
    if all.as_secs() > at && last.expected + last.failed > 0 {
        let _ = seconds.send(last);
    }
    Ok(())
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
    /// Requests that are due and that no connection has taken.
    due: VecDeque<Instant>,
    /// Connections that wait for one.
    idle: VecDeque<Waker>,
    next: u64,
    /// How many requests there are at most, and how many of them are over.
    requests: u64,
    ended: u64,
    latencies: Histogram<u32>,
    expected: u64,
    failed: u64,
}

impl State {
    fn new(load: &Load) -> Result<Self> {
        Ok(Self {
            due: VecDeque::with_capacity(load.connections),
            idle: VecDeque::with_capacity(load.connections),
            next: 0,
            requests: load.requests.unwrap_or(u64::MAX),
            ended: 0,
            latencies: latencies()?,
            expected: 0,
            failed: 0,
        })
    }

    fn is_over(&self) -> bool {
        self.ended >= self.requests
    }

    /// Makes every request due whose time has come; gives back how many have been.
    #[expect(clippy::cast_precision_loss, reason = "a time")]
    fn issue(&mut self, began: Instant, rate: f64, mut issued: u64) -> u64 {
        let now = Instant::now();
        loop {
            let due = began + Duration::from_secs_f64(issued as f64 / rate);
            if due > now {
                return issued;
            }
            issued += 1;
            self.due.push_back(due);
            if let Some(idle) = self.idle.pop_front() {
                idle.wake();
            }
        }
    }

    fn end_second(&mut self, at: i64) -> Result<Second> {
        Ok(Second {
            at,
            latencies: std::mem::replace(&mut self.latencies, latencies()?),
            expected: std::mem::take(&mut self.expected),
            failed: std::mem::take(&mut self.failed),
        })
    }

    fn record(&mut self, due: Instant, is_expected: bool) {
        let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(micros.max(1));
        self.ended += 1;
        if is_expected {
            self.expected += 1;
        } else {
            self.failed += 1;
        }
    }
}

/// A connection that takes one request after the other.
struct Worker {
    state: Rc<RefCell<State>>,
    connection: Connection,
    asks: Asks,
    is_paced: bool,
}

impl Worker {
    async fn run(mut self) {
        let mut request = String::new();
        while let Some((due, number)) = self.next().await {
            let expected = self.asks.write(number, &mut request);
            let status = timeout(HUNG, self.connection.ask(&request)).await;
            let status = status.ok().and_then(Result::ok);
            if status.is_none() {
                self.connection.close();
                // Whoever refuses at once is not asked in a tight loop.
                sleep(Duration::from_millis(1)).await;
            }
            self.state
                .borrow_mut()
                .record(due, status == Some(expected));
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
        if state.next >= state.requests {
            return None;
        }
        state.next += 1;
        Some((due, state.next))
    }
}
