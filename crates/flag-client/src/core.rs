//! One question from memory to the service and back, for both clients.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::cache::{Cache, Found};
use crate::circuit::{Circuit, Pass, Permit};
use crate::detail::{Answer, Known, Source};
use crate::failure::{Failure, Verdict};
use crate::flights::{Flights, Landing, Outcome};
use crate::pending::{Asked, Pending};
use crate::process::Process;
use crate::question::{Key, Question};
use crate::transport::{Transport, Trouble};

/// What becomes of values past their lifetime when the service cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StaleValues {
    /// They are given.
    Served,
    /// The default is given.
    Withheld,
}

/// Memory, circuit, requests under way, and the thread that asks. Ends with its last client.
#[derive(Debug)]
pub(crate) struct Core {
    process: Process,
}

/// What the thread needs too.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cache: Cache,
    pub(crate) circuit: Circuit,
    pub(crate) flights: Flights,
    pub(crate) transport: Transport,
    pub(crate) timeout: Duration,
    pub(crate) stale_values: StaleValues,
}

impl Core {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            process: Process::new(shared),
        }
    }

    /// Answers from memory, or has the service asked. Doesn't wait; allocates nothing to answer from memory.
    pub(crate) fn begin(&self, question: Question<'_>) -> Pending {
        let now = Instant::now();
        let memory = &self.process.newest().shared.cache;
        if let Some(known) = memory.fresh(question, now) {
            return Pending::Answered(from_memory(known));
        }
        let here = self.process.here();
        let last_known = match here.shared.recall(question, now) {
            Memory::Answer(answer) => return Pending::Answered(answer),
            Memory::LastKnown(last_known) => last_known,
        };
        let deadline = now + here.shared.timeout;
        match here.ask(question, now, deadline) {
            Ok(Asking::Landing(landing)) => Pending::Asked(Asked {
                shared: Arc::clone(&here.shared),
                landing,
                last_known,
                deadline,
            }),
            Ok(Asking::Landed(answer)) => Pending::Answered(answer),
            Err(failure) => Pending::Answered(here.shared.fall_back(failure, last_known)),
        }
    }

    /// Forgets what it knows of these flags; requests under way no longer count.
    pub(crate) fn forget(&self, is_meant: impl Fn(&Key) -> bool) {
        let shared = &self.process.here().shared;
        let mut board = shared.flights.board();
        board.forget(&is_meant);
        shared.cache.forget(&is_meant);
    }

    /// Asks no more. Whoever waits is answered without the service.
    pub(crate) fn close(&self) {
        self.process.here().worker.close();
    }
}

impl Shared {
    /// The same for a forked process, with what memory holds.
    pub(crate) fn of_child(&self) -> Self {
        Self {
            cache: self.cache.of_child(),
            circuit: self.circuit.of_child(),
            flights: Flights::default(),
            transport: self.transport.of_child(),
            timeout: self.timeout,
            stale_values: self.stale_values,
        }
    }

    /// The value that was known before, if that is better than none.
    pub(crate) fn fall_back(&self, failure: Failure, last_known: Option<Arc<Known>>) -> Answer {
        match last_known {
            Some(known) if self.stale_values == StaleValues::Served && !failure.is_denial() => {
                Answer::Known(known, Source::Stale(failure))
            }
            _ => Answer::Nothing(failure),
        }
    }

    fn recall(&self, question: Question<'_>, now: Instant) -> Memory {
        match self.cache.look_up(question, now) {
            Found::Fresh(known) => Memory::Answer(from_memory(known)),
            Found::Refused(failure, last_known) => {
                Memory::Answer(self.fall_back(failure, last_known))
            }
            Found::Expired(last_known) => Memory::LastKnown(last_known),
        }
    }
}

impl Process {
    /// Joins the request that is under way, or sends one.
    fn ask(
        &self,
        question: Question<'_>,
        now: Instant,
        deadline: Instant,
    ) -> Result<Asking, Failure> {
        let wrong = |wrong: &str| Failure::InvalidRequest(wrong.into());
        question.check().map_err(wrong)?;
        let key = Key::from(question);
        let pass = self.shared.circuit.check(now)?;
        let mut board = self.shared.flights.board();
        if pass == Pass::Ask
            && let Some((number, landing)) = board.find(&key)
        {
            self.shared.circuit.join(number);
            return Ok(Asking::Landing(landing));
        }
        // A request may have landed between the look into memory and this lock.
        if let Memory::Answer(answer) = self.shared.recall(question, now) {
            return Ok(Asking::Landed(answer));
        }
        let permit = self.shared.circuit.enter(now)?;
        let (sender, landing) = board.add(key.clone(), permit.number());
        drop(board);
        let flight = Flight {
            shared: Arc::clone(&self.shared),
            key,
            permit,
            sender: Some(sender),
        };
        self.worker.run(flight.run(deadline).boxed())?;
        Ok(Asking::Landing(landing))
    }
}

fn from_memory(known: Arc<Known>) -> Answer {
    let source = Source::Cache(known.freshness);
    Answer::Known(known, source)
}

/// What memory says.
enum Memory {
    Answer(Answer),
    LastKnown(Option<Arc<Known>>),
}

/// What became of asking.
enum Asking {
    /// A request is under way.
    Landing(Landing),
    /// Somebody else's request has just landed.
    Landed(Answer),
}

/// A request under way; however it ends, even before it has begun, the next one can be sent.
struct Flight {
    shared: Arc<Shared>,
    key: Key,
    permit: Permit,
    sender: Option<oneshot::Sender<Outcome>>,
}

impl Flight {
    async fn run(mut self, deadline: Instant) {
        let asked = timeout_at(deadline.into(), self.ask()).await;
        let outcome = asked.unwrap_or_else(|_| Err(Failure::TimedOut.into()));
        let outcome = self.land(outcome.map(Arc::new));
        if let Some(sender) = self.sender.take() {
            let _ = sender.send(outcome);
        }
    }

    async fn ask(&self) -> Result<Known, Trouble> {
        let Shared {
            circuit, transport, ..
        } = &*self.shared;
        // Those before it may wait for a service that is back by now.
        if self.permit.is_probe() {
            return transport.ask(self.key.question()).await;
        }
        let _turn = transport.turn().await;
        circuit.confirm()?;
        transport.ask(self.key.question()).await
    }

    /// Takes note of what came of the request, before anybody hears of it.
    fn land(&self, outcome: Result<Arc<Known>, Trouble>) -> Outcome {
        let (shared, now) = (&self.shared, Instant::now());
        let (circuit, permit) = (&shared.circuit, &self.permit);
        match &outcome {
            Ok(_) => circuit.answered(permit, now),
            Err(Trouble {
                failure,
                retry_after,
            }) => match failure.verdict() {
                Verdict::Answered => circuit.answered(permit, now),
                Verdict::NotAsked => circuit.abandoned(permit),
                Verdict::Failed | Verdict::Refused => {
                    circuit.failed(permit, failure, *retry_after, now);
                }
            },
        }
        let outcome = outcome.map_err(|trouble| trouble.failure);
        let mut board = shared.flights.board();
        if board.remove(&self.key, self.permit.number()) {
            match &outcome {
                Ok(known) => shared
                    .cache
                    .remember(self.key.question(), Arc::clone(known), now),
                Err(failure) => shared
                    .cache
                    .remember_refusal(self.key.question(), failure, now),
            }
        }
        outcome
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.sender.is_some() {
            self.shared.circuit.abandoned(&self.permit);
            self.shared
                .flights
                .board()
                .remove(&self.key, self.permit.number());
        }
    }
}
