//! Writes log lines from a thread of its own.
//!
//! A line goes into a bounded queue; it is lost if the queue is full. So a slow, stuck or closed reader of the log, or a full
//! disk, costs lines, but never delays an answer or ends the process.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tracing::warn;
use tracing_subscriber::fmt::MakeWriter;

/// The most bytes of lines that wait to be written.
const MAX_BYTES: usize = 1 << 20;

/// The pause before another write to a destination that would block.
const PAUSE: Duration = Duration::from_millis(10);

/// Writes log lines to a destination, in the background.
#[derive(Clone, Debug)]
pub(crate) struct LogWriter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Signals that a line was queued.
    queued: Condvar,
    /// Signals that every line was written or lost.
    done: Condvar,
    lost: Family<Lost, Counter>,
    queue_full: Counter,
    failed: Counter,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    is_writing: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lost {
    reason: &'static str,
}

impl LogWriter {
    /// Starts to write to standard error, through a file descriptor of its own: the standard library would hold its lock while
    /// a write hangs.
    pub(crate) fn to_stderr() -> io::Result<Self> {
        Self::start(File::from(io::stderr().as_fd().try_clone_to_owned()?))
    }

    fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let lost = Family::<Lost, Counter>::default();
        let of = |reason| lost.get_or_create_owned(&Lost { reason });
        let writer = Self(Arc::new(Shared {
            queue: Mutex::default(),
            queued: Condvar::new(),
            done: Condvar::new(),
            queue_full: of("no_room"),
            failed: of("failed"),
            lost,
        }));
        let shared = Arc::clone(&writer.0);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_lines(to))?;
        Ok(writer)
    }

    /// Registers the count of lost lines.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "log_lines_lost",
            "Log lines that were lost, by reason: the queue was full, or writing failed",
            self.0.lost.clone(),
        );
    }

    /// Queues a line; never waits.
    pub(crate) fn line(&self, line: &[u8]) {
        let mut queue = self.0.lock();
        if queue.bytes + line.len() > MAX_BYTES {
            self.0.queue_full.inc();
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line.to_owned());
        drop(queue);
        self.0.queued.notify_one();
    }

    /// Waits until every line is written, but no longer than `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) {
        let until = Instant::now() + timeout;
        let mut queue = self.0.lock();
        while queue.is_writing || !queue.lines.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.0.done.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes for ever.
    fn write_lines(&self, mut to: impl Write) {
        let mut reported = 0;
        loop {
            let line = self.next();
            if write_all(&mut to, &line).is_err() {
                self.failed.inc();
                continue;
            }
            let lost = self.queue_full.get() + self.failed.get();
            if lost > reported {
                warn!(lines = lost - reported, "log lines were lost");
                reported = lost;
            }
        }
    }

    fn next(&self) -> Vec<u8> {
        let mut queue = self.lock();
        queue.is_writing = false;
        loop {
            if let Some(line) = queue.lines.pop_front() {
                queue.bytes -= line.len();
                queue.is_writing = true;
                return line;
            }
            self.done.notify_all();
            let waited = self.queued.wait(queue);
            queue = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Writes a line, also to a destination that is set to non-blocking, such as a pipe that another process shares.
fn write_all(to: &mut impl Write, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match to.write(line) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => line = line.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// One event, formatted.
impl Write for &LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a LogWriter;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// Sends each write to the test, and waits for its result.
    struct Slow(Sender<Vec<u8>>, Receiver<io::Result<()>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_owned()).unwrap();
            let answer = self.1.recv().unwrap();
            answer.map(|()| bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (LogWriter, Receiver<Vec<u8>>, Sender<io::Result<()>>) {
        let (sender, receiver) = channel();
        let (answer, answered) = channel();
        let writer = LogWriter::start(Slow(sender, answered)).unwrap();
        (writer, receiver, answer)
    }

    #[test]
    fn a_destination_that_hangs_costs_lines_but_no_time() {
        let (writer, receiver, answer) = slow();
        writer.line(b"first");
        assert_eq!(receiver.recv_timeout(SOON).unwrap(), b"first");
        for _ in 0..3 {
            writer.line(&vec![b'x'; MAX_BYTES / 2]);
        }
        assert_eq!(writer.0.queue_full.get(), 1);
        writer.flush(Duration::from_millis(1));
        answer.send(Ok(())).unwrap();
        assert_eq!(receiver.recv_timeout(SOON).unwrap().len(), MAX_BYTES / 2);
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_the_next_one_written() {
        let (writer, receiver, answer) = slow();
        let full = io::Error::from(io::ErrorKind::StorageFull);
        writer.line(b"one");
        writer.line(b"two");
        assert_eq!(receiver.recv_timeout(SOON).unwrap(), b"one");
        answer.send(Err(full)).unwrap();
        assert_eq!(receiver.recv_timeout(SOON).unwrap(), b"two");
        answer.send(Ok(())).unwrap();
        writer.flush(SOON);
        assert_eq!((writer.0.failed.get(), writer.0.queue_full.get()), (1, 0));
    }
}
