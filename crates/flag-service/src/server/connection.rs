//! A guarded connection: one request at a time, and deadlines for slow callers.
//!
//! actix-http reads ahead; with the next request it loses the state of the one before: whether it was a HEAD, or the last
//! one. So it gets one request at a time, the next one only after the kernel has accepted the answer before. It also has no
//! deadlines for a head, a body or an answer, and does not close idle connections. So a head must arrive here, and an answer
//! must be read, within a deadline (`connection/deadlines.rs`). No clock is read for a request that arrives as a whole, and
//! no timer is reset after an answer.

mod deadlines;
mod transport;

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::web::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

pub(super) use self::deadlines::CALLER_TIMEOUT;
pub(super) use self::transport::Transport;
use super::connections::Connections;
use super::framing::Framing;
use super::no_request_timer::NoRequestTimer;
use crate::http::{ConnectionState, HeldBytesCounter, Phase};

/// The longest head that is passed on; shorter ones may still be refused with a problem (`http/limits/size.rs`).
const MAX_HEAD: usize = 64 << 10;

/// The longest head after which the connection stays open, as actix-http keeps a buffer of this size.
const LARGE_HEAD: usize = 16 << 10;

/// Bytes of the next requests that are read during an answer, to notice when the caller closes the connection.
const READ_AHEAD: usize = 4 << 10;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

const HEAD_TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The end of input, for actix-http.
const END_OF_INPUT: Poll<io::Result<()>> = Poll::Ready(Ok(()));

/// A guarded connection.
#[derive(Debug)]
pub(super) struct GuardedConnection<T> {
    io: T,
    state: Rc<ConnectionState>,
    connections: Rc<Connections>,
    framing: Framing,
    /// Bytes that were read and not passed on.
    unpassed: BytesMut,
    /// How many of those may be passed on.
    passable: usize,
    /// Bytes to write before any of actix-http.
    pending_bytes: &'static [u8],
    /// Whether actix-http must see the end of input.
    is_ending: bool,
    is_shut: bool,
    held_bytes: HeldBytesCounter,
    /// Detects that a head takes too long to arrive.
    head_timer: Option<NoRequestTimer>,
    /// Detects that no request arrives.
    idle_timer: Option<NoRequestTimer>,
    /// Runs while the caller does not read an answer.
    write_timeout: Option<Pin<Box<Sleep>>>,
    /// Runs while unwanted input is discarded.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<T> GuardedConnection<T> {
    /// Guards a connection; another one may be closed for it.
    pub(super) fn new(io: T, connections: &Rc<Connections>) -> Self {
        let state = Rc::new(connections.new_state());
        connections.enter(&state);
        Self {
            io,
            state,
            connections: Rc::clone(connections),
            held_bytes: connections.held_bytes.new_counter(),
            framing: Framing::default(),
            unpassed: BytesMut::new(),
            passable: 0,
            pending_bytes: &[],
            is_ending: false,
            is_shut: false,
            head_timer: None,
            idle_timer: None,
            write_timeout: None,
            lingering: None,
        }
    }

    /// Returns the state that requests share.
    pub(super) fn state(&self) -> Rc<ConnectionState> {
        Rc::clone(&self.state)
    }

    /// Passes on the bytes that may be passed on; returns whether there were any.
    fn pass_on(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        if self.passable == 0 {
            return false;
        }
        let now = self.passable.min(buffer.remaining());
        buffer.put_slice(&self.unpassed.split_to(now));
        self.passable -= now;
        if self.passable == 0 {
            self.state.is_whole.set(self.framing.is_whole());
            self.free_memory();
        }
        true
    }

    /// Frees the buffer when it is empty.
    fn free_memory(&mut self) {
        if self.unpassed.is_empty() {
            self.unpassed = BytesMut::new();
            let _ = self.held_bytes.set(0);
        }
    }

    /// Finds bytes to pass on.
    fn find_passable(&mut self) {
        self.passable = self.framing.prepare_to_pass(&mut self.unpassed);
        // Parts of a body are never as long.
        if self.passable > LARGE_HEAD {
            self.state.closes_after_answer.set(true);
        }
        let _ = self.unpassed.split_to(self.framing.take_empty_lines());
        self.free_memory();
        if self.framing.is_in_head() && self.unpassed.len() > MAX_HEAD {
            self.pending_bytes = HEAD_TOO_LARGE;
            self.is_ending = true;
        }
    }

