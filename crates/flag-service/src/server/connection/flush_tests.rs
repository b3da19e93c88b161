//! A connection below that takes bytes and does not send them yet, as TLS does.

use std::cell::Cell;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{Instant, timeout};

use super::*;
use crate::http::ConnectionLimits;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Takes every byte; sends none while it is stuck.
struct Buffered {
    io: DuplexStream,
    is_stuck: Rc<Cell<bool>>,
}

impl AsyncRead for Buffered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for Buffered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_stuck.get() {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

impl Transport for Buffered {}

/// A caller who has sent two requests, of which the first is answered and not flushed.
async fn answered() -> (DuplexStream, GuardedConnection<Buffered>, Rc<Cell<bool>>) {
    let (io, mut caller) = duplex(1024);
    let is_stuck = Rc::new(Cell::new(true));
    let buffered = Buffered {
        io,
        is_stuck: Rc::clone(&is_stuck),
    };
    let connections = Rc::new(Connections::new(1, &ConnectionLimits::for_tests()));
    let mut ours = GuardedConnection::new(buffered, &connections);
    caller.write_all(&REQUEST.repeat(2)).await.unwrap();
    let mut passed = [0; REQUEST.len() * 2];
    let read = ours.read(&mut passed).await.unwrap();
    assert_eq!(passed.get(..read), Some(REQUEST));
    ours.state.phase.set(Phase::Answering);
    ours.write_all(b"y").await.unwrap();
    ours.state.phase.set(Phase::Answered);
    (caller, ours, is_stuck)
}

#[tokio::test(start_paused = true)]
async fn the_next_request_is_passed_on_when_the_answer_before_is_flushed() {
    let (_caller, mut ours, is_stuck) = answered().await;
    assert!(timeout(CALLER_TIMEOUT / 2, ours.flush()).await.is_err());
    assert_eq!(ours.state.phase.get(), Phase::Answered);
    let mut passed = [0; REQUEST.len()];
    assert!(
        timeout(CALLER_TIMEOUT / 4, ours.read(&mut passed))
            .await
            .is_err()
    );
    is_stuck.set(false);
    ours.flush().await.unwrap();
    assert!(
        ours.write_timeout.is_none(),
        "the next answer has less time"
    );
    ours.read_exact(&mut passed).await.unwrap();
    assert_eq!(passed, REQUEST);
}

#[tokio::test(start_paused = true)]
async fn who_holds_up_a_flush_or_a_shutdown_is_cut_off() {
    let (_caller, mut ours, _is_stuck) = answered().await;
    let began = Instant::now();
    let error = ours.flush().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let (_caller, mut ours, _is_stuck) = answered().await;
    let error = ours.shutdown().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(began.elapsed().as_millis(), CALLER_TIMEOUT.as_millis() * 2);
}
