//! Whether the service may be asked: after failures it is left alone for a while.
//!
//! Knows no HTTP and no clock. Three things have the service left alone: failures in a row, its own word
//! (`Retry-After`), and calls that pile up without any of them being answered. Afterwards one request at a time goes out
//! to see whether it answers again.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flag_model::{Backoff, Jitter};
use tracing::warn;

use crate::failure::{Failure, Verdict};

/// After so many failures in a row the service is left alone; so many unanswered calls make it suspect.
const FAILURES: u32 = 5;

/// The cool-down doubles up to this.
const LONGEST_COOL_DOWN: Duration = Duration::from_secs(30);

/// Makes cool-downs longer at random, so that clients do not come back all at once.
const JITTER: Jitter = Jitter::between(1.0, 1.2);

/// The service's own word counts for at most this long.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);

/// Decides whether the service may be asked.
#[derive(Debug)]
pub(crate) struct Circuit {
    /// What the log calls the service.
    service: String,
    cool_down: Backoff,
    /// How long calls may pile up unanswered.
    patience: Duration,
    state: Mutex<State>,
}

/// The right to send one request; to be given back with what came of it.
#[derive(Debug)]
pub(crate) struct Permit {
    number: u64,
    is_probe: bool,
}

/// What a call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Wait for the request that is under way, or send one.
    Ask,
    /// Send the request that sees whether the service answers again. What is under way has had it left alone.
    Probe,
}

#[derive(Debug)]
struct UnderWay {
    started: Instant,
    /// How many calls have waited for it.
    calls: u32,
}

#[derive(Debug, Default)]
struct State {
    /// Since the service answered last.
    failures: u32,
    /// Cool-downs in a row.
    cool_downs: u32,
    left_alone: Option<LeftAlone>,
    /// The request that sees whether the service answers again.
    probe: Option<u64>,
    /// The requests under way by number, oldest first.
    under_way: BTreeMap<u64, UnderWay>,
    answered: Option<Instant>,
    permits: u64,
}

#[derive(Debug)]
struct LeftAlone {
    until: Instant,
    why: Arc<str>,
    /// Whether the service itself has said so.
    is_told: bool,
}

/// What the log tells.
#[derive(Debug)]
enum Change {
    LeftAlone(Arc<str>),
    Asked,
}

impl LeftAlone {
    fn failure(&self) -> Failure {
        Failure::LeftAlone(Arc::clone(&self.why))
    }
}

impl Permit {
    /// A number that no other permit of the circuit has.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether it sees if a service that is left alone answers again.
    pub(crate) fn is_probe(&self) -> bool {
        self.is_probe
    }
}

impl Circuit {
    /// A circuit that trusts the service.
    pub(crate) fn new(service: String, cool_down: Duration, patience: Duration) -> Self {
        let cool_down = Backoff {
            first: cool_down,
            most: cool_down.max(LONGEST_COOL_DOWN),
            jitter: JITTER,
        };
        Self {
            service,
            cool_down,
            patience,
            state: Mutex::default(),
        }
    }

    /// A circuit for a forked process, which knows of no request under way and trusts the service.
    pub(crate) fn of_child(&self) -> Self {
        Self::new(self.service.clone(), self.cool_down.first, self.patience)
    }

    /// Tells whether the service may be asked, or a request under way be waited for; else why it is left alone.
    pub(crate) fn check(&self, now: Instant) -> Result<Pass, Failure> {
        let mut state = self.state();
        let change = if state.left_alone.is_none() && state.is_suspect(now, self.patience) {
            let why = format!("{FAILURES} calls unanswered for {:?}", self.patience);
            self.cool_down(&mut state, why.into(), now)
        } else {
            None
        };
        let passed = state.pass(now);
        drop(state);
        self.log(change);
        passed
    }

    /// Grants one request, or says why the service is left alone.
    pub(crate) fn enter(&self, now: Instant) -> Result<Permit, Failure> {
        let mut state = self.state();
        let is_probe = state.pass(now)? == Pass::Probe;
        let number = state.permits;
        state.permits += 1;
        let (started, calls) = (now, 1);
        state.under_way.insert(number, UnderWay { started, calls });
        if is_probe {
            state.probe = Some(number);
        }
        Ok(Permit { number, is_probe })
    }

    /// Takes note that one more call waits for the request of this number.
    pub(crate) fn join(&self, number: u64) {
        if let Some(request) = self.state().under_way.get_mut(&number) {
            request.calls = request.calls.saturating_add(1);
        }
    }

