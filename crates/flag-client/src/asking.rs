//! Asks the service, unless a request for the same question is in flight already.

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;

use crate::circuit::Admission;
use crate::client_state::{ClientState, Recall};
use crate::detail::Answer;
use crate::failure::Failure;
use crate::in_flight::SharedOutcome;
use crate::question::{Question, QuestionKey};
use crate::request::Request;
use crate::worker::Job;

/// The result of asking the service.
pub(crate) enum AskResult {
    /// A request is in flight.
    InFlight(SharedOutcome),
    /// The request of another call has just been answered.
    Answered(Answer),
}

/// Joins the request that is in flight, or submits one. A value that is cached is answered.
pub(crate) fn join_or_submit(
    state: &Arc<ClientState>,
    submit: impl FnOnce(Job) -> Result<(), Failure>,
    question: Question<'_>,
    now: Instant,
    deadline: Instant,
) -> Result<AskResult, Failure> {
    question.check()?;
    let key = QuestionKey::from(question);
    let admission = state.circuit.check_admission(now)?;
    let mut in_flight = state.in_flight.lock();
    if admission == Admission::Ask
        && let Some((number, outcome)) = in_flight.find(&key)
    {
        state.circuit.add_call(number);
        return Ok(AskResult::InFlight(outcome));
    }
    // A request may have been answered between the look into the cache and this lock.
    if let Recall::Hit(answer) = state.recall(question, now) {
        return Ok(AskResult::Answered(answer));
    }
    let permit = state.circuit.acquire(now)?;
    let (sender, outcome) = in_flight.add(key.clone(), permit.number());
    drop(in_flight);
    let request = Request::new(Arc::clone(state), key, permit, sender);
    submit(request.run(deadline).boxed())?;
    Ok(AskResult::InFlight(outcome))
}
