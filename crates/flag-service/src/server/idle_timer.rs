//! Checks periodically whether a connection is used.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::http::ConnectionState;

/// A timer that keeps running across requests, so that no request has to reset it.
#[derive(Debug)]
pub(super) struct UseCheck {
    timer: Pin<Box<Sleep>>,
    /// The number of answers when it was set.
    answers: u32,
    /// Consecutive checks without a new answer.
    quiet: u8,
}

impl UseCheck {
    /// Whether nothing was answered during `parts` periods of length `part`, and nothing is being answered; detected at most
    /// one part late.
    pub(super) fn is_expired(
        check: &mut Option<Self>,
        part: Duration,
        parts: u8,
        state: &ConnectionState,
        context: &mut Context<'_>,
    ) -> bool {
        let answers = state.answers.get();
        match check {
            Some(check) if !check.timer.is_elapsed() => return false,
            Some(check) => {
                let is_quiet = check.answers == answers && state.is_idle();
                check.quiet = if is_quiet { check.quiet + 1 } else { 0 };
                check.answers = answers;
                if check.quiet >= parts {
                    return true;
                }
                check.timer.as_mut().reset(Instant::now() + part);
            }
            None => {
                *check = Some(Self {
                    timer: Box::pin(sleep(part)),
                    answers,
                    quiet: 0,
                });
            }
        }
        // Registers the task to wake.
        check
            .as_mut()
            .is_some_and(|check| check.timer.as_mut().poll(context).is_ready())
    }
}
