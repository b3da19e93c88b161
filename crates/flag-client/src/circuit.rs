//! The circuit breaker: after failures no requests are sent until a cool-down has passed.
//!
//! Sends nothing and reads no clock: callers report how requests ended, and when. Four things open the circuit: failures
//! in a row, a refused API key, a `Retry-After` of the service, and several calls that have been unanswered for too long. After the
//! cool-down one request at a time, the probe, checks whether the service answers again.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flag_model::{Backoff, Jitter};
use tracing::warn;

use crate::failure::{Failure, FailureClass};

/// Failures in a row that open the circuit; the same number of unanswered calls does.
const FAILURES: u32 = 5;

/// The longest cool-down before jitter, unless the first is longer; each is twice as long as the one before, before jitter.
const LONGEST_COOL_DOWN: Duration = Duration::from_secs(30);

/// Random extra time, so that clients do not all retry at once.
const JITTER: Jitter = Jitter::between(1.0, 1.2);

/// The longest `Retry-After` that is obeyed; a longer one is shortened to this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);

/// Decides whether requests may be sent.
#[derive(Debug)]
pub(crate) struct Circuit {
    /// The name of the service in the log.
    service: String,
    backoff: Backoff,
    /// How long [`FAILURES`] calls may be unanswered before the circuit opens.
    unanswered_timeout: Duration,
    state: Mutex<State>,
}

/// The permission to send one request; its holder reports how the request ended.
#[derive(Debug)]
pub(crate) struct Permit {
    number: u64,
    is_probe: bool,
}

/// What a call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Wait for the request that is in flight, or send one.
    Ask,
    /// Send a probe, and do not wait for the requests in flight: they are why the circuit is open.
    Probe,
}

#[derive(Debug)]
struct UnansweredRequest {
    started: Instant,
    /// How many calls wait for it.
    calls: u32,
}

#[derive(Debug, Default)]
struct State {
    /// In a row, since the last answer.
    failures: u32,
    /// Cool-downs in a row.
    cool_down_count: u32,
    /// The latest one; `None` while the circuit is closed.
    cool_down: Option<CoolDown>,
    /// The number of the probe that is in flight.
    probe: Option<u64>,
    /// The requests in flight by number, oldest first.
    unanswered: BTreeMap<u64, UnansweredRequest>,
    answered: Option<Instant>,
    next_number: u64,
}

#[derive(Debug)]
struct CoolDown {
    until: Instant,
    why: Arc<str>,
    /// Whether a `Retry-After` of the service asked for it.
    is_requested: bool,
}

/// A change that is logged.
#[derive(Debug)]
enum Change {
    Opened(Arc<str>),
    Closed,
}

impl CoolDown {
    fn failure(&self) -> Failure {
        Failure::CoolingDown(Arc::clone(&self.why))
    }
}

impl Permit {
    /// A number that no other permit of the circuit has.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the request is a probe.
    pub(crate) fn is_probe(&self) -> bool {
        self.is_probe
    }
}

impl Circuit {
    /// A closed circuit.
    pub(crate) fn new(service: String, cool_down: Duration, unanswered_timeout: Duration) -> Self {
        let backoff = Backoff {
            first: cool_down,
            max: cool_down.max(LONGEST_COOL_DOWN),
            jitter: JITTER,
        };
        Self {
            service,
            backoff,
            unanswered_timeout,
            state: Mutex::default(),
        }
    }

    /// A closed circuit without requests in flight, for a forked process.
    pub(crate) fn after_fork(&self) -> Self {
        Self::new(
            self.service.clone(),
            self.backoff.first,
            self.unanswered_timeout,
        )
    }

    /// What a call may do; an error while the circuit is open.
    pub(crate) fn check_admission(&self, now: Instant) -> Result<Admission, Failure> {
        let mut state = self.state();
        let change = if state.cool_down.is_none()
            && state.has_unanswered_calls(now, self.unanswered_timeout)
        {
            let why = format!(
                "{FAILURES} calls unanswered for {:?}",
                self.unanswered_timeout
            );
            self.begin_cool_down(&mut state, why.into(), now)
        } else {
            None
        };
        let admission = state.admission_at(now);
        drop(state);
        self.log(change);
        admission
    }

    /// Permits one request; an error while the circuit is open.
    pub(crate) fn acquire(&self, now: Instant) -> Result<Permit, Failure> {
        let mut state = self.state();
        let is_probe = state.admission_at(now)? == Admission::Probe;
        let number = state.next_number;
        state.next_number += 1;
        let (started, calls) = (now, 1);
        state
            .unanswered
            .insert(number, UnansweredRequest { started, calls });
        if is_probe {
            state.probe = Some(number);
        }
        Ok(Permit { number, is_probe })
    }

    /// Records that one more call waits for the request of this number.
    pub(crate) fn add_call(&self, number: u64) {
        if let Some(request) = self.state().unanswered.get_mut(&number) {
            request.calls = request.calls.saturating_add(1);
        }
    }

