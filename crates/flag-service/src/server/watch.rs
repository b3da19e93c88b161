//! Checks now and then whether a connection is used.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::http::ConnectionState;

/// A timer that keeps running across requests, so that no request has to reset it.
#[derive(Debug)]
pub(super) struct Watch {
    timer: Pin<Box<Sleep>>,
    /// The number of answers when it was set.
    answers: u32,
    /// Consecutive checks without a new answer.
    quiet: u8,
}

impl Watch {
    /// Whether nothing was answered for `parts` times `part`, and nothing is being answered; at most one part late.
    pub(super) fn is_over(
        watch: &mut Option<Self>,
        part: Duration,
        parts: u8,
        state: &ConnectionState,
        context: &mut Context<'_>,
    ) -> bool {
        let answers = state.answers.get();
        match watch {
            Some(watch) if !watch.timer.is_elapsed() => return false,
            Some(watch) => {
                let is_quiet = watch.answers == answers && state.is_idle();
                watch.quiet = if is_quiet { watch.quiet + 1 } else { 0 };
                watch.answers = answers;
                if watch.quiet >= parts {
                    return true;
                }
                watch.timer.as_mut().reset(Instant::now() + part);
            }
            None => {
                *watch = Some(Self {
                    timer: Box::pin(sleep(part)),
                    answers,
                    quiet: 0,
                });
            }
        }
        // Tells the timer whom to wake.
        watch
            .as_mut()
            .is_some_and(|watch| watch.timer.as_mut().poll(context).is_ready())
    }
}
