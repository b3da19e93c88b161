//! A circuit breaker: consecutive failures stop all calls to the store; then single calls probe it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::{Backoff, Jitter};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Consecutive failures that open the circuit.
const FAILURES: u32 = 5;

/// Pauses before each probe. Longer pauses would delay the recovery.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(500),
    max: Duration::from_secs(1),
    jitter: Jitter::between(0.75, 1.0),
};

/// How often `probe_due` checks again while another probe is in flight.
const CHECK_AGAIN: Duration = Duration::from_millis(20);

/// The state of a circuit breaker.
#[derive(Debug)]
pub struct Circuit {
    state: Mutex<State>,
    /// A copy of the state, read without the lock.
    open: AtomicBool,
    opened: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        since: Instant,
        until: Instant,
        failed_probes: u32,
        is_probed: bool,
    },
}

/// Permission to make one call. Dropping it reports no result.
#[derive(Debug)]
pub(crate) struct CallPermit<'a> {
    circuit: &'a Circuit,
    is_probe: bool,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallEnd {
    /// The store answered, even if it refused the call.
    Answered,
    /// The store did not answer.
    Failed,
}

/// How the end of a call changes the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// It opened.
    Opened,
    /// It closed, after this time.
    Closed(Duration),
}

impl Circuit {
    /// Returns a closed circuit.
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State::Closed { failures: 0 }),
            open: AtomicBool::new(false),
            opened: Notify::new(),
        }
    }

    /// Whether calls fail at once, except probes.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Returns how long the circuit has been open; `None` if it is closed.
    pub fn open_for(&self) -> Option<Duration> {
        match *self.state() {
            State::Closed { .. } => None,
            State::Open { since, .. } => Some(since.elapsed()),
        }
    }

    /// Permits a call. While the circuit is open, only one probe is permitted, after each pause.
    pub(crate) fn admit(&self) -> Option<CallPermit<'_>> {
        let is_probe = match &mut *self.state() {
            State::Closed { .. } => false,
            State::Open {
                until, is_probed, ..
            } if !*is_probed && Instant::now() >= *until => {
                *is_probed = true;
                true
            }
            State::Open { .. } => return None,
        };
        Some(CallPermit {
            circuit: self,
            is_probe,
        })
    }

    /// Waits until a probe is permitted.
    pub(crate) async fn probe_due(&self) {
        loop {
            let until = match *self.state() {
                State::Closed { .. } => None,
                State::Open {
                    is_probed: true, ..
                } => Some(Instant::now() + CHECK_AGAIN),
                State::Open { until, .. } => Some(until),
            };
            match until {
                None => self.opened.notified().await,
                Some(until) if Instant::now() >= until => return,
                Some(until) => tokio::time::sleep_until(until).await,
            }
        }
    }

    fn end(&self, is_probe: bool, end: CallEnd) -> Change {
        let mut state = self.state();
        let now = Instant::now();
        let (next, change) = match (*state, end) {
            (State::Closed { .. }, CallEnd::Answered) => {
                (State::Closed { failures: 0 }, Change::None)
            }
            (State::Closed { failures }, CallEnd::Failed) if failures + 1 < FAILURES => {
                let failures = failures + 1;
                (State::Closed { failures }, Change::None)
            }
            (State::Closed { .. }, CallEnd::Failed) => (open(now, now, 0), Change::Opened),
            // A call that began before the circuit opened counts too: the store answers again.
            (State::Open { since, .. }, CallEnd::Answered) => (
                State::Closed { failures: 0 },
                Change::Closed(now.saturating_duration_since(since)),
            ),
            (
                State::Open {
                    since,
                    failed_probes,
                    ..
                },
                CallEnd::Failed,
            ) if is_probe => (
                open(since, now, failed_probes.saturating_add(1)),
                Change::None,
            ),
            (state @ State::Open { .. }, CallEnd::Failed) => (state, Change::None),
        };
        *state = next;
        let is_open = matches!(next, State::Open { .. });
        self.open.store(is_open, Ordering::Relaxed);
        drop(state);
        if change == Change::Opened {
            self.opened.notify_one();
        }
        change
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallPermit<'_> {
    /// Reports how the call ended.
    pub(crate) fn end(mut self, end: CallEnd) -> Change {
        let is_probe = std::mem::take(&mut self.is_probe);
        self.circuit.end(is_probe, end)
    }
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        if self.is_probe
            && let State::Open { is_probed, .. } = &mut *self.circuit.state()
        {
            *is_probed = false;
        }
    }
}