    /// Whether a request that waited for a connection may still be sent.
    pub(crate) fn recheck(&self) -> Result<(), Failure> {
        match &self.state().cool_down {
            Some(cool_down) => Err(cool_down.failure()),
            None => Ok(()),
        }
    }

    /// Records that the service answered.
    pub(crate) fn answered(&self, permit: &Permit, now: Instant) {
        let mut state = self.state();
        let was_probe = state.give_back(permit);
        state.answered = Some(now);
        state.failures = 0;
        // A `Retry-After` outlasts the answers to requests that were in flight when it came.
        let ends = |cool_down: &mut CoolDown| was_probe || !cool_down.is_requested;
        let change = state.cool_down.take_if(ends).map(|_| Change::Closed);
        if change.is_some() {
            state.cool_down_count = 0;
        }
        drop(state);
        self.log(change);
    }

    /// Records that the service failed, and its `Retry-After` if it sent one.
    pub(crate) fn failed(
        &self,
        permit: &Permit,
        failure: &Failure,
        retry_after: Option<Duration>,
        now: Instant,
    ) {
        let mut state = self.state();
        let was_probe = state.give_back(permit);
        state.failures = state.failures.saturating_add(1);
        let is_due = failure.class() == FailureClass::Unauthorized || state.failures >= FAILURES;
        let why: Arc<str> = failure.to_string().into();
        // Failures of requests that were sent before the circuit opened do not prolong the cool-down.
        let opened = if was_probe || (is_due && state.cool_down.is_none()) {
            self.begin_cool_down(&mut state, Arc::clone(&why), now)
        } else {
            None
        };
        let requested = retry_after.and_then(|wait| state.apply_retry_after(why, wait, now));
        drop(state);
        self.log(opened.or(requested));
    }

    /// Records that a request was not sent, or ended without a known outcome.
    pub(crate) fn abandoned(&self, permit: &Permit) {
        self.state().give_back(permit);
    }

    fn begin_cool_down(&self, state: &mut State, why: Arc<str>, now: Instant) -> Option<Change> {
        let wait = self.backoff.delay(state.cool_down_count, fastrand::f64());
        state.cool_down_count = state.cool_down_count.saturating_add(1);
        state.open(CoolDown {
            until: now + wait,
            why,
            is_requested: false,
        })
    }

    /// Logs a change. No lock is held here: a subscriber may evaluate a flag.
    fn log(&self, change: Option<Change>) {
        let service = &*self.service;
        match change {
            Some(Change::Opened(why)) => {
                warn!(
                    service,
                    why = &*why,
                    "circuit open: no requests to the flag service for a while"
                );
            }
            Some(Change::Closed) => {
                warn!(service, "circuit closed: the flag service answers again");
            }
            None => {}
        }
    }

    /// Holds the lock.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Drop + '_ {
        self.state()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What a call may do at this time.
    fn admission_at(&self, now: Instant) -> Result<Admission, Failure> {
        match &self.cool_down {
            Some(cool_down) if now < cool_down.until || self.probe.is_some() => {
                Err(cool_down.failure())
            }
            Some(_) => Ok(Admission::Probe),
            None => Ok(Admission::Ask),
        }
    }

    /// Opens the circuit for the time of a `Retry-After`.
    fn apply_retry_after(&mut self, why: Arc<str>, wait: Duration, now: Instant) -> Option<Change> {
        let until = now + wait.min(LONGEST_RETRY_AFTER);
        let is_longer = match &mut self.cool_down {
            Some(cool_down) => {
                // From now on no answer to a request that is in flight may close the circuit.
                cool_down.is_requested |= until > now;
                until > cool_down.until
            }
            None => until > now,
        };
        let cool_down = CoolDown {
            until,
            why,
            is_requested: true,
        };
        is_longer.then(|| self.open(cool_down)).flatten()
    }

    /// Opens the circuit, or prolongs the cool-down; returns the change if it was closed.
    fn open(&mut self, cool_down: CoolDown) -> Option<Change> {
        let why = Arc::clone(&cool_down.why);
        let before = self.cool_down.replace(cool_down);
        before.is_none().then_some(Change::Opened(why))
    }

    /// Whether enough calls have been unanswered for too long.
    fn has_unanswered_calls(&self, now: Instant, unanswered_timeout: Duration) -> bool {
        let long_ago = |time: Instant| now.saturating_duration_since(time) >= unanswered_timeout;
        let old = self.unanswered.values();
        let old = old.take_while(|request| long_ago(request.started));
        // At least one call waits for each request, so no more of them need to be counted.
        let calls = old.take(FAILURES as usize).map(|request| request.calls);
        calls.fold(0, u32::saturating_add) >= FAILURES && self.answered.is_none_or(long_ago)
    }

    /// Ends a request; returns whether it was the probe.
    fn give_back(&mut self, permit: &Permit) -> bool {
        self.unanswered.remove(&permit.number);
        let was_probe = self.probe == Some(permit.number);
        if was_probe {
            self.probe = None;
        }
        was_probe
    }
}
