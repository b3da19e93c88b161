//! One request of the thread, from its turn to the reply that its callers wait for.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::circuit::Permit;
use crate::client_state::ClientState;
use crate::detail::KnownValue;
use crate::failure::{Failure, FailureClass, RequestFailure};
use crate::in_flight::RequestResult;
use crate::question::QuestionKey;

/// A request in flight. However it ends, even before it has begun, the next one can be sent.
pub(crate) struct Request {
    state: Arc<ClientState>,
    key: QuestionKey,
    /// When the current attempt began; it may have waited for its turn after that. If a change is announced later, there is a
    /// second attempt, and the answer of the first is not cached.
    attempt_began: Instant,
    permit: Permit,
    sender: Option<oneshot::Sender<RequestResult>>,
}

impl Request {
    /// A request that the circuit permits; its callers wait for what `sender` is given.
    pub(crate) fn new(
        state: Arc<ClientState>,
        key: QuestionKey,
        permit: Permit,
        sender: oneshot::Sender<RequestResult>,
    ) -> Self {
        Self {
            state,
            key,
            attempt_began: Instant::now(),
            permit,
            sender: Some(sender),
        }
    }

    /// Asks the service, remembers what it answers, and passes it on.
    pub(crate) async fn run(mut self, deadline: Instant) {
        let sent = timeout_at(deadline.into(), self.send_again_if_overtaken()).await;
        let outcome = sent.unwrap_or_else(|_| Err(Failure::TimedOut.into()));
        let outcome = self.record(outcome.map(Arc::new));
        if let Some(sender) = self.sender.take() {
            let _ = sender.send(outcome);
        }
    }

    /// Sends it, and a second time if a change was announced meanwhile. The answer is then not cached, as a change takes its flag's
    /// requests out of those in flight.
    async fn send_again_if_overtaken(&mut self) -> Result<KnownValue, RequestFailure> {
        let known = self.send_in_turn().await?;
        let recent_changes = &self.state.push.recent_changes;
        if recent_changes.is_overtaken(self.key.question().flag, self.attempt_began) {
            self.attempt_began = Instant::now();
            return self.send_in_turn().await;
        }
        Ok(known)
    }

    /// Sends it when it has its turn.
    async fn send_in_turn(&self) -> Result<KnownValue, RequestFailure> {
        let ClientState {
            circuit, transport, ..
        } = &*self.state;
        // A probe skips the queue: the requests in it may wait for a service that answers again by now.
        if self.permit.is_probe() {
            return transport.send(self.key.question()).await;
        }
        let _turn = transport.turn().await;
        circuit.recheck()?;
        transport.send(self.key.question()).await
    }

    /// Records the outcome in circuit and cache, before any caller receives it.
    fn record(&self, outcome: Result<Arc<KnownValue>, RequestFailure>) -> RequestResult {
        let (state, now) = (&self.state, Instant::now());
        let (circuit, permit) = (&state.circuit, &self.permit);
        match &outcome {
            Ok(_) => circuit.answered(permit, now),
            Err(RequestFailure {
                failure,
                retry_after,
            }) => match failure.class() {
                FailureClass::Answered => circuit.answered(permit, now),
                FailureClass::NotAsked => circuit.abandoned(permit),
                FailureClass::Failed | FailureClass::Unauthorized => {
                    circuit.failed(permit, failure, *retry_after, now);
                }
            },
        }
        let outcome = outcome.map_err(|failed| failed.failure);
        let mut in_flight = state.in_flight.lock();
        if in_flight.remove(&self.key, permit.number()) {
            let question = self.key.question();
            match &outcome {
                Ok(known) => {
                    let max_lifetime = state
                        .push
                        .recent_changes
                        .max_lifetime(question.flag, self.attempt_began);
                    let known = Arc::clone(known);
                    state.cache.remember(question, known, max_lifetime, now);
                }
                Err(failure) => state.cache.remember_refusal(question, failure, now),
            }
        }
        outcome
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.sender.is_some() {
            self.state.circuit.abandoned(&self.permit);
            let mut in_flight = self.state.in_flight.lock();
            in_flight.remove(&self.key, self.permit.number());
        }
    }
}
