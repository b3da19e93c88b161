//! One call: a deadline, and as many attempts as fit into it.

use std::time::Duration;

use flag_model::{Backoff, Jitter};
use flag_store::StoreError;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::Status;

use crate::status::{Failure, FailureKind};

/// Pauses between attempts. With longer ones a call would notice late that the store is back.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(8),
    max: Duration::from_millis(250),
    jitter: Jitter::between(0.5, 1.0),
};
/// The first attempts wait equally long, as one of several connections may be dead; later ones wait longer, as
/// the store may be slow.
const EQUAL_ATTEMPTS: u32 = 3;

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallTimeouts {
    /// How long an attempt waits for the answer or its next part.
    pub(crate) attempt: Duration,
    /// How long the call takes at most, with all its attempts.
    pub(crate) total: Duration,
}

/// Whether a request may be sent again when its outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Sending it twice is as good as sending it once.
    Safe,
    /// Sending it twice could do harm.
    Never,
}

/// A call in progress.
///
/// Its user awaits everything through [`Call::wait`], and asks [`Call::retry_or_fail`] after each failure.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    table: &'a str,
    retry: Retry,
    started: Instant,
    deadline: Instant,
    attempt_wait: Duration,
    attempts: u32,
    /// The attempt whose credentials were refused first: only that one gets another one with new credentials.
    first_unauthenticated_attempt: Option<u32>,
    /// The last failure that was an answer, not its absence.
    last_answered_failure: Option<Failure>,
}

impl<'a> Call<'a> {
    /// Begins a call; the clock runs from here.
    pub(crate) fn new(table: &'a str, timeouts: CallTimeouts, retry: Retry) -> Self {
        let started = Instant::now();
        Self {
            table,
            retry,
            started,
            deadline: started + timeouts.total,
            attempt_wait: timeouts.attempt,
            attempts: 0,
            first_unauthenticated_attempt: None,
            last_answered_failure: None,
        }
    }

    /// Waits for one step of the current attempt.
    pub(crate) async fn wait<T>(
        &self,
        step: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Failure> {
        let now = Instant::now();
        // The timer never fires for a stream that always has more.
        if now >= self.deadline {
            return Err(Failure::NoAnswer);
        }
        let longer = self.attempts.saturating_sub(EQUAL_ATTEMPTS - 1).min(16);
        let until = self.deadline.min(now + self.attempt_wait * (1 << longer));
        match timeout_at(until, step).await {
            Ok(answer) => answer.map_err(Failure::Status),
            Err(_) => Err(Failure::NoAnswer),
        }
    }

    /// Pauses before the next attempt, or gives the error back if there must be none.
    pub(crate) async fn retry_or_fail(&mut self, failure: Failure) -> Result<(), StoreError> {
        if self.is_retryable(&failure) && self.pause().await {
            Ok(())
        } else {
            Err(self.error(failure))
        }
    }

    /// Whether the current attempt, having failed so, may be followed by another.
    pub(crate) fn is_retryable(&mut self, failure: &Failure) -> bool {
        if !matches!(failure, Failure::NoAnswer) {
            self.last_answered_failure = Some(failure.clone());
        }
        match failure.kind() {
            // The next attempt would find the same certificate.
            FailureKind::Transient => self.retry == Retry::Safe && !failure.needs_a_person(),
            // Nothing was done, so any request may be retried.
            FailureKind::Unauthenticated => {
                *self
                    .first_unauthenticated_attempt
                    .get_or_insert(self.attempts)
                    == self.attempts
            }
            FailureKind::Misconfigured | FailureKind::Refused | FailureKind::Broken => false,
        }
    }

    /// Pauses, then begins the next attempt; `false` at once if there is no time for it.
    pub(crate) async fn pause(&mut self) -> bool {
        let pause = BACKOFF.delay(self.attempts, fastrand::f64());
        if Instant::now() + pause >= self.deadline {
            return false;
        }
        sleep(pause).await;
        self.attempts += 1;
        true
    }

    /// The error for the caller: a timeout only if no attempt had an answer, as the deadline may have cut the last one
    /// short.
    pub(crate) fn error(&self, failure: Failure) -> StoreError {
        let failure = match (failure, &self.last_answered_failure) {
            (Failure::NoAnswer, Some(last_answered_failure)) => last_answered_failure.clone(),
            (failure, _) => failure,
        };
        failure.into_error(self.table, self.started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: CallTimeouts = CallTimeouts {
        attempt: Duration::from_millis(250),
        total: Duration::from_secs(2),
    };

    async fn silence() -> Result<(), Status> {
        std::future::pending().await
    }

    #[test]
    fn pauses_double_up_to_a_cap() {
        let millis =
            |random| [0, 1, 4, 5, 40].map(|attempts| BACKOFF.delay(attempts, random).as_millis());
        assert_eq!(millis(1.0), [8, 16, 128, 250, 250]);
        assert_eq!(millis(0.0), [4, 8, 64, 125, 125]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_deadline() {
        let started = Instant::now();
        let mut call = Call::new("flags", TIMEOUTS, Retry::Safe);
        let error = loop {
            let failure = call.wait(silence()).await.unwrap_err();
            if let Err(error) = call.retry_or_fail(failure).await {
                break error;
            }
        };
        assert!(matches!(error, StoreError::TimedOut { .. }));
        assert!(started.elapsed() <= TIMEOUTS.total + Duration::from_millis(1));
        assert!(started.elapsed() + BACKOFF.max >= TIMEOUTS.total);
    }

    #[tokio::test(start_paused = true)]
    async fn later_attempts_wait_longer() {
        let mut call = Call::new("flags", TIMEOUTS, Retry::Safe);
        let mut waits = Vec::new();
        for _ in 0..4 {
            let started = Instant::now();
            call.wait(silence()).await.unwrap_err();
            waits.push(started.elapsed().as_millis() / 10 * 10);
            assert!(call.pause().await);
        }
        assert_eq!(waits, [250, 250, 250, 500]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_never_ends_is_cut_at_the_deadline() {
        let call = Call::new("flags", TIMEOUTS, Retry::Safe);
        tokio::time::advance(TIMEOUTS.total).await;
        let ready = std::future::ready(Ok(()));
        assert!(matches!(call.wait(ready).await, Err(Failure::NoAnswer)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_must_not_be_repeated_fails_at_once() {
        let mut call = Call::new("flags", TIMEOUTS, Retry::Never);
        let failure = Failure::Status(Status::unavailable("gone"));
        assert!(matches!(
            call.retry_or_fail(failure).await,
            Err(StoreError::Unavailable { .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_heard_is_reported_rather_than_silence() {
        let mut call = Call::new("flags", TIMEOUTS, Retry::Safe);
        let last_answered_failure = Failure::Status(Status::unavailable("gone"));
        call.retry_or_fail(last_answered_failure).await.unwrap();
        tokio::time::advance(TIMEOUTS.total).await;
        assert!(matches!(
            call.retry_or_fail(Failure::NoAnswer).await,
            Err(StoreError::Unavailable { .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_once() {
        let mut call = Call::new("flags", TIMEOUTS, Retry::Never);
        let failure = Failure::Status(Status::unauthenticated("expired"));
        call.retry_or_fail(failure.clone()).await.unwrap();
        assert!(matches!(
            call.retry_or_fail(failure).await,
            Err(StoreError::Unavailable { .. })
        ));
    }
}
