//! Looks from time to time whether a connection is used.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::state::ConnectionState;

/// A timer that runs on while requests come and go, so that none of them has to wind it.
#[derive(Debug)]
pub(super) struct Watch {
    timer: Pin<Box<Sleep>>,
    /// How many answers there had been when it was wound.
    answers: u32,
    /// How often in a row it has found nothing new.
    quiet: u8,
}

impl Watch {
    /// Whether nothing has been answered for `parts` times `part`, and nothing is being answered; one part late at most.
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
