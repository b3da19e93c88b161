//! An encrypted connection. Until its handshake is done it is one without a request, with a deadline of its own.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tokio_rustls::Accept;
use tokio_rustls::server::TlsStream;

use super::ciphertext::Ciphertext;
use super::metrics::TlsMetrics;

/// An encrypted connection.
#[derive(Debug)]
pub(crate) struct TlsConnection<T>(Stage<T>);

enum Stage<T> {
    Handshake(Box<Handshake<T>>),
    Open(Box<TlsStream<Ciphertext<T>>>),
    Failed,
}

struct Handshake<T> {
    accept: Accept<Ciphertext<T>>,
    deadline: Pin<Box<Sleep>>,
    metrics: TlsMetrics,
}

impl<T> TlsConnection<T> {
    /// Begins a handshake, which goes on when the connection is read, and may take this long.
    pub(super) fn new(
        accept: Accept<Ciphertext<T>>,
        timeout: Duration,
        metrics: TlsMetrics,
    ) -> Self {
        Self(Stage::Handshake(Box::new(Handshake {
            accept,
            deadline: Box::pin(sleep(timeout)),
            metrics,
        })))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> TlsConnection<T> {
    /// Bytes that were received and are not decrypted yet.
    pub(crate) fn unread(&self) -> usize {
        match &self.0 {
            Stage::Handshake(handshake) => handshake.accept.get_ref().map_or(0, Ciphertext::unread),
            Stage::Open(stream) => stream.get_ref().0.unread(),
            Stage::Failed => 0,
        }
    }

    /// Whether they may be the beginning of a request.
    pub(crate) fn has_begun(&self) -> bool {
        match &self.0 {
            Stage::Open(stream) => stream.get_ref().0.has_begun(),
            Stage::Handshake(_) | Stage::Failed => false,
        }
    }

    /// Goes on with the handshake, if it is not done.
    fn open(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<&mut TlsStream<Ciphertext<T>>>> {
        if let Stage::Handshake(handshake) = &mut self.0 {
            let opened = ready!(handshake.go_on(context));
            self.0 = Stage::Failed;
            let mut stream = Box::new(opened?);
            stream.get_mut().0.note_plaintext();
            self.0 = Stage::Open(stream);
        }
        Poll::Ready(match &mut self.0 {
            Stage::Open(stream) => Ok(stream),
            _ => Err(ErrorKind::NotConnected.into()),
        })
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Handshake<T> {
    fn go_on(&mut self, context: &mut Context<'_>) -> Poll<io::Result<TlsStream<Ciphertext<T>>>> {
        let opened = Pin::new(&mut self.accept).poll(context);
        if opened.is_pending() {
            ready!(self.deadline.as_mut().poll(context));
            self.metrics.slow.inc();
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        opened.map_err(|error| {
            // A peer that hangs up, such as a check whether the port is open, has not failed.
            if error.kind() != ErrorKind::UnexpectedEof {
                self.metrics.invalid.inc();
            }
            error
        })
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsConnection<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = ready!(self.open(context))?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut *stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            stream.get_mut().0.note_plaintext();
        }
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsConnection<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = ready!(self.open(context))?;
        Pin::new(stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stage::Open(stream) => Pin::new(stream).poll_flush(context),
            // Nothing was written.
            Stage::Handshake(_) | Stage::Failed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stage::Open(stream) => Pin::new(stream).poll_shutdown(context),
            Stage::Handshake(_) | Stage::Failed => {
                self.0 = Stage::Failed;
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<T> std::fmt::Debug for Stage<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Handshake(_) => "Handshake",
            Self::Open(_) => "Open",
            Self::Failed => "Failed",
        })
    }
}
