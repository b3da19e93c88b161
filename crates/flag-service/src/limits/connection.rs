//! A connection, guarded against whoever is at its other end.
//!
//! The server beneath reads ahead and forgets, when the next request comes, what it knew of the one before: whether that
//! was a HEAD, or the last one. So it is given one request at a time: the next when the answer before has been taken by
//! the kernel. Nor does it bound how long a head, a body or an answer may take, or close what is idle. So bytes are
//! watched here: a head must have arrived, and an answer must have been taken, within [`PATIENCE`], twice that at most. No
//! clock is read for a request that arrives whole; and none is wound after an answer.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::web::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::LINGER;
use super::connections::Connections;
use super::framing::Framing;
use super::held::Held;
use super::state::{ConnectionState, Phase};
use super::watch::Watch;

/// How long a caller may take to send a head, or to read a piece of an answer.
const PATIENCE: Duration = Duration::from_millis(4_500);

/// How long a connection beyond the limit may be silent.
const PATIENCE_WITH_EXTRA: Duration = Duration::from_secs(1);

/// The keep-alive time is watched in so many parts, so that it is exceeded by one of them at most.
const PARTS: u8 = 4;

/// The longest head that is passed on. Up to here it is refused in words (`size.rs`).
const MOST_HEAD: usize = 64 << 10;

/// How much of the next requests is read while one is being answered: enough to notice that the caller is gone.
const READ_AHEAD: usize = 4 << 10;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

const HEAD_TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

const HEAD_TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What the server beneath reads when the caller has hung up, and when it is to believe so.
const HUNG_UP: Poll<io::Result<()>> = Poll::Ready(Ok(()));

/// A connection.
#[derive(Debug)]
pub(super) struct GuardedConnection<T> {
    io: T,
    state: Rc<ConnectionState>,
    connections: Rc<Connections>,
    framing: Framing,
    /// What was read and not passed on.
    kept: BytesMut,
    /// How much of that is to be passed on.
    passing: usize,
    /// What is to be written before anything of the server beneath.
    own_words: &'static [u8],
    /// Whether the server beneath is to believe that nothing more will come.
    is_ending: bool,
    is_shut: bool,
    held: Held,
    arrival: Option<Watch>,
    idle: Option<Watch>,
    /// Runs while the caller doesn't take an answer.
    taking: Option<Pin<Box<Sleep>>>,
    /// Runs while what nobody wants any more is read.
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

    /// What its requests know of it.
    pub(super) fn state(&self) -> Rc<ConnectionState> {
        Rc::clone(&self.state)
    }

    /// Passes on what may be; whether there was anything.
    fn pass_kept(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        if self.passing == 0 {
            return false;
        }
        let now = self.passing.min(buffer.remaining());
        buffer.put_slice(&self.kept.split_to(now));
        self.passing -= now;
        if self.passing == 0 {
            self.state.is_whole.set(self.framing.is_whole());
        }
        true
    }

    /// Looks at what is kept for something to pass on.
    fn look_at_kept(&mut self) {
        self.passing = self.framing.pass(&mut self.kept);
        if self.framing.is_in_head() && self.kept.len() > MOST_HEAD {
            self.own_words = HEAD_TOO_LARGE;
            self.is_ending = true;
        }
    }

