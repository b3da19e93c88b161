//! Detects that a caller has completed no request for a while.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::http::ConnectionState;

/// A timer that keeps running across requests, so that no request has to reset it.
#[derive(Debug)]
pub(super) struct NoRequestTimer {
    sleep: Pin<Box<Sleep>>,
    /// The number of answers when it was set.
    answers: u32,
    /// Consecutive checks without a new answer.
    quiet: u8,
}

impl NoRequestTimer {
    /// Whether nothing was answered during `parts` periods of length `part`, and nothing is being answered; detected at most
    /// one part late. Sets the timer if there is none, and registers the task to wake.
    pub(super) fn poll_expired(
        timer: &mut Option<Self>,
        part: Duration,
        parts: u8,
        state: &ConnectionState,
        context: &mut Context<'_>,
    ) -> bool {
        let answers = state.answers.get();
        match timer {
            Some(timer) if !timer.sleep.is_elapsed() => return false,
            Some(timer) => {
                let is_quiet = timer.answers == answers && state.awaits_request();
                timer.quiet = if is_quiet { timer.quiet + 1 } else { 0 };
                timer.answers = answers;
                if timer.quiet >= parts {
                    return true;
                }
                timer.sleep.as_mut().reset(Instant::now() + part);
            }
            None => {
                *timer = Some(Self {
                    sleep: Box::pin(sleep(part)),
                    answers,
                    quiet: 0,
                });
            }
        }
        // Registers the task to wake.
        timer
            .as_mut()
            .is_some_and(|timer| timer.sleep.as_mut().poll(context).is_ready())
    }
}
