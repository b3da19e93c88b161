//! Deadlines of a connection.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::sleep;

use super::{END_OF_INPUT, GuardedConnection, Transport};
use crate::http::Phase;
use crate::server::LINGER;
use crate::server::no_request_timer::NoRequestTimer;

/// Timeout for a caller to send a head, or to read a piece of an answer.
pub(in crate::server) const CALLER_TIMEOUT: Duration = Duration::from_millis(4_500);

/// The same for a connection beyond the limit, also while it is idle.
const OVER_LIMIT_TIMEOUT: Duration = Duration::from_secs(1);

/// The keep-alive time is checked in this many parts, so that it is exceeded by one of them at most.
pub(super) const PARTS: u8 = 4;

pub(super) const HEAD_TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

impl<T: Transport> GuardedConnection<T> {
    /// Waits for more of a request; ready when the connection is to be closed.
    pub(super) fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.set_waker(context.waker());
        if !self.framing.is_in_head() {
            return self.wait_for_body(context);
        }
        let has_begun = self.has_begun();
        self.state.is_arriving.set(has_begun);
        if self.state.is_to_drop() || (self.state.is_to_close() && !has_begun) {
            return END_OF_INPUT;
        }
        if self.holds_too_much() {
            return END_OF_INPUT;
        }
        if has_begun {
            if self.is_late(context) {
                self.connections.metrics.slow_to_send.inc();
                self.pending_bytes = HEAD_TOO_SLOW;
                self.is_ending = true;
                context.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        if self.is_idle_too_long(context) {
            return END_OF_INPUT;
        }
        Poll::Pending
    }

    /// Waits for more of a body; after an early answer, only for a moment.
    pub(super) fn wait_for_body(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state.phase.get() == Phase::Answered {
            if self.state.is_to_drop() {
                return END_OF_INPUT;
            }
            return self.linger(context).map(Ok);
        }
        if self.holds_too_much() {
            return END_OF_INPUT;
        }
        Poll::Pending
    }

    /// Counts the bytes that were received and not passed on; whether callers hold too many.
    fn holds_too_much(&mut self) -> bool {
        let is_too_much = self.held_bytes.set(self.received()).is_err();
        if is_too_much {
            self.connections.metrics.held_too_much.inc();
        }
        is_too_much
    }

    pub(super) fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timer = self
            .lingering
            .get_or_insert_with(|| Box::pin(sleep(LINGER)));
        timer.as_mut().poll(context)
    }

    /// Whether a head that has begun to arrive takes too long.
    pub(super) fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let timeout = if self.state.is_over_limit.get() {
            OVER_LIMIT_TIMEOUT
        } else {
            CALLER_TIMEOUT
        };
        NoRequestTimer::poll_expired(&mut self.head_timer, timeout, 1, &self.state, context)
    }

    /// Whether the connection was idle for too long.
    pub(super) fn is_idle_too_long(&mut self, context: &mut Context<'_>) -> bool {
        let (part, parts) = if self.state.is_over_limit.get() {
            (OVER_LIMIT_TIMEOUT, 1)
        } else {
            (self.connections.keep_alive / u32::from(PARTS), PARTS)
        };
        NoRequestTimer::poll_expired(&mut self.idle_timer, part, parts, &self.state, context)
    }

    /// Waits for the caller to read, up to a deadline; fails if callers hold too many bytes.
    pub(super) fn wait_for_reader(
        &mut self,
        bytes: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Error> {
        let held_bytes = bytes + self.state.unsent.get() + self.io.unread();
        if self.held_bytes.set(held_bytes).is_err() {
            self.connections.metrics.held_too_much.inc();
            return Poll::Ready(io::ErrorKind::OutOfMemory.into());
        }
        let timer = self
            .write_timeout
            .get_or_insert_with(|| Box::pin(sleep(CALLER_TIMEOUT)));
        ready!(timer.as_mut().poll(context));
        self.connections.metrics.slow_to_read.inc();
        self.state.is_cut.set(true);
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}
