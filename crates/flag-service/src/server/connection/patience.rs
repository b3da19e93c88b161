//! Deadlines of a connection.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::sleep;

use super::{GuardedConnection, HUNG_UP};
use crate::http::Phase;
use crate::server::LINGER;
use crate::server::watch::Watch;

/// Deadline for a caller to send a head, or to read a piece of an answer.
pub(in crate::server) const PATIENCE: Duration = Duration::from_millis(4_500);

/// How long a connection beyond the limit may be silent.
const PATIENCE_WITH_EXTRA: Duration = Duration::from_secs(1);

/// The keep-alive time is checked in this many parts, so that it is exceeded by one of them at most.
pub(super) const PARTS: u8 = 4;

pub(super) const HEAD_TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

impl<T> GuardedConnection<T> {
    /// Waits for more of a request; ready when there is no more waiting.
    pub(super) fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.remember(context.waker());
        if !self.framing.is_in_head() {
            return self.wait_for_body(context);
        }
        let has_begun = !self.kept.is_empty();
        self.state.is_arriving.set(has_begun);
        if self.state.is_to_drop() || (self.state.is_to_close() && !has_begun) {
            return HUNG_UP;
        }
        if self.held.set(self.kept.len()).is_err() {
            self.connections.metrics.no_room.inc();
            return HUNG_UP;
        }
        if has_begun {
            if self.is_late(context) {
                self.connections.metrics.slow_to_send.inc();
                self.own_words = HEAD_TOO_SLOW;
                self.is_ending = true;
                context.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        if self.is_idle_too_long(context) {
            return HUNG_UP;
        }
        Poll::Pending
    }

    /// A caller that was answered before the end of its body may send a little more of it.
    pub(super) fn wait_for_body(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state.phase.get() == Phase::Answered {
            if self.state.is_to_drop() {
                return HUNG_UP;
            }
            return self.linger(context).map(Ok);
        }
        Poll::Pending
    }

    pub(super) fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timer = self
            .lingering
            .get_or_insert_with(|| Box::pin(sleep(LINGER)));
        timer.as_mut().poll(context)
    }

    /// Whether a head that has begun to arrive should be here by now.
    pub(super) fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let patience = if self.state.is_extra.get() {
            PATIENCE_WITH_EXTRA
        } else {
            PATIENCE
        };
        Watch::is_over(&mut self.arrival, patience, 1, &self.state, context)
    }

    /// Whether the connection was idle for too long.
    pub(super) fn is_idle_too_long(&mut self, context: &mut Context<'_>) -> bool {
        let (part, parts) = if self.state.is_extra.get() {
            (PATIENCE_WITH_EXTRA, 1)
        } else {
            (self.connections.keep_alive / u32::from(PARTS), PARTS)
        };
        Watch::is_over(&mut self.idle, part, parts, &self.state, context)
    }

    /// Waits for the caller to read, up to a deadline, and only if it does not hold too many bytes.
    pub(super) fn wait_for_taker(
        &mut self,
        bytes: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Error> {
        if self.held.set(bytes + self.state.unsent.get()).is_err() {
            self.connections.metrics.no_room.inc();
            return Poll::Ready(io::ErrorKind::OutOfMemory.into());
        }
        let timer = self.taking.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        ready!(timer.as_mut().poll(context));
        self.connections.metrics.slow_to_read.inc();
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}