    /// Tells whether a request that had to wait for its turn may still go out.
    pub(crate) fn confirm(&self) -> Result<(), Failure> {
        match &self.state().left_alone {
            Some(alone) => Err(alone.failure()),
            None => Ok(()),
        }
    }

    /// Takes note that the service answered.
    pub(crate) fn answered(&self, permit: &Permit, now: Instant) {
        let mut state = self.state();
        let was_probe = state.give_back(permit);
        state.answered = Some(now);
        state.failures = 0;
        // What the service has said of itself outlasts the answers that were under way meanwhile.
        let ends = |alone: &mut LeftAlone| was_probe || !alone.is_told;
        let change = state.left_alone.take_if(ends).map(|_| Change::Asked);
        if change.is_some() {
            state.cool_downs = 0;
        }
        drop(state);
        self.log(change);
    }

    /// Takes note that the service failed, and when it wants to be asked again, if it said so.
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
        let is_due = failure.verdict() == Verdict::Refused || state.failures >= FAILURES;
        let why: Arc<str> = failure.to_string().into();
        // Failures of requests that were under way anyway don't prolong the cool-down.
        let cooled = if was_probe || (is_due && state.left_alone.is_none()) {
            self.cool_down(&mut state, Arc::clone(&why), now)
        } else {
            None
        };
        let obeyed = retry_after.and_then(|wait| state.obey(why, wait, now));
        drop(state);
        self.log(cooled.or(obeyed));
    }

    /// Takes note that a request was not sent, or ended without anybody knowing how.
    pub(crate) fn abandoned(&self, permit: &Permit) {
        self.state().give_back(permit);
    }

    fn cool_down(&self, state: &mut State, why: Arc<str>, now: Instant) -> Option<Change> {
        let wait = self.cool_down.delay(state.cool_downs, fastrand::f64());
        state.cool_downs = state.cool_downs.saturating_add(1);
        state.leave_alone(LeftAlone {
            until: now + wait,
            why,
            is_told: false,
        })
    }

    /// One line a change, written while no lock is held: whoever reads it may ask for a flag.
    fn log(&self, change: Option<Change>) {
        let service = &*self.service;
        match change {
            Some(Change::LeftAlone(why)) => {
                warn!(
                    service,
                    why = &*why,
                    "the flag service is left alone for a while"
                );
            }
            Some(Change::Asked) => warn!(service, "the flag service answers again"),
            None => {}
        }
    }

    /// Locks it for as long as the guard lives.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Drop + '_ {
        self.state()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pass(&self, now: Instant) -> Result<Pass, Failure> {
        match &self.left_alone {
            Some(alone) if now < alone.until || self.probe.is_some() => Err(alone.failure()),
            Some(_) => Ok(Pass::Probe),
            None => Ok(Pass::Ask),
        }
    }

    /// Leaves the service alone for as long as it said.
    fn obey(&mut self, why: Arc<str>, wait: Duration, now: Instant) -> Option<Change> {
        let until = now + wait.min(LONGEST_RETRY_AFTER);
        let is_longer = match &mut self.left_alone {
            Some(alone) => {
                // Even so, no answer that is under way may end it.
                alone.is_told |= until > now;
                until > alone.until
            }
            None => until > now,
        };
        let alone = LeftAlone {
            until,
            why,
            is_told: true,
        };
        is_longer.then(|| self.leave_alone(alone)).flatten()
    }

    fn leave_alone(&mut self, alone: LeftAlone) -> Option<Change> {
        let why = Arc::clone(&alone.why);
        let before = self.left_alone.replace(alone);
        before.is_none().then_some(Change::LeftAlone(why))
    }

    /// Tells whether calls pile up that nobody answers.
    fn is_suspect(&self, now: Instant, patience: Duration) -> bool {
        let long_ago = |then: Instant| now.saturating_duration_since(then) >= patience;
        let old = self.under_way.values();
        let old = old.take_while(|request| long_ago(request.started));
        // Every request has a call, so no more of them need be looked at.
        let calls = old.take(FAILURES as usize).map(|request| request.calls);
        calls.fold(0, u32::saturating_add) >= FAILURES && self.answered.is_none_or(long_ago)
    }

    /// Ends a request; tells whether it was the probe.
    fn give_back(&mut self, permit: &Permit) -> bool {
        self.under_way.remove(&permit.number);
        let was_probe = self.probe == Some(permit.number);
        if was_probe {
            self.probe = None;
        }
        was_probe
    }
}
