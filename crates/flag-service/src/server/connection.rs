//! A guarded connection: one request at a time, and deadlines for slow callers.
//!
//! actix-http reads ahead, and forgets with the next request what it knew of the one before: whether it was a HEAD, or the
//! last one. So it gets one request at a time: the next when the kernel has taken the answer before. It does not limit how
//! long a head, a body or an answer may take, nor close idle connections. So bytes are watched here: a head must arrive,
//! and an answer must be taken, within a deadline (`connection/patience.rs`). No clock is read for a request that arrives
//! whole, and no timer is reset after an answer.

mod patience;

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::web::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

pub(super) use self::patience::PATIENCE;
use super::connections::Connections;
use super::framing::Framing;
use super::watch::Watch;
use crate::http::Held;
use crate::http::{ConnectionState, Phase};

/// The longest head that is passed on. Up to here it is refused with a problem (`http/limits/size.rs`).
const MOST_HEAD: usize = 64 << 10;

/// The longest head after which the connection stays open, as actix-http keeps the buffer.
const LARGE_HEAD: usize = 16 << 10;

/// Bytes of the next requests that are read during an answer: enough to notice that the caller is gone.
const READ_AHEAD: usize = 4 << 10;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

const HEAD_TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The end of input, for actix-http.
const HUNG_UP: Poll<io::Result<()>> = Poll::Ready(Ok(()));

/// A guarded connection.
#[derive(Debug)]
pub(super) struct GuardedConnection<T> {
    io: T,
    state: Rc<ConnectionState>,
    connections: Rc<Connections>,
    framing: Framing,
    /// Bytes that were read and not passed on.
    kept: BytesMut,
    /// How many of those may be passed on.
    passing: usize,
    /// Bytes to write before anything of actix-http.
    own_words: &'static [u8],
    /// Whether actix-http must see the end of input.
    is_ending: bool,
    is_shut: bool,
    held: Held,
    arrival: Option<Watch>,
    idle: Option<Watch>,
    /// Runs while the caller does not take an answer.
    taking: Option<Pin<Box<Sleep>>>,
    /// Runs while unwanted input is drained.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<T> GuardedConnection<T> {
    /// Guards a connection; another one may be closed for it.
    pub(super) fn new(io: T, connections: &Rc<Connections>) -> Self {
        let state = Rc::default();
        connections.enter(&state);
        Self {
            io,
            state,
            connections: Rc::clone(connections),
            held: connections.held.caller(),
            framing: Framing::default(),
            kept: BytesMut::new(),
            passing: 0,
            own_words: &[],
            is_ending: false,
            is_shut: false,
            arrival: None,
            idle: None,
            taking: None,
            lingering: None,
        }
    }

    /// Returns the state that requests share.
    pub(super) fn state(&self) -> Rc<ConnectionState> {
        Rc::clone(&self.state)
    }

    /// Passes on what is allowed; returns whether there was anything.
    fn pass_kept(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        if self.passing == 0 {
            return false;
        }
        let now = self.passing.min(buffer.remaining());
        buffer.put_slice(&self.kept.split_to(now));
        self.passing -= now;
        if self.passing == 0 {
            self.state.is_whole.set(self.framing.is_whole());
            self.let_go();
        }
        true
    }

    /// Frees the memory of passed bytes.
    fn let_go(&mut self) {
        if self.kept.is_empty() {
            self.kept = BytesMut::new();
            let _ = self.held.set(0);
        }
    }

    /// Finds bytes to pass on.
    fn look_at_kept(&mut self) {
        self.passing = self.framing.pass(&mut self.kept);
        // Of a body it is never so much.
        if self.passing > LARGE_HEAD {
            self.state.is_large.set(true);
        }
        let _ = self.kept.split_to(self.framing.take_empty_lines());
        self.let_go();
        if self.framing.is_in_head() && self.kept.len() > MOST_HEAD {
            self.own_words = HEAD_TOO_LARGE;
            self.is_ending = true;
        }
    }

