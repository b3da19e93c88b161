use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

use super::deadlines::{CALLER_TIMEOUT, HEAD_TOO_SLOW, PARTS};
use super::*;
use crate::http::ConnectionLimits;
use crate::server::LINGER;

/// Bytes that are on their way before a writer must wait.
const PIPE: usize = 256;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

type Guarded = GuardedConnection<DuplexStream>;

/// The caller's end, and ours.
fn connected() -> (DuplexStream, Guarded) {
    let (near, far) = duplex(PIPE);
    let connections = Rc::new(Connections::new(1, &ConnectionLimits::for_tests()));
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
    let mut received = [0; 3];
    caller.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"yyy");
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
        sleep(CALLER_TIMEOUT).await;
        state.close();
    };
    let (after, ()) = tokio::join!(serve(&mut ours), closing);
    assert!(after < CALLER_TIMEOUT * 2, "{after:?}");
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
        let (passed, after) = read_on(&mut ours, CALLER_TIMEOUT * 4).await;
        let after = after.unwrap();
        assert!(
            (CALLER_TIMEOUT..=CALLER_TIMEOUT * 2).contains(&after),
            "{after:?}"
        );
        assert!(passed.is_empty());
        assert_eq!(ours.connections.metrics.slow_to_send.get(), 1);
        let mut received = vec![0; HEAD_TOO_SLOW.len()];
        from.read_exact(&mut received).await.unwrap();
        assert_eq!(received, HEAD_TOO_SLOW);
    }
}

