//! A call that has begun: its answer, or the request that will give one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client_state::ClientState;
use crate::detail::{Answer, KnownValue};
use crate::failure::Failure;
use crate::in_flight::SharedOutcome;
use crate::{block_on, worker};

/// How much longer than the timeout a blocked caller waits for the thread of the client.
const GRACE: Duration = Duration::from_millis(5);

/// A call that has begun: its answer, or the request that will give one.
pub(crate) enum Call {
    Answered(Answer),
    InFlight(AwaitedAnswer),
}

/// The answer of a request in flight, and what to answer if it fails.
pub(crate) struct AwaitedAnswer {
    pub(crate) state: Arc<ClientState>,
    pub(crate) outcome: SharedOutcome,
    pub(crate) last_known: Option<Arc<KnownValue>>,
    /// The end of the timeout.
    pub(crate) deadline: Instant,
}

impl Call {
    /// Waits for the answer. May be cancelled: the request continues, and the next call gets the answer.
    pub(crate) async fn answer(self) -> Answer {
        match self {
            Self::Answered(answer) => answer,
            Self::InFlight(awaited) => awaited.answer().await,
        }
    }

    /// Blocks this thread until the answer has arrived.
    pub(crate) fn wait(self) -> Answer {
        match self {
            Self::Answered(answer) => answer,
            Self::InFlight(awaited) => awaited.wait(),
        }
    }
}

impl AwaitedAnswer {
    /// See [`Call::answer`].
    pub(crate) async fn answer(self) -> Answer {
        match self.outcome.await.unwrap_or(Err(Failure::Closed)) {
            Ok(known) => Answer::from_service(known, self.state.assurance(Instant::now())),
            Err(failure) => self.state.fall_back(failure, self.last_known),
        }
    }

    fn wait(self) -> Answer {
        let (state, last_known) = (Arc::clone(&self.state), self.last_known.clone());
        if worker::is_client_thread() {
            return state.fall_back(Failure::OwnThread, last_known);
        }
        let until = self.deadline + GRACE;
        block_on::block_until(self.answer(), until)
            .unwrap_or_else(|| state.fall_back(Failure::TimedOut, last_known))
    }
}