    /// Handles bytes just read behind `before`; returns whether any are passed on.
    fn sort(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> bool {
        let fresh = buffer.filled_mut().get_mut(before..).unwrap_or_default();
        if self.kept.is_empty() {
            let passed = self.framing.pass(fresh);
            self.state.is_whole.set(self.framing.is_whole());
            let dropped = self.framing.take_empty_lines();
            if let Some(rest) = fresh.get(passed + dropped..) {
                self.kept.extend_from_slice(rest);
            }
            buffer.set_filled(before + passed);
            return passed > 0;
        }
        self.kept.extend_from_slice(fresh);
        buffer.set_filled(before);
        self.look_at_kept();
        self.pass_kept(buffer)
    }

    /// Notes that the caller takes the answer again.
    fn note_taken(&mut self) {
        if self.taking.take().is_some() {
            let _ = self.held.set(0);
        }
    }

    /// Goes on with the next request if actix-http has written everything.
    fn all_written(&mut self, context: &mut Context<'_>) {
        if self.state.phase.get() != Phase::Answered {
            return;
        }
        if !self.framing.is_whole() || self.passing > 0 {
            // Has the rest be read, and no longer than that takes.
            let _ = self.linger(context);
            return;
        }
        self.framing.next_request();
        self.state.is_whole.set(false);
        self.state.phase.set(Phase::Waiting);
        self.state
            .answers
            .set(self.state.answers.get().wrapping_add(1));
        if !self.kept.is_empty() {
            self.look_at_kept();
        }
        let is_arriving = !self.kept.is_empty();
        self.state.is_arriving.set(is_arriving);
        if is_arriving {
            context.waker().wake_by_ref();
            return;
        }
        // Nobody reads again before something happens: what may happen is arranged for here.
        self.state.remember(context.waker());
        if self.state.is_to_close() || self.is_idle_too_long(context) {
            context.waker().wake_by_ref();
        }
    }
}

impl<T: AsyncRead + Unpin> GuardedConnection<T> {
    /// Reads a little of what follows a request that is being answered.
    fn read_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.kept.len() < READ_AHEAD {
            let mut bytes = [const { MaybeUninit::uninit() }; 512];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
            self.kept.extend_from_slice(buffer.filled());
        }
        // Whoever has hung up is still owed the answers to what he asked before.
        if self.kept.is_empty() {
            return HUNG_UP;
        }
        Poll::Pending
    }

    /// Drains unwanted input: a connection that is closed with unread bytes is reset, and its last answer lost.
    fn discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.state.remember(context.waker());
        if self.state.is_to_drop() {
            return Poll::Ready(());
        }
        let mut is_unread = !self.kept.is_empty() || self.lingering.is_some();
        // Nobody will read it any more.
        self.kept = BytesMut::new();
        self.passing = 0;
        let _ = self.held.set(0);
        loop {
            let mut bytes = [const { MaybeUninit::uninit() }; 4 << 10];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            match Pin::new(&mut self.io).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    is_unread = true;
                    if self.linger(context).is_ready() {
                        return Poll::Ready(());
                    }
                }
                Poll::Pending if is_unread => return self.linger(context),
                Poll::Ready(_) | Poll::Pending => return Poll::Ready(()),
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> GuardedConnection<T> {
    fn write_own_words(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.own_words.is_empty() {
            match Pin::new(&mut self.io).poll_write(context, self.own_words) {
                Poll::Pending => return self.wait_for_taker(0, context).map(Err),
                Poll::Ready(written) => {
                    self.own_words = self.own_words.get(written?..).unwrap_or_default();
                    self.taking = None;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for GuardedConnection<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            ready!(this.write_own_words(context))?;
            if this.is_ending || this.pass_kept(buffer) {
                return Poll::Ready(Ok(()));
            }
            if this.framing.is_whole() {
                return this.read_ahead(context);
            }
            if this.framing.ends_turn() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !this.kept.is_empty() && !this.framing.is_in_head() {
                this.look_at_kept();
                continue;
            }
            let before = buffer.filled().len();
            if Pin::new(&mut this.io)
                .poll_read(context, buffer)?
                .is_pending()
            {
                return this.wait(context);
            }
            let has_hung_up = buffer.filled().len() == before;
            if has_hung_up || this.sort(buffer, before) {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedConnection<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.write_own_words(context))?;
        match Pin::new(&mut this.io).poll_write(context, bytes) {
            Poll::Pending => this.wait_for_taker(bytes.len(), context).map(Err),
            written @ Poll::Ready(_) => {
                this.note_taken();
                written
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let is_wanted = this.state.wants_body.take();
        let is_answering = this.state.phase.get() == Phase::Answering;
        if is_wanted && is_answering && this.framing.takes_continue() {
            this.own_words = CONTINUE;
        }
        ready!(this.write_own_words(context))?;
        match Pin::new(&mut this.io).poll_flush(context) {
            Poll::Pending => return this.wait_for_taker(0, context).map(Err),
            Poll::Ready(flushed) => flushed?,
        }
        this.note_taken();
        this.all_written(context);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_shut {
            match Pin::new(&mut this.io).poll_shutdown(context) {
                Poll::Pending => return this.wait_for_taker(0, context).map(Err),
                Poll::Ready(shut) => shut?,
            }
            this.is_shut = true;
        }
        this.discard(context).map(Ok)
    }
}

impl<T> Drop for GuardedConnection<T> {
    fn drop(&mut self) {
        self.connections.leave(&self.state);
    }
}

#[cfg(test)]
mod flush_tests;
#[cfg(test)]
mod tests;
