//! The way of a question from the cache to the service and back, for both clients.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;

use crate::circuit::Admission;
use crate::client_state::{CacheAnswer, ClientState};
use crate::detail::Answer;
use crate::failure::Failure;
use crate::in_flight::PendingReply;
use crate::pending::{Pending, PendingAnswer};
use crate::per_process::PerProcess;
use crate::question::{Key, Question};
use crate::request::Request;

/// Cache, circuit, requests in flight, and the thread that sends requests. Ends with its last client.
#[derive(Debug)]
pub(crate) struct Core {
    per_process: PerProcess,
}

impl Core {
    pub(crate) fn new(state: ClientState) -> Self {
        Self {
            per_process: PerProcess::new(state),
        }
    }

    /// Answers from the cache, or starts a request. Does not wait; allocates nothing to answer from the cache.
    pub(crate) fn begin(&self, question: Question<'_>) -> Pending {
        let now = Instant::now();
        let cache = &self.per_process.for_this_pid_or_parent().state.cache;
        if let Some(known) = cache.unexpired(question, now) {
            return Pending::Answered(Answer::from_cache(known));
        }
        let parts = self.per_process.for_this_pid();
        let last_known = match parts.state.recall(question, now) {
            CacheAnswer::Answer(answer) => return Pending::Answered(answer),
            CacheAnswer::LastKnown(last_known) => last_known,
        };
        let deadline = now + parts.state.timeout;
        match ask(parts, question, now, deadline) {
            Ok(AskResult::Pending(reply)) => Pending::InFlight(PendingAnswer {
                state: Arc::clone(&parts.state),
                reply,
                last_known,
                deadline,
            }),
            Ok(AskResult::Answered(answer)) => Pending::Answered(answer),
            Err(failure) => Pending::Answered(parts.state.fall_back(failure, last_known)),
        }
    }

    /// Removes these flags from the cache; the outcomes of requests in flight are not stored.
    pub(crate) fn forget(&self, is_meant: impl Fn(&Key) -> bool) {
        let state = &self.per_process.for_this_pid().state;
        let mut in_flight = state.in_flight.lock();
        in_flight.forget(&is_meant);
        state.cache.forget(&is_meant);
    }

    /// Sends no more requests. Calls that wait are answered without the service.
    pub(crate) fn close(&self) {
        self.per_process.for_this_pid().worker.close();
    }
}

/// The result of asking the service.
enum AskResult {
    /// A request is in flight.
    Pending(PendingReply),
    /// The request of another call has just been answered.
    Answered(Answer),
}

/// Joins the request that is in flight, or sends one.
fn ask(
    parts: &PerProcess,
    question: Question<'_>,
    now: Instant,
    deadline: Instant,
) -> Result<AskResult, Failure> {
    question.check()?;
    let (state, key) = (&parts.state, Key::from(question));
    let admission = state.circuit.admission(now)?;
    let mut in_flight = state.in_flight.lock();
    if admission == Admission::Ask
        && let Some((number, reply)) = in_flight.find(&key)
    {
        state.circuit.add_call(number);
        return Ok(AskResult::Pending(reply));
    }
    // A request may have been answered between the look into the cache and this lock.
    if let CacheAnswer::Answer(answer) = state.recall(question, now) {
        return Ok(AskResult::Answered(answer));
    }
    let permit = state.circuit.acquire(now)?;
    let (sender, reply) = in_flight.add(key.clone(), permit.number());
    drop(in_flight);
    let request = Request::new(Arc::clone(state), key, permit, sender);
    parts.worker.submit(request.run(deadline).boxed())?;
    Ok(AskResult::Pending(reply))
}
