//! Opens the stream, reads it, and opens it again when it has ended, for as long as the client's thread runs.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::client_state::ClientState;
use crate::failure::Failure;
use crate::push::SILENCE;
use crate::push::apply_event::apply_event;
use crate::push::pauses::{Pauses, StreamEnd};
use crate::sse::{Event, Parser};
use crate::transport::EventStream;

/// After this many streams in a row without a byte, the log says that changes are not announced; at once if the service refuses
/// the stream or has none.
const ATTEMPTS_BEFORE_LOG: u32 = 3;

/// Follows the stream, one connection after the other. Ends only by being dropped.
pub(crate) async fn follow(state: Arc<ClientState>) {
    let ending = Ending(state);
    let (mut pauses, mut log) = (Pauses::default(), Log::default());
    loop {
        let state = &ending.0;
        let (opened, mut parser) = (Instant::now(), Parser::default());
        let end = stream(state, &mut parser, &mut log).await;
        let pause = pauses.after(&end, opened.elapsed(), parser.retry(), fastrand::f64());
        log.ended(&state.transport.name(), &end);
        state.push.lost(failure(end));
        sleep(pause).await;
    }
}

/// However the task ends, the stream is not good any more.
struct Ending(Arc<ClientState>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.push.lost(Failure::Closed);
    }
}

fn failure(end: StreamEnd) -> Failure {
    match end {
        StreamEnd::Closed => Failure::Unreachable("the service has closed the event stream".into()),
        StreamEnd::Failed(failure, _)
        | StreamEnd::Refused(failure)
        | StreamEnd::Missing(failure) => failure,
    }
}

/// Opens a stream and reads it to its end.
async fn stream(state: &Arc<ClientState>, parser: &mut Parser, log: &mut Log) -> StreamEnd {
    let digest = state.push.connecting();
    let opening = state.transport.open_events(digest.as_deref());
    let mut response = match timeout(SILENCE, opening).await {
        Ok(Ok(response)) => response,
        Ok(Err(end)) => return end,
        Err(_) => return StreamEnd::Failed(Failure::TimedOut, None),
    };
    read(&mut response, |bytes| {
        let events = parser.read(bytes);
        match &events {
            Ok(events) => events.iter().for_each(|event| apply_event(state, event)),
            // What it says is lost, so everything may have changed.
            Err(_) => apply_event(state, &Event::default()),
        }
        state.push.note_received(Instant::now());
        log.note_received();
        events.map(drop)
    })
    .await
}

/// The bytes of a stream as they come.
trait Chunks {
    /// The next ones, or none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<impl AsRef<[u8]>>, Failure>> + Send;
}

impl Chunks for EventStream<'_> {
    fn next(&mut self) -> impl Future<Output = Result<Option<impl AsRef<[u8]>>, Failure>> + Send {
        self.next_chunk()
    }
}

/// Reads chunks until there are no more, or none for too long, or one cannot be read.
async fn read<E: ToString>(
    chunks: &mut impl Chunks,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> StreamEnd {
    loop {
        let failure = match timeout(SILENCE, chunks.next()).await {
            Ok(Ok(Some(chunk))) => match take(chunk.as_ref()) {
                Ok(()) => continue,
                Err(problem) => Failure::BadAnswer(problem.to_string().into()),
            },
            Ok(Ok(None)) => return StreamEnd::Closed,
            Ok(Err(failure)) => failure,
            Err(_) => {
                let seconds = SILENCE.as_secs();
                Failure::BadAnswer(format!("an event stream, silent for {seconds} s").into())
            }
        };
        return StreamEnd::Failed(failure, None);
    }
}

/// Says once when changes are not announced, and once when they are again.
#[derive(Debug, Default)]
struct Log {
    /// In a row, without a byte.
    attempts: u32,
    is_said: bool,
}

impl Log {
    fn note_received(&mut self) {
        self.attempts = 0;
        if std::mem::take(&mut self.is_said) {
            info!("changes of flags are announced again");
        }
    }

    fn ended(&mut self, service: &str, end: &StreamEnd) {
        self.attempts = match end {
            StreamEnd::Refused(_) | StreamEnd::Missing(_) => ATTEMPTS_BEFORE_LOG,
            StreamEnd::Failed(..) | StreamEnd::Closed => self.attempts.saturating_add(1),
        };
        if self.attempts < ATTEMPTS_BEFORE_LOG || std::mem::replace(&mut self.is_said, true) {
            return;
        }
        let (why, text) = (
            failure(end.clone()),
            "no event stream: changes show after the lifetime",
        );
        if matches!(end, StreamEnd::Missing(_)) {
            info!(service, %why, "{text}");
        } else {
            warn!(service, %why, "{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use futures_util::future::pending;

    use super::*;

    /// Pieces, each with the seconds before it, and then an end, if it ends.
    struct Script {
        pieces: VecDeque<(u64, &'static str)>,
        end: Option<Result<(), Failure>>,
    }

    impl Chunks for Script {
        async fn next(&mut self) -> Result<Option<impl AsRef<[u8]>>, Failure> {
            if let Some((seconds, piece)) = self.pieces.pop_front() {
                sleep(Duration::from_secs(seconds)).await;
                return Ok(Some(piece));
            }
            match self.end.take() {
                Some(end) => end.map(|()| None),
                None => pending().await,
            }
        }
    }

    /// Reads a stream that gives these pieces, each with the seconds before it, and then this end, if it ends.
    async fn check(
        pieces: &[(u64, &'static str)],
        end: Option<Result<(), Failure>>,
        expected: StreamEnd,
    ) {
        let text: String = pieces.iter().map(|(_, text)| *text).collect();
        let pieces = pieces.iter().copied().collect();
        let (mut script, mut taken) = (Script { pieces, end }, String::new());
        let ended = read(&mut script, |bytes| {
            taken.push_str(str::from_utf8(bytes).unwrap());
            if taken.contains("bad") {
                Err("bad")
            } else {
                Ok(())
            }
        });
        assert_eq!(ended.await, expected);
        assert_eq!(taken, text);
    }

    fn silent() -> StreamEnd {
        let failure = Failure::BadAnswer("an event stream, silent for 50 s".into());
        StreamEnd::Failed(failure, None)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_silent_for_two_and_a_half_heartbeats_is_dead() {
        check(&[], None, silent()).await;
        check(&[(49, ":"), (49, ":")], None, silent()).await;
        let began = tokio::time::Instant::now();
        check(&[(1, ":")], None, silent()).await;
        assert_eq!(began.elapsed().as_secs(), 51);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_as_it_is_ended() {
        check(&[(1, "a")], Some(Ok(())), StreamEnd::Closed).await;
        let cut = Failure::BadAnswer("cut".into());
        check(
            &[(1, "a")],
            Some(Err(cut.clone())),
            StreamEnd::Failed(cut, None),
        )
        .await;
        let bad = StreamEnd::Failed(Failure::BadAnswer("bad".into()), None);
        check(&[(1, "bad")], None, bad).await;
    }

    #[test]
    fn the_log_has_a_line_for_each_change() {
        let mut log = Log::default();
        log.ended("s", &StreamEnd::Closed);
        log.note_received();
        for _ in 0..2 {
            log.ended("s", &StreamEnd::Closed);
            assert!(!log.is_said);
        }
        log.ended("s", &StreamEnd::Closed);
        assert!(log.is_said);
        log.note_received();
        assert!(!log.is_said);
        log.ended("s", &StreamEnd::Missing(Failure::TimedOut));
        assert!(log.is_said);
    }
}
