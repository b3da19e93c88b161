//! A connection that is closed when its caller is slow, or has nothing to ask any more.
//!
//! The server beneath bounds how long the first head of a connection takes, but no later one, no body that nobody
//! reads, and no answer that its caller doesn't read. So bytes are watched here: a request must have arrived, and an
//! answer must have been taken, within [`PATIENCE`], twice that at most. No clock is read for a request that arrives
//! whole; and none is wound after an answer, as the server beneath would do to close idle connections.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::HttpRequest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::metrics::LimitMetrics;

/// How long a caller may take to send a request, or to read a piece of an answer.
const PATIENCE: Duration = Duration::from_millis(4_500);

/// How long a connection stays open without a request; twice that at most.
const IDLE: Duration = Duration::from_secs(75);

/// How much is read before what was read is looked at: tens of pipelined requests, not thousands. Each read may leave a
/// buffer behind that lives as long as the last request in it.
const MOST_AT_ONCE: usize = 4 << 10;

/// What is going on with a connection; its requests know it too.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Requests that are being answered.
    answering: Cell<u32>,
    /// Whether bytes have come since the last answer.
    is_receiving: Cell<bool>,
    /// Counts answers, or rather pieces of them.
    number: Cell<u32>,
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub(crate) struct Answering(Rc<Turn>);

/// Notes that a request is being answered; those of tests have no connection.
pub(crate) fn begin(request: &HttpRequest) -> Option<Answering> {
    let turn = Rc::clone(request.conn_data::<Rc<Turn>>()?);
    turn.answering.set(turn.answering.get().wrapping_add(1));
    Some(Answering(turn))
}

