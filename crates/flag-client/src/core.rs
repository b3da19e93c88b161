//! The way of a question from the cache to the service and back, for both clients.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;

use crate::asking::{AskResult, join_or_submit};
use crate::call::{AwaitedAnswer, Call};
use crate::client_state::{ClientState, Recall};
use crate::detail::Answer;
use crate::listeners::Callback;
use crate::per_process::PerProcess;
use crate::push::PushMode;
use crate::push::following::follow;
use crate::question::{Question, QuestionKey};
use crate::status::Status;

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

    /// Answers from the cache, or starts a request. Waits for no answer, and at most for short locks; allocates nothing to answer from the cache.
    pub(crate) fn begin(&self, question: Question<'_>) -> Call {
        let now = Instant::now();
        let parts = self.per_process.for_this_pid_or_parent();
        if parts.pid_was_checked(now)
            && let Some(known) = parts.state.cache.unexpired(question, now)
        {
            return Call::Answered(Answer::from_cache(known, parts.state.assurance(now)));
        }
        let parts = self.per_process.for_this_pid();
        let call = begin_in(parts, question, now);
        // The first request does not wait for the stream.
        open_stream(parts);
        call
    }

    /// Has a flag fetched again when it changes, as long as there is room for it in the cache.
    pub(crate) fn note_prefetched(&self, question: Question<'_>) {
        let state = &self.per_process.for_this_pid().state;
        if state.push.mode != PushMode::Off && state.prefetched.get(&question).is_none() {
            state.prefetched.insert(question.into(), ());
        }
    }

    /// Removes these flags from the cache; the outcomes of requests in flight are not stored.
    pub(crate) fn forget(&self, is_meant: impl Fn(&QuestionKey) -> bool) {
        self.per_process.for_this_pid().state.forget(is_meant);
    }

    /// Adds a callback for changes of a flag, and numbers it.
    pub(crate) fn add_listener(&self, flag_name: &str, callback: Arc<Callback>) -> u64 {
        let parts = self.per_process.for_this_pid();
        let number = parts.state.listeners.add(flag_name, callback);
        open_stream(parts);
        number
    }

    /// Removes a callback.
    pub(crate) fn remove_listener(&self, number: u64) {
        self.per_process
            .for_this_pid()
            .state
            .listeners
            .remove(number);
    }

    /// The state of the client in this process.
    pub(crate) fn status(&self) -> Status {
        let ClientState { push, cache, .. } = &*self.per_process.for_this_pid().state;
        let progress = push.progress().clone();
        Status {
            stream: progress.stream,
            digest: progress.digest,
            since_last_received: progress
                .last_received
                .map(|last_received| last_received.elapsed()),
            entries: cache.len(),
        }
    }

    /// Sends no more requests. Calls that wait are answered without the service.
    pub(crate) fn close(&self) {
        self.per_process.for_this_pid().worker.close();
    }
}

fn begin_in(parts: &PerProcess, question: Question<'_>, now: Instant) -> Call {
    let (state, worker) = (&parts.state, &parts.worker);
    let last_known = match state.recall(question, now) {
        Recall::Hit(answer) => return Call::Answered(answer),
        Recall::Miss { last_known } => last_known,
    };
    let deadline = now + state.timeout;
    match join_or_submit(state, |job| worker.submit(job), question, now, deadline) {
        Ok(AskResult::InFlight(outcome)) => Call::InFlight(AwaitedAnswer {
            state: Arc::clone(state),
            outcome,
            last_known,
            deadline,
        }),
        Ok(AskResult::Answered(answer)) => Call::Answered(answer),
        Err(failure) => Call::Answered(state.fall_back(failure, last_known)),
    }
}

/// Opens the event stream, once for each process.
fn open_stream(parts: &PerProcess) {
    let push = &parts.state.push;
    if push.claim_start()
        && let Err(failure) = parts
            .worker
            .submit(follow(Arc::clone(&parts.state)).boxed())
    {
        push.could_not_start(failure);
    }
}
