//! Writes log lines from a thread of its own.
//!
//! Whoever logs puts a line into a bounded queue, or loses it if that is full: a reader of the log that is slow, stuck or
//! gone, and a disk that is full, cost lines, and never an answer or the end of the process.

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

/// How many bytes of lines wait to be written at most.
const MOST: usize = 1 << 20;

/// How long a destination that would block is left alone.
const PAUSE: Duration = Duration::from_millis(10);

/// Takes lines for a destination.
#[derive(Clone, Debug)]
pub(crate) struct LogWriter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// A line has come.
    come: Condvar,
    /// Every line has been written, or lost.
    done: Condvar,
    lost: Family<Lost, Counter>,
    no_room: Counter,
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
    /// Begins to write to standard error.
    ///
    /// Through a descriptor of its own: the lock of the standard library's would be held while a write hangs.
    pub(crate) fn to_stderr() -> io::Result<Self> {
        Self::start(File::from(io::stderr().as_fd().try_clone_to_owned()?))
    }

    fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let lost = Family::<Lost, Counter>::default();
        let of = |reason| lost.get_or_create_owned(&Lost { reason });
        let writer = Self(Arc::new(Shared {
            queue: Mutex::default(),
            come: Condvar::new(),
            done: Condvar::new(),
            no_room: of("no_room"),
            failed: of("failed"),
            lost,
        }));
        let shared = Arc::clone(&writer.0);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_on(to))?;
        Ok(writer)
    }

    /// Has the lines counted that are lost.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "log_lines_lost",
            "Log lines that were lost, by why: the queue was full, or writing failed",
            self.0.lost.clone(),
        );
    }

    /// Takes a line; never waits.
    pub(crate) fn line(&self, line: &[u8]) {
        let mut queue = self.0.lock();
        if queue.bytes + line.len() > MOST {
            self.0.no_room.inc();
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line.to_owned());
        drop(queue);
        self.0.come.notify_one();
    }

    /// Waits until every line is written, but no longer than `deadline`.
    pub(crate) fn flush(&self, deadline: Duration) {
        let until = Instant::now() + deadline;
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
    fn write_on(&self, mut to: impl Write) {
        let mut told = 0;
        loop {
            let line = self.next();
            if write_all(&mut to, &line).is_err() {
                self.failed.inc();
                continue;
            }
            let lost = self.no_room.get() + self.failed.get();
            if lost > told {
                warn!(lines = lost - told, "log lines were lost");
                told = lost;
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
            let waited = self.come.wait(queue);
            queue = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Also to what would rather not wait, such as a pipe that its other owners don't block on.
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

    /// Hands over each write, and takes as long as nobody answers.
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
        let (tell, told) = channel();
        let (answer, answered) = channel();
        let writer = LogWriter::start(Slow(tell, answered)).unwrap();
        (writer, told, answer)
    }

    #[test]
    fn a_destination_that_hangs_costs_lines_and_no_time() {
        let (writer, told, answer) = slow();
        writer.line(b"first");
        assert_eq!(told.recv_timeout(SOON).unwrap(), b"first");
        for _ in 0..3 {
            writer.line(&vec![b'x'; MOST / 2]);
        }
        assert_eq!(writer.0.no_room.get(), 1);
        writer.flush(Duration::from_millis(1));
        answer.send(Ok(())).unwrap();
        assert_eq!(told.recv_timeout(SOON).unwrap().len(), MOST / 2);
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_what_follows_is_written() {
        let (writer, told, answer) = slow();
        let full = io::Error::from(io::ErrorKind::StorageFull);
        writer.line(b"one");
        writer.line(b"two");
        assert_eq!(told.recv_timeout(SOON).unwrap(), b"one");
        answer.send(Err(full)).unwrap();
        assert_eq!(told.recv_timeout(SOON).unwrap(), b"two");
        answer.send(Ok(())).unwrap();
        writer.flush(SOON);
        assert_eq!((writer.0.failed.get(), writer.0.no_room.get()), (1, 0));
    }
}