    /// Handles the bytes just read after index `before`; returns whether any are passed on.
    fn take_read(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> bool {
        let fresh = buffer.filled_mut().get_mut(before..).unwrap_or_default();
        if self.unpassed.is_empty() {
            let passed = self.framing.prepare_to_pass(fresh);
            self.state.is_whole.set(self.framing.is_whole());
            let dropped = self.framing.take_empty_lines();
            if let Some(rest) = fresh.get(passed + dropped..) {
                self.unpassed.extend_from_slice(rest);
            }
            buffer.set_filled(before + passed);
            return passed > 0;
        }
        self.unpassed.extend_from_slice(fresh);
        buffer.set_filled(before);
        self.find_passable();
        self.pass_on(buffer)
    }

    /// Notes that the caller reads the answer again.
    fn end_wait_for_reader(&mut self) {
        if self.write_timeout.take().is_some() {
            let _ = self.held_bytes.set(0);
        }
    }
}

impl<T: Transport> GuardedConnection<T> {
    /// Whether a part of the next request has arrived.
    fn has_begun(&self) -> bool {
        !self.unpassed.is_empty() || self.io.has_begun()
    }

    /// Bytes that were received and not passed on.
    fn received(&self) -> usize {
        self.unpassed.len() + self.io.unread()
    }

    /// Continues with the next request if the answer is complete and written.
    fn after_flush(&mut self, context: &mut Context<'_>) {
        if self.state.phase.get() != Phase::Answered {
            return;
        }
        if !self.framing.is_whole() || self.passable > 0 {
            // The rest of the request is still read, up to a deadline.
            let _ = self.linger(context);
            return;
        }
        self.framing.next_request();
        self.state.is_whole.set(false);
        self.state.phase.set(Phase::Waiting);
        self.state
            .answers
            .set(self.state.answers.get().wrapping_add(1));
        if !self.unpassed.is_empty() {
            self.find_passable();
        }
        let is_arriving = self.has_begun();
        self.state.is_arriving.set(is_arriving);
        if is_arriving {
            context.waker().wake_by_ref();
            return;
        }
        // actix-http reads again only when woken: by input, a close, or the idle timer, which are registered here.
        self.state.set_waker(context.waker());
        if self.state.is_to_close() || self.is_idle_too_long(context) {
            context.waker().wake_by_ref();
        }
    }
    /// Reads a few bytes after a request that is being answered.
    fn read_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unpassed.len() < READ_AHEAD {
            let mut bytes = [const { MaybeUninit::uninit() }; 512];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                if self.state.is_stream.get() {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
                break;
            }
            self.unpassed.extend_from_slice(buffer.filled());
        }
        // A caller that has closed its side still gets the answers to the requests before.
        if self.unpassed.is_empty() {
            return END_OF_INPUT;
        }
        Poll::Pending
    }

    /// Discards unwanted input: closing a connection with unread bytes would reset it, and lose its last answer.
    fn discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.state.set_waker(context.waker());
        if self.state.is_to_drop() {
            return Poll::Ready(());
        }
        let mut is_unread = !self.unpassed.is_empty() || self.lingering.is_some();
        // It will not be read any more.
        self.unpassed = BytesMut::new();
        self.passable = 0;
        let _ = self.held_bytes.set(0);
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

    fn write_pending_bytes(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending_bytes.is_empty() {
            match Pin::new(&mut self.io).poll_write(context, self.pending_bytes) {
                Poll::Pending => return self.wait_for_reader(0, context).map(Err),
                Poll::Ready(written) => {
                    self.pending_bytes = self.pending_bytes.get(written?..).unwrap_or_default();
                    self.write_timeout = None;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> AsyncRead for GuardedConnection<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            ready!(this.write_pending_bytes(context))?;
            if this.is_ending || this.pass_on(buffer) {
                return Poll::Ready(Ok(()));
            }
            if this.framing.is_whole() {
                return this.read_ahead(context);
            }
            if this.framing.renew_spent_budget() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !this.unpassed.is_empty() && !this.framing.is_in_head() {
                this.find_passable();
                continue;
            }
            let before = buffer.filled().len();
            if Pin::new(&mut this.io)
                .poll_read(context, buffer)?
                .is_pending()
            {
                return this.wait(context);
            }
            let _ = this.held_bytes.set(this.received());
            let has_ended = buffer.filled().len() == before;
            if has_ended || this.take_read(buffer, before) {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: Transport> AsyncWrite for GuardedConnection<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.write_pending_bytes(context))?;
        match Pin::new(&mut this.io).poll_write(context, bytes) {
            Poll::Pending => this.wait_for_reader(bytes.len(), context).map(Err),
            written @ Poll::Ready(_) => {
                this.end_wait_for_reader();
                written
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let is_wanted = this.state.wants_body.take();
        let is_answering = this.state.phase.get() == Phase::Answering;
        if is_wanted && is_answering && this.framing.take_continue() {
            this.pending_bytes = CONTINUE;
        }
        ready!(this.write_pending_bytes(context))?;
        match Pin::new(&mut this.io).poll_flush(context) {
            Poll::Pending => return this.wait_for_reader(0, context).map(Err),
            Poll::Ready(flushed) => flushed?,
        }
        this.end_wait_for_reader();
        this.after_flush(context);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_shut {
            match Pin::new(&mut this.io).poll_shutdown(context) {
                Poll::Pending => return this.wait_for_reader(0, context).map(Err),
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
