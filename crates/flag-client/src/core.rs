//! The way of a question from the cache to the service and back, for both clients.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;

use crate::circuit::Admission;
use crate::detail::Answer;
use crate::failure::Failure;
use crate::in_flight::PendingReply;
use crate::pending::{Pending, PendingAnswer};
use crate::process::Process;
use crate::question::{Key, Question};
use crate::request::Request;
use crate::shared::{CacheAnswer, Shared};

/// Cache, circuit, requests in flight, and the thread that sends requests. Ends with its last client.
#[derive(Debug)]
pub(crate) struct Core {
    process: Process,
}

impl Core {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            process: Process::new(shared),
        }
    }

    /// Answers from the cache, or starts a request. Does not wait; allocates nothing to answer from the cache.
    pub(crate) fn begin(&self, question: Question<'_>) -> Pending {
        let now = Instant::now();
        let cache = &self.process.newest().shared.cache;
        if let Some(known) = cache.fresh(question, now) {
            return Pending::Answered(Answer::from_cache(known));
        }
        let here = self.process.here();
        let last_known = match here.shared.recall(question, now) {
            CacheAnswer::Answer(answer) => return Pending::Answered(answer),
            CacheAnswer::LastKnown(last_known) => last_known,
        };
        let deadline = now + here.shared.timeout;
        match ask(here, question, now, deadline) {
            Ok(AskResult::Pending(reply)) => Pending::InFlight(PendingAnswer {
                shared: Arc::clone(&here.shared),
                reply,
                last_known,
                deadline,
            }),
            Ok(AskResult::Answered(answer)) => Pending::Answered(answer),
            Err(failure) => Pending::Answered(here.shared.fall_back(failure, last_known)),
        }
    }

    /// Removes these flags from the cache; the outcomes of requests in flight are not stored.
    pub(crate) fn forget(&self, is_meant: impl Fn(&Key) -> bool) {
        let shared = &self.process.here().shared;
        let mut in_flight = shared.in_flight.lock();
        in_flight.forget(&is_meant);
        shared.cache.forget(&is_meant);
    }

    /// Sends no more requests. Calls that wait are answered without the service.
    pub(crate) fn close(&self) {
        self.process.here().worker.close();
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
    process: &Process,
    question: Question<'_>,
    now: Instant,
    deadline: Instant,
) -> Result<AskResult, Failure> {
    question.check()?;
    let (shared, key) = (&process.shared, Key::from(question));
    let admission = shared.circuit.check(now)?;
    let mut in_flight = shared.in_flight.lock();
    if admission == Admission::Ask
        && let Some((number, reply)) = in_flight.find(&key)
    {
        shared.circuit.join(number);
        return Ok(AskResult::Pending(reply));
    }
    // A request may have been answered between the look into the cache and this lock.
    if let CacheAnswer::Answer(answer) = shared.recall(question, now) {
        return Ok(AskResult::Answered(answer));
    }
    let permit = shared.circuit.enter(now)?;
    let (sender, reply) = in_flight.add(key.clone(), permit.number());
    drop(in_flight);
    let request = Request::new(Arc::clone(shared), key, permit, sender);
    process.worker.run(request.run(deadline).boxed())?;
    Ok(AskResult::Pending(reply))
}