    /// Sees to what was just read into a buffer behind `before`; whether any of it is passed on.
    fn sort(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> bool {
        let fresh = buffer.filled_mut().get_mut(before..).unwrap_or_default();
        if self.kept.is_empty() {
            let passed = self.framing.pass(fresh);
            self.state.is_whole.set(self.framing.is_whole());
            if let Some(rest) = fresh.get(passed..)
                && !rest.is_empty()
            {
                self.kept.extend_from_slice(rest);
                buffer.set_filled(before + passed);
            }
            return passed > 0;
        }
        self.kept.extend_from_slice(fresh);
        buffer.set_filled(before);
        self.look_at_kept();
        self.pass_kept(buffer)
    }

    /// Waits for more of a request; ready when there is no more waiting.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.remember(context.waker());
        if !self.framing.is_in_head() {
            return self.wait_for_body(context);
        }
        let has_begun = self.framing.has_begun(self.kept.len());
        if self.state.is_to_close() && (self.state.is_extra.get() || !has_begun) {
            return HUNG_UP;
        }
        if has_begun {
            if self.held.set(self.kept.len()).is_err() {
                self.connections.metrics.no_room.inc();
                return HUNG_UP;
            }
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

    /// Whoever has been answered before the end of his body may send a little more of it.
    fn wait_for_body(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state.phase.get() == Phase::Answered {
            return self.linger(context).map(Ok);
        }
        Poll::Pending
    }

    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timer = self
            .lingering
            .get_or_insert_with(|| Box::pin(sleep(LINGER)));
        timer.as_mut().poll(context)
    }

    /// Whether a head that has begun to arrive should be here by now.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let patience = if self.state.is_extra.get() {
            PATIENCE_WITH_EXTRA
        } else {
            PATIENCE
        };
        Watch::is_over(&mut self.arrival, patience, 1, &self.state, context)
    }

    /// Whether nobody has asked anything for long.
    fn is_idle_too_long(&mut self, context: &mut Context<'_>) -> bool {
        let (part, parts) = if self.state.is_extra.get() {
            (PATIENCE_WITH_EXTRA, 1)
        } else {
            (self.connections.keep_alive / u32::from(PARTS), PARTS)
        };
        Watch::is_over(&mut self.idle, part, parts, &self.state, context)
    }

    /// Waits for the caller to take what was written, but not for ever, and not if too much waits to be taken.
    fn wait_for_taker(&mut self, bytes: usize, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.held.set(bytes + self.state.unsent.get()).is_err() {
            self.connections.metrics.no_room.inc();
            return Poll::Ready(io::ErrorKind::OutOfMemory.into());
        }
        let timer = self.taking.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        ready!(timer.as_mut().poll(context));
        self.connections.metrics.slow_to_read.inc();
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    /// The server beneath has handed over everything so far: goes on with the next request if it may.
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

    /// Reads what nobody wants: a connection that is closed over unread bytes is reset, and what was written last is lost.
    fn discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut is_unread = !self.kept.is_empty() || self.lingering.is_some();
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
                if this.taking.take().is_some() {
                    let _ = this.held.set(0);
                }
                written
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.state.wants_body.take() && this.framing.takes_continue() {
            this.own_words = CONTINUE;
        }
        ready!(this.write_own_words(context))?;
        this.all_written(context);
        Pin::new(&mut this.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_shut {
            ready!(Pin::new(&mut this.io).poll_shutdown(context))?;
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
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::limits::Limits;

    /// Bytes that are on their way before a writer must wait.
    const PIPE: usize = 256;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    type Guarded = GuardedConnection<DuplexStream>;

    /// The caller's end, and ours.
    fn connected() -> (DuplexStream, Guarded) {
        let (near, far) = duplex(PIPE);
        let connections = Rc::new(Connections::new(1, &Limits::for_tests()));
        (far, GuardedConnection::new(near, &connections))
    }

    /// Reads as the server does until nothing comes any more: what was passed on, and after how long it ended.
    async fn read_on(ours: &mut Guarded, for_how_long: Duration) -> (Vec<u8>, Option<Duration>) {
        let began = Instant::now();
        let mut passed = Vec::new();
        let reading = async {
            while ours.read_buf(&mut passed).await.is_ok_and(|read| read > 0) {}
            began.elapsed()
        };
        let ended = timeout(for_how_long, reading).await.ok();
        (passed, ended)
    }

    /// Answers as the server does.
    async fn answer(ours: &mut Guarded, answer: &[u8]) {
        ours.state.phase.set(Phase::Answering);
        ours.write_all(answer).await.unwrap();
        ours.state.phase.set(Phase::Answered);
        ours.flush().await.unwrap();
    }

    /// Serves as the server does: is polled when it is woken, reads what there is, and answers it. Ends with the connection.
    async fn serve(ours: &mut Guarded) -> Duration {
        let began = Instant::now();
        let (mut passed, mut has_ended) = (Vec::new(), false);
        let serving = std::future::poll_fn(|context| {
            let mut ours = Pin::new(&mut *ours);
            loop {
                let mut bytes = [0; PIPE];
                let mut buffer = ReadBuf::new(&mut bytes);
                match ours.as_mut().poll_read(context, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                        passed.extend_from_slice(buffer.filled());
                    }
                    Poll::Ready(_) => {
                        has_ended = true;
                        break;
                    }
                    Poll::Pending => break,
                }
            }
            if passed == REQUEST {
                passed.clear();
                ours.state.phase.set(Phase::Answering);
                assert!(ours.as_mut().poll_write(context, b"y").is_ready());
                ours.state.phase.set(Phase::Answered);
            }
            assert!(ours.as_mut().poll_flush(context).is_ready());
            if has_ended {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        serving.await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_everything_was_asked_at_once_is_closed_in_time() {
        let (mut caller, mut ours) = connected();
        caller.write_all(&REQUEST.repeat(3)).await.unwrap();
        let keep = ours.connections.keep_alive;
        let after = serve(&mut ours).await;
        assert!((keep..keep * 2).contains(&after), "{after:?}");
        let mut said = [0; 3];
        caller.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"yyy");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_to_go_goes_after_its_answer() {
        let (mut caller, mut ours) = connected();
        caller.write_all(REQUEST).await.unwrap();
        ours.state.close();
        assert_eq!(serve(&mut ours).await, Duration::ZERO);
        let (mut caller, mut ours) = connected();
        caller.write_all(REQUEST).await.unwrap();
        let state = ours.state();
        let closing = async {
            sleep(PATIENCE).await;
            state.close();
        };
        let (after, ()) = tokio::join!(serve(&mut ours), closing);
        assert!(after < PATIENCE * 2, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_in_is_cut_off_with_a_word() {
        for part in [&b"GET / HTTP/1.1\r\n"[..], b"GET / HT"] {
            let (mut caller, mut ours) = connected();
            caller.write_all(part).await.unwrap();
            let (mut from, mut to) = tokio::io::split(caller);
            tokio::spawn(async move {
                while to.write_all(b"x").await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
            });
            let (passed, after) = read_on(&mut ours, PATIENCE * 4).await;
            let after = after.unwrap();
            assert!((PATIENCE..=PATIENCE * 2).contains(&after), "{after:?}");
            assert!(passed.is_empty());
            assert_eq!(ours.connections.metrics.slow_to_send.get(), 1);
            let mut said = vec![0; HEAD_TOO_SLOW.len()];
            from.read_exact(&mut said).await.unwrap();
            assert_eq!(said, HEAD_TOO_SLOW);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_is_too_large_is_refused() {
        let (caller, mut ours) = connected();
        let (mut from, mut to) = tokio::io::split(caller);
        tokio::spawn(async move {
            let _ = to.write_all(b"GET / HTTP/1.1\r\n").await;
            while to.write_all(&[b'x'; PIPE]).await.is_ok() {}
        });
        let (passed, after) = read_on(&mut ours, PATIENCE).await;
        assert!(passed.is_empty() && after.is_some());
        let mut said = vec![0; HEAD_TOO_LARGE.len()];
        from.read_exact(&mut said).await.unwrap();
        assert_eq!(said, HEAD_TOO_LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_borne_for_the_time_that_is_set_before_a_request_and_after() {
        for has_asked in [false, true] {
            let (mut caller, mut ours) = connected();
            if has_asked {
                caller.write_all(REQUEST).await.unwrap();
                let (passed, _) = read_on(&mut ours, PATIENCE / 2).await;
                assert_eq!(passed, REQUEST);
                answer(&mut ours, b"y").await;
            }
            let keep = ours.connections.keep_alive;
            assert_eq!(keep, Duration::from_secs(620));
            let (_, after) = read_on(&mut ours, keep * 3).await;
            let after = after.unwrap();
            let at_most = keep + keep / u32::from(PARTS);
            // A timer may be some milliseconds late.
            let at_most = at_most + Duration::from_secs(1);
            assert!((keep - PATIENCE..=at_most).contains(&after), "{after:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_stays_that_is_used_now_and_then() {
        let (mut caller, mut ours) = connected();
        let keep = ours.connections.keep_alive;
        let mut said = [0];
        for _ in 0..20 {
            assert_eq!(read_on(&mut ours, keep - PATIENCE).await.1, None);
            caller.write_all(REQUEST).await.unwrap();
            assert_eq!(read_on(&mut ours, PATIENCE / 2).await.0, REQUEST);
            answer(&mut ours, b"y").await;
            caller.read_exact(&mut said).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_take_its_time() {
        let (mut caller, mut ours) = connected();
        caller.write_all(REQUEST).await.unwrap();
        assert_eq!(read_on(&mut ours, PATIENCE).await.0, REQUEST);
        ours.state.phase.set(Phase::Answering);
        let keep = ours.connections.keep_alive;
        assert_eq!(read_on(&mut ours, keep * 3).await.1, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_request_is_passed_on_when_the_answer_before_is_written() {
        let (mut caller, mut ours) = connected();
        caller.write_all(&REQUEST.repeat(3)).await.unwrap();
        for _ in 0..3 {
            let (passed, ended) = read_on(&mut ours, PATIENCE).await;
            assert_eq!((&*passed, ended), (REQUEST, None));
            ours.state.phase.set(Phase::Answering);
            ours.write_all(b"y").await.unwrap();
            ours.flush().await.unwrap();
            assert_eq!(
                read_on(&mut ours, PATIENCE).await.0,
                b"",
                "it is not finished"
            );
            answer(&mut ours, b"y").await;
        }
        caller.shutdown().await.unwrap();
        assert_eq!(read_on(&mut ours, PATIENCE).await.1, Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_gets_the_answers_to_what_he_asked_before() {
        let (mut caller, mut ours) = connected();
        caller.write_all(&REQUEST.repeat(3)).await.unwrap();
        caller.shutdown().await.unwrap();
        assert_eq!(serve(&mut ours).await, Duration::ZERO);
        drop(ours);
        let mut said = Vec::new();
        caller.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"yyy");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_a_body_that_nobody_wants_is_read_for_a_moment() {
        let (mut caller, mut ours) = connected();
        let head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n12345";
        caller.write_all(head).await.unwrap();
        assert_eq!(read_on(&mut ours, PATIENCE).await.0, head);
        answer(&mut ours, b"y").await;
        let (_, after) = read_on(&mut ours, PATIENCE).await;
        assert!(
            after.unwrap() <= LINGER + Duration::from_millis(5),
            "{after:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_no_answer_is_cut_off() {
        let (_caller, mut ours) = connected();
        let metrics = ours.connections.metrics.clone();
        let writing = timeout(PATIENCE / 2, ours.write_all(&[0; PIPE * 2])).await;
        assert!(writing.is_err());
        assert!(ours.write_all(b"y").await.is_err());
        assert_eq!(metrics.slow_to_read.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn leave_to_send_a_body_is_given_when_somebody_wants_it() {
        let (mut caller, mut ours) = connected();
        let head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
        caller.write_all(head).await.unwrap();
        assert_eq!(read_on(&mut ours, PATIENCE).await.0.len(), head.len());
        ours.state.phase.set(Phase::Answering);
        ours.flush().await.unwrap();
        let mut said = [0; 64];
        assert!(timeout(PATIENCE, caller.read(&mut said)).await.is_err());
        ours.state.wants_body.set(true);
        ours.flush().await.unwrap();
        let read = caller.read(&mut said).await.unwrap();
        assert_eq!(said.get(..read), Some(CONTINUE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_to_go_goes_unless_it_has_a_request() {
        let (_caller, mut ours) = connected();
        ours.state.close();
        assert_eq!(read_on(&mut ours, PATIENCE).await.1, Some(Duration::ZERO));
        let (mut caller, mut ours) = connected();
        caller.write_all(REQUEST).await.unwrap();
        ours.state.close();
        let (passed, ended) = read_on(&mut ours, PATIENCE).await;
        assert_eq!((&*passed, ended), (REQUEST, None));
        answer(&mut ours, b"y").await;
        assert_eq!(read_on(&mut ours, PATIENCE).await.1, Some(Duration::ZERO));
    }
}