#[tokio::test(start_paused = true)]
async fn empty_lines_before_a_request_are_dropped() {
    for lines in [1, 100, MAX_HEAD] {
        let (mut caller, mut ours) = connected();
        let mut writing = tokio::spawn(async move {
            caller.write_all(&b"\r\n".repeat(lines)).await.unwrap();
            caller
        });
        let (passed, ended) = read_on(&mut ours, CALLER_TIMEOUT * 2).await;
        assert_eq!((&*passed, ended), (&b""[..], None), "{lines} lines");
        assert_eq!(ours.unpassed.capacity(), 0, "{lines} lines");
        let mut caller = (&mut writing).await.unwrap();
        caller.write_all(b"\r").await.unwrap();
        assert_eq!(read_on(&mut ours, CALLER_TIMEOUT / 2).await.0, b"");
        caller.write_all(b"\n").await.unwrap();
        assert_eq!(read_on(&mut ours, CALLER_TIMEOUT / 2).await.0, b"");
        caller.write_all(REQUEST).await.unwrap();
        assert_eq!(read_on(&mut ours, CALLER_TIMEOUT / 2).await.0, REQUEST);
        answer(&mut ours, b"y").await;
        caller.write_all(b"\r\n").await.unwrap();
        assert_eq!(read_on(&mut ours, CALLER_TIMEOUT * 2).await.1, None);
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
    let (passed, after) = read_on(&mut ours, CALLER_TIMEOUT).await;
    assert!(passed.is_empty() && after.is_some());
    let mut received = vec![0; HEAD_TOO_LARGE.len()];
    from.read_exact(&mut received).await.unwrap();
    assert_eq!(received, HEAD_TOO_LARGE);
}

#[tokio::test(start_paused = true)]
async fn silence_is_borne_for_the_time_that_is_set_before_a_request_and_after() {
    for has_asked in [false, true] {
        let (mut caller, mut ours) = connected();
        if has_asked {
            caller.write_all(REQUEST).await.unwrap();
            let (passed, _) = read_on(&mut ours, CALLER_TIMEOUT / 2).await;
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
        assert!(
            (keep.saturating_sub(CALLER_TIMEOUT)..=at_most).contains(&after),
            "{after:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_stays_that_is_used_now_and_then() {
    let (mut caller, mut ours) = connected();
    let keep = ours.connections.keep_alive;
    let mut received = [0];
    for _ in 0..20 {
        assert_eq!(
            read_on(&mut ours, keep.saturating_sub(CALLER_TIMEOUT))
                .await
                .1,
            None
        );
        caller.write_all(REQUEST).await.unwrap();
        assert_eq!(read_on(&mut ours, CALLER_TIMEOUT / 2).await.0, REQUEST);
        answer(&mut ours, b"y").await;
        caller.read_exact(&mut received).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_its_time() {
    let (mut caller, mut ours) = connected();
    caller.write_all(REQUEST).await.unwrap();
    assert_eq!(read_on(&mut ours, CALLER_TIMEOUT).await.0, REQUEST);
    ours.state.phase.set(Phase::Answering);
    let keep = ours.connections.keep_alive;
    assert_eq!(read_on(&mut ours, keep * 3).await.1, None);
}

#[tokio::test(start_paused = true)]
async fn the_next_request_is_passed_on_when_the_answer_before_is_written() {
    let (mut caller, mut ours) = connected();
    caller.write_all(&REQUEST.repeat(3)).await.unwrap();
    for _ in 0..3 {
        let (passed, ended) = read_on(&mut ours, CALLER_TIMEOUT).await;
        assert_eq!((&*passed, ended), (REQUEST, None));
        ours.state.phase.set(Phase::Answering);
        ours.write_all(b"y").await.unwrap();
        ours.flush().await.unwrap();
        assert_eq!(
            read_on(&mut ours, CALLER_TIMEOUT).await.0,
            b"",
            "it is not finished"
        );
        answer(&mut ours, b"y").await;
    }
    caller.shutdown().await.unwrap();
    assert_eq!(
        read_on(&mut ours, CALLER_TIMEOUT).await.1,
        Some(Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_gets_the_answers_to_what_he_asked_before() {
    let (mut caller, mut ours) = connected();
    caller.write_all(&REQUEST.repeat(3)).await.unwrap();
    caller.shutdown().await.unwrap();
    assert_eq!(serve(&mut ours).await, Duration::ZERO);
    drop(ours);
    let mut received = Vec::new();
    caller.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"yyy");
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_body_that_nobody_wants_is_read_for_a_moment() {
    let (mut caller, mut ours) = connected();
    let head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n12345";
    caller.write_all(head).await.unwrap();
    assert_eq!(read_on(&mut ours, CALLER_TIMEOUT).await.0, head);
    answer(&mut ours, b"y").await;
    let (_, after) = read_on(&mut ours, CALLER_TIMEOUT).await;
    assert!(
        after.unwrap() <= LINGER + Duration::from_millis(5),
        "{after:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_takes_no_answer_is_cut_off() {
    let (_caller, mut ours) = connected();
    let metrics = ours.connections.metrics.clone();
    let writing = timeout(CALLER_TIMEOUT / 2, ours.write_all(&[0; PIPE * 2])).await;
    assert!(writing.is_err());
    assert!(ours.write_all(b"y").await.is_err());
    assert_eq!(metrics.slow_to_read.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn leave_to_send_a_body_is_given_when_somebody_wants_it() {
    let (mut caller, mut ours) = connected();
    let head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    caller.write_all(head).await.unwrap();
    assert_eq!(read_on(&mut ours, CALLER_TIMEOUT).await.0.len(), head.len());
    ours.state.phase.set(Phase::Answering);
    ours.flush().await.unwrap();
    let mut received = [0; 64];
    assert!(
        timeout(CALLER_TIMEOUT, caller.read(&mut received))
            .await
            .is_err()
    );
    ours.state.wants_body.set(true);
    ours.flush().await.unwrap();
    let read = caller.read(&mut received).await.unwrap();
    assert_eq!(received.get(..read), Some(CONTINUE));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_to_go_goes_unless_it_has_a_request() {
    let (_caller, mut ours) = connected();
    ours.state.close();
    assert_eq!(
        read_on(&mut ours, CALLER_TIMEOUT).await.1,
        Some(Duration::ZERO)
    );
    let (mut caller, mut ours) = connected();
    caller.write_all(REQUEST).await.unwrap();
    ours.state.close();
    let (passed, ended) = read_on(&mut ours, CALLER_TIMEOUT).await;
    assert_eq!((&*passed, ended), (REQUEST, None));
    answer(&mut ours, b"y").await;
    assert_eq!(
        read_on(&mut ours, CALLER_TIMEOUT).await.1,
        Some(Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_part_of_a_head_is_not_closed_for_others() {
    let (mut caller, mut ours) = connected();
    let (part, rest) = REQUEST.split_at(8);
    caller.write_all(part).await.unwrap();
    assert_eq!(read_on(&mut ours, CALLER_TIMEOUT / 2).await.1, None);
    let new = Rc::default();
    ours.connections.enter(&new);
    assert!(new.is_over_limit.get() && !ours.state.is_to_close());
    caller.write_all(rest).await.unwrap();
    assert_eq!(read_on(&mut ours, CALLER_TIMEOUT / 4).await.0, REQUEST);
    answer(&mut ours, b"y").await;
    let new = Rc::default();
    ours.connections.enter(&new);
    assert!(!new.is_over_limit.get() && ours.state.is_to_close());
}

/// Whether it is closed at once when it has to go.
async fn goes_at_once(ours: &mut Guarded) -> bool {
    let state = ours.state();
    let began = Instant::now();
    let closing = async {
        sleep(LINGER / 4).await;
        state.close();
    };
    let ending = async {
        assert_eq!(read_on(ours, LINGER / 2).await.1, Some(LINGER / 4));
        ours.shutdown().await.unwrap();
    };
    tokio::join!(ending, closing);
    began.elapsed() == LINGER / 4
}

#[tokio::test(start_paused = true)]
async fn a_connection_beyond_the_limit_that_has_to_go_goes_whatever_it_has() {
    let beyond = || {
        let (near, caller) = duplex(PIPE);
        let connections = Rc::new(Connections::new(0, &ConnectionLimits::for_tests()));
        (caller, GuardedConnection::new(near, &connections))
    };
    let (mut caller, mut ours) = beyond();
    caller.write_all(b"GET / HT").await.unwrap();
    assert!(goes_at_once(&mut ours).await, "it has a part of a head");
    let (mut caller, mut ours) = beyond();
    let head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
    caller.write_all(head).await.unwrap();
    assert_eq!(read_on(&mut ours, CALLER_TIMEOUT).await.0, head);
    answer(&mut ours, b"y").await;
    assert!(goes_at_once(&mut ours).await, "its body is not wanted");
    let (mut caller, mut ours) = beyond();
    caller.write_all(b"GET / HT").await.unwrap();
    assert_eq!(read_on(&mut ours, LINGER / 4).await.1, None);
    let (state, began) = (ours.state(), Instant::now());
    let closing = async {
        sleep(LINGER / 4).await;
        state.close();
    };
    tokio::join!(ours.shutdown(), closing).0.unwrap();
    assert_eq!(began.elapsed(), LINGER / 4, "it lingers already");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_came_in_pieces_is_held_until_it_is_passed_on() {
    let (mut caller, mut ours) = connected();
    let (part, rest) = REQUEST.split_at(8);
    caller.write_all(part).await.unwrap();
    assert_eq!(read_on(&mut ours, CALLER_TIMEOUT / 2).await.1, None);
    assert_eq!(ours.connections.held_bytes.total(), 8);
    caller.write_all(rest).await.unwrap();
    assert_eq!(read_on(&mut ours, CALLER_TIMEOUT / 4).await.0, REQUEST);
    assert_eq!(ours.connections.held_bytes.total(), 0);
    assert_eq!(ours.unpassed.capacity(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_a_large_head_the_connection_is_closed() {
    for (size, is_large) in [(LARGE_HEAD / 2, false), (LARGE_HEAD, true)] {
        let (mut caller, mut ours) = connected();
        let head = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(size));
        let sent = head.clone();
        let sending = tokio::spawn(async move { caller.write_all(sent.as_bytes()).await });
        let (passed, _) = read_on(&mut ours, CALLER_TIMEOUT / 2).await;
        assert_eq!(passed, head.as_bytes());
        sending.await.unwrap().unwrap();
        assert_eq!(ours.state.is_last_answer(), is_large);
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_a_body_has_his_turn_before_more_of_it_is_passed_on() {
    const CHUNKS: usize = 10_000;
    let (mut caller, near) = duplex(CHUNKS * 10);
    let connections = Rc::new(Connections::new(1, &ConnectionLimits::for_tests()));
    let mut ours = GuardedConnection::new(near, &connections);
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = "1\r\n \r\n".repeat(CHUNKS);
    let request = format!("{head}{chunks}0\r\n\r\n");
    caller.write_all(request.as_bytes()).await.unwrap();
    let mut passed = Vec::new();
    let turns = std::future::poll_fn(|context| {
        let before = passed.len();
        while let Poll::Ready(read) = pin!(ours.read_buf(&mut passed)).poll(context) {
            assert!(read.is_ok_and(|read| read > 0));
        }
        assert!(passed.len() - before < 1_024, "{}", passed.len() - before);
        if passed.len() == request.len() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    // It is woken for each turn, though nothing more comes.
    timeout(CALLER_TIMEOUT, turns).await.unwrap();
    assert_eq!(passed, request.as_bytes());
    assert!(ours.state.is_whole.get() && ours.unpassed.capacity() == 0);
}

#[tokio::test(start_paused = true)]
async fn no_caller_is_asked_to_continue_after_its_answer() {
    let (mut caller, mut ours) = connected();
    let head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    caller.write_all(head).await.unwrap();
    assert_eq!(read_on(&mut ours, CALLER_TIMEOUT).await.0.len(), head.len());
    ours.state.wants_body.set(true);
    answer(&mut ours, b"y").await;
    drop(ours);
    let mut received = Vec::new();
    caller.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"y");
}