impl Drop for Answering {
    fn drop(&mut self) {
        let answering = &self.0.answering;
        answering.set(answering.get().wrapping_sub(1));
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Line<T> {
    io: T,
    turn: Rc<Turn>,
    metrics: LimitMetrics,
    /// Bytes read since the last wait for more.
    read: usize,
    arrival: Option<Watch>,
    idle: Option<Watch>,
    reading: Option<Pin<Box<Sleep>>>,
}

/// Looks from time to time whether anything has happened.
#[derive(Debug)]
struct Watch {
    timer: Pin<Box<Sleep>>,
    /// The number of the turn in which it was set.
    turn: u32,
}

impl Watch {
    /// Whether nothing has happened for `patience`, and nothing is being done. One look in that time is enough: the
    /// timer runs on while requests come and go, and tells by the turn being the same as when it was set.
    fn is_over(
        watch: &mut Option<Self>,
        patience: Duration,
        turn: &Turn,
        context: &mut Context<'_>,
    ) -> bool {
        let number = turn.number.get();
        match watch {
            Some(watch) if !watch.timer.is_elapsed() => return false,
            Some(watch) if watch.turn == number && turn.answering.get() == 0 => return true,
            Some(watch) => {
                watch.timer.as_mut().reset(Instant::now() + patience);
                watch.turn = number;
            }
            None => {
                let timer = Box::pin(sleep(patience));
                let turn = number;
                *watch = Some(Self { timer, turn });
            }
        }
        // Tells the timer whom to wake.
        watch
            .as_mut()
            .is_some_and(|watch| watch.timer.as_mut().poll(context).is_ready())
    }
}

impl<T> Line<T> {
    /// Watches a connection.
    pub(super) fn new(io: T, metrics: LimitMetrics) -> Self {
        metrics.connections.inc();
        Self {
            io,
            turn: Rc::default(),
            metrics,
            read: 0,
            arrival: None,
            idle: None,
            reading: None,
        }
    }

    /// What its requests know of it.
    pub(super) fn turn(&self) -> Rc<Turn> {
        Rc::clone(&self.turn)
    }

    /// Whether a request that has begun to arrive should be here by now.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        self.turn.is_receiving.get()
            && Watch::is_over(&mut self.arrival, PATIENCE, &self.turn, context)
    }

    /// Whether nobody has asked anything for long.
    fn is_idle(&mut self, context: &mut Context<'_>) -> bool {
        !self.turn.is_receiving.get() && Watch::is_over(&mut self.idle, IDLE, &self.turn, context)
    }

    fn wrote(&mut self) {
        self.reading = None;
        self.turn.is_receiving.set(false);
        let number = &self.turn.number;
        number.set(number.get().wrapping_add(1));
    }

    /// Waits for the caller to read, but not for ever.
    fn wait_for_reader(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let timer = self
            .reading
            .get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        ready!(timer.as_mut().poll(context));
        self.metrics.slow_to_read.inc();
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Line<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = &mut *self;
        // Who doesn't read answers is not asked for more questions.
        if line.reading.is_some() {
            return Poll::Pending;
        }
        if line.read >= MOST_AT_ONCE {
            line.read = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut line.io).poll_read(context, buffer);
        if polled.is_pending() {
            line.read = 0;
            if line.is_late(context) {
                line.metrics.slow_to_send.inc();
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if line.is_idle(context) {
                // As if the caller had hung up.
                return Poll::Ready(Ok(()));
            }
            return Poll::Pending;
        }
        let read = buffer.filled().len() - before;
        if read > 0 {
            line.read += read;
            line.turn.is_receiving.set(true);
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Line<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let line = &mut *self;
        match Pin::new(&mut line.io).poll_write(context, bytes) {
            Poll::Pending => line.wait_for_reader(context).map(Err),
            written @ Poll::Ready(_) => {
                line.wrote();
                written
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = &mut *self;
        match Pin::new(&mut line.io).poll_write_vectored(context, slices) {
            Poll::Pending => line.wait_for_reader(context).map(Err),
            written @ Poll::Ready(_) => {
                line.wrote();
                written
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

impl<T> Drop for Line<T> {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    /// Bytes that are on their way before a writer must wait.
    const PIPE: usize = 64;

    /// The caller's end, and ours.
    fn line() -> (DuplexStream, Line<DuplexStream>) {
        let (near, far) = duplex(PIPE);
        let metrics = LimitMetrics::register(&mut Registry::default());
        (far, Line::new(near, metrics))
    }

    /// Reads until nothing comes any more: whether the line was closed, and after how long.
    async fn read_on(line: &mut Line<DuplexStream>, for_how_long: Duration) -> Option<Duration> {
        let began = Instant::now();
        let reading = async {
            let mut bytes = [0; PIPE];
            while line.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
            began.elapsed()
        };
        timeout(for_how_long, reading).await.ok()
    }

    /// Sends a byte each second, for ever.
    async fn trickle(mut caller: DuplexStream) {
        while caller.write_all(b"x").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_trickles_in_is_cut_off() {
        let (caller, mut line) = line();
        let metrics = line.metrics.clone();
        tokio::spawn(trickle(caller));
        let after = read_on(&mut line, PATIENCE * 4).await.unwrap();
        assert!((PATIENCE..=PATIENCE * 2).contains(&after), "{after:?}");
        assert_eq!(metrics.slow_to_send.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_stops_half_way_is_cut_off() {
        let (mut caller, mut line) = line();
        caller.write_all(b"GET / HT").await.unwrap();
        assert!(read_on(&mut line, PATIENCE * 4).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_on_which_nothing_is_said_is_closed_after_a_while() {
        let (_caller, mut line) = line();
        let after = read_on(&mut line, IDLE * 3).await.unwrap();
        assert!((IDLE..=IDLE * 2).contains(&after), "{after:?}");
        assert_eq!(line.metrics.slow_to_send.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_stays_that_is_used_now_and_then() {
        let (mut caller, mut line) = line();
        let mut bytes = [0; PIPE];
        for _ in 0..20 {
            assert!(read_on(&mut line, IDLE / 2).await.is_none());
            caller.write_all(b"x").await.unwrap();
            assert!(read_on(&mut line, PATIENCE / 2).await.is_none());
            line.write_all(b"y").await.unwrap();
            assert_eq!(caller.read(&mut bytes).await.unwrap(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_stays_on_which_every_request_is_answered() {
        let (mut caller, mut line) = line();
        let mut bytes = [0; PIPE];
        for _ in 0..50 {
            caller.write_all(b"x").await.unwrap();
            assert!(
                read_on(&mut line, Duration::from_millis(600))
                    .await
                    .is_none()
            );
            line.write_all(b"y").await.unwrap();
            assert_eq!(caller.read(&mut bytes).await.unwrap(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_may_wait_long_for_its_answer() {
        let (mut caller, mut line) = line();
        caller.write_all(b"x").await.unwrap();
        let turn = line.turn();
        turn.answering.set(1);
        let answering = Answering(turn);
        assert!(read_on(&mut line, PATIENCE * 10).await.is_none());
        drop(answering);
        assert!(read_on(&mut line, PATIENCE * 3).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_stays_while_a_request_is_answered_though_nothing_comes() {
        let (_caller, mut line) = line();
        let turn = line.turn();
        turn.answering.set(1);
        let answering = Answering(turn);
        assert!(read_on(&mut line, IDLE * 3).await.is_none());
        drop(answering);
        assert!(read_on(&mut line, IDLE * 3).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_no_answer_is_cut_off_and_asked_nothing_more() {
        let (mut caller, mut line) = line();
        let metrics = line.metrics.clone();
        let writing = timeout(PATIENCE / 2, line.write_all(&[0; PIPE * 2])).await;
        assert!(writing.is_err());
        caller.write_all(b"x").await.unwrap();
        let mut bytes = [0; PIPE];
        let reading = timeout(PATIENCE / 4, line.read(&mut bytes)).await;
        assert!(reading.is_err());
        assert!(line.write_all(b"y").await.is_err());
        assert_eq!(metrics.slow_to_read.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_read_in_parts() {
        let (near, mut far) = duplex(MOST_AT_ONCE * 4);
        let metrics = LimitMetrics::register(&mut Registry::default());
        let mut line = Line::new(near, metrics);
        far.write_all(&vec![0; MOST_AT_ONCE * 3]).await.unwrap();
        let mut bytes = vec![0; MOST_AT_ONCE * 3];
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = std::future::poll_fn(|context| {
            while Pin::new(&mut line)
                .poll_read(context, &mut ReadBuf::new(&mut [0; 1024]))
                .is_ready()
            {
                buffer.advance(1024);
            }
            Poll::Ready(buffer.filled().len())
        });
        assert_eq!(read.await, MOST_AT_ONCE);
    }
}