fn open(since: Instant, now: Instant, failed_probes: u32) -> State {
    State::Open {
        since,
        until: now + BACKOFF.delay(failed_probes, fastrand::f64()),
        failed_probes,
        is_probed: false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep, timeout};

    use super::*;

    fn call(circuit: &Circuit, end: CallEnd) -> Change {
        circuit.admit().unwrap().end(end)
    }

    fn opened() -> Circuit {
        let circuit = Circuit::new();
        for _ in 1..FAILURES {
            assert_eq!(call(&circuit, CallEnd::Failed), Change::None);
        }
        assert_eq!(call(&circuit, CallEnd::Failed), Change::Opened);
        circuit
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it() {
        let circuit = Circuit::new();
        for _ in 1..FAILURES {
            call(&circuit, CallEnd::Failed);
        }
        call(&circuit, CallEnd::Answered);
        for _ in 1..FAILURES {
            call(&circuit, CallEnd::Failed);
        }
        assert!(!circuit.is_open());
        assert_eq!(call(&circuit, CallEnd::Failed), Change::Opened);
        assert!(circuit.is_open());
        assert!(circuit.admit().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_at_a_time_tries_a_store_that_was_left_alone() {
        let circuit = opened();
        advance(BACKOFF.first).await;
        let probe = circuit.admit().unwrap();
        assert!(circuit.admit().is_none());
        assert_eq!(probe.end(CallEnd::Answered), Change::Closed(BACKOFF.first));
        assert!(circuit.admit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_grows_to_a_second() {
        let circuit = opened();
        for pause in [500, 1_000, 1_000, 1_000] {
            advance(Duration::from_millis(pause * 3 / 4 - 2)).await;
            assert!(circuit.admit().is_none(), "too early after {pause} ms");
            advance(Duration::from_millis(pause / 4 + 2)).await;
            assert_eq!(call(&circuit, CallEnd::Failed), Change::None);
        }
        assert!(circuit.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_nobody_waits_for_makes_room_for_the_next() {
        let circuit = opened();
        advance(BACKOFF.first).await;
        drop(circuit.admit().unwrap());
        assert!(circuit.admit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_began_before_say_what_they_know() {
        let circuit = Circuit::new();
        let (early, late) = (circuit.admit().unwrap(), circuit.admit().unwrap());
        for _ in 0..FAILURES {
            call(&circuit, CallEnd::Failed);
        }
        assert_eq!(early.end(CallEnd::Failed), Change::None);
        assert_eq!(late.end(CallEnd::Answered), Change::Closed(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_failure_lets_the_probe_in_flight_be_the_only_one() {
        let circuit = Circuit::new();
        let early = circuit.admit().unwrap();
        for _ in 0..FAILURES {
            call(&circuit, CallEnd::Failed);
        }
        advance(BACKOFF.first).await;
        let _probe = circuit.admit().unwrap();
        early.end(CallEnd::Failed);
        advance(BACKOFF.max).await;
        assert!(circuit.admit().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn it_says_since_when_it_has_been_open() {
        let circuit = opened();
        advance(BACKOFF.first).await;
        call(&circuit, CallEnd::Failed);
        advance(BACKOFF.first).await;
        assert_eq!(circuit.open_for(), Some(2 * BACKOFF.first));
        advance(BACKOFF.max).await;
        call(&circuit, CallEnd::Answered);
        assert_eq!(circuit.open_for(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_is_wanted_when_the_pause_is_over() {
        let circuit = opened();
        let began = Instant::now();
        circuit.probe_due().await;
        assert!(began.elapsed() <= BACKOFF.first + Duration::from_millis(1));
        assert!(circuit.admit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn no_probe_is_wanted_while_one_is_in_flight() {
        let circuit = opened();
        advance(BACKOFF.first).await;
        let probe = circuit.admit().unwrap();
        let wanted = |after| timeout(after, circuit.probe_due());
        assert!(wanted(BACKOFF.max).await.is_err());
        drop(probe);
        assert!(wanted(2 * CHECK_AGAIN).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_is_wanted_once_it_opens() {
        let circuit = Circuit::new();
        let open = async {
            sleep(BACKOFF.max).await;
            for _ in 0..FAILURES {
                call(&circuit, CallEnd::Failed);
                // Earlier failures wake nothing that would see the opening by chance.
                sleep(Duration::from_millis(1)).await;
            }
        };
        let wanted = timeout(3 * BACKOFF.max, circuit.probe_due());
        let ((), wanted) = tokio::join!(open, wanted);
        wanted.unwrap();
        assert!(circuit.is_open());
    }
}
