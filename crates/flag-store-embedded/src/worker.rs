//! The threads of one file: one that writes, and a few that read, each with a connection of its own.
//!
//! SQLite blocks, so nothing of it runs on an async thread. Reads never wait behind a write.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::database::Database;
use crate::failure::Failure;
use crate::idle_priority::{WriterPriority, run_at_idle_priority};
use crate::open_files::{Closing, FileLoss, OpenFiles};
use crate::schema::Contents;

type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// Runs jobs on threads of its own. When the last clone is dropped they end after the running jobs, in the background.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    to_readers: Sender<Job>,
    to_writer: Sender<Job>,
    files: Arc<OpenFiles>,
    ending: Arc<Ending>,
}

/// How the threads end, and how to wait until they have.
#[derive(Debug)]
struct Ending {
    leaves_files: AtomicBool,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Which threads run a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobThreads {
    Readers,
    Writer,
}

/// How long a job may take in all, waiting for its turn included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobTimeout {
    after: Duration,
    deadline: Option<Instant>,
}

/// The result of a job.
pub(crate) enum JobResult<T, W> {
    /// It ran, or no thread could run it in time.
    Ended(Result<T, Failure>),
    /// It has not begun, as the files are not in their places any more.
    NotBegun(W, FileLoss),
}

impl JobTimeout {
    /// As long as this, from now on.
    pub(crate) fn new(after: Duration) -> Self {
        Self {
            after,
            deadline: Instant::now().checked_add(after),
        }
    }

    /// Waits for something that long.
    pub(crate) async fn wait<T>(&self, awaited: impl Future<Output = T>) -> Result<T, Failure> {
        let Some(deadline) = self.deadline else {
            return Ok(awaited.await);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = timeout(left, awaited).await;
        waited.map_err(|_| self.expired())
    }

    fn expired(&self) -> Failure {
        Failure::TimedOut { after: self.after }
    }
}

impl Workers {
    /// Starts a thread per connection.
    pub(crate) fn start(
        contents: Contents,
        priority: WriterPriority,
        writer: Database,
        readers: Vec<Database>,
    ) -> io::Result<Self> {
        let name = contents.name();
        let files = Arc::new(writer.files().clone());
        let (to_readers, for_readers) = mpsc::channel();
        let (to_writer, for_writer) = mpsc::channel();
        let (reading, readers_ended) = mpsc::channel();
        let for_readers = Arc::new(Mutex::new(for_readers));
        for reader in readers {
            let (jobs, reading) = (Arc::clone(&for_readers), reading.clone());
            thread::Builder::new()
                .name(format!("{name}-read"))
                .spawn(move || read(reader, &jobs, reading))?;
        }
        let ending = Arc::new(Ending {
            leaves_files: AtomicBool::new(false),
            writer: Mutex::default(),
        });
        let closing = Arc::clone(&ending);
        let writer = thread::Builder::new()
            .name(format!("{name}-write"))
            .spawn(move || {
                if priority == WriterPriority::Idle {
                    run_at_idle_priority();
                }
                write(writer, &for_writer, &readers_ended, &closing);
            })?;
        *ending.writer() = Some(writer);
        Ok(Self {
            to_readers,
            to_writer,
            files,
            ending,
        })
    }

    /// The files that they work on, as they were when these were opened.
    pub(crate) fn files(&self) -> &Arc<OpenFiles> {
        &self.files
    }

    /// Whether these are the same threads.
    pub(crate) fn is_same(&self, others: &Self) -> bool {
        Arc::ptr_eq(&self.ending, &others.ending)
    }

    /// Queues a job and waits for its result.
    ///
    /// A job whose caller has gone before its turn is skipped, be it a read or a write. One that is run can ask
    /// whether anybody still waits for its result.
    pub(crate) async fn run<T, W>(
        self,
        threads: JobThreads,
        timeout: JobTimeout,
        work: W,
    ) -> JobResult<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&mut Database, &dyn Fn() -> bool) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = move |database: &mut Database| {
            if reply.is_closed() {
                return;
            }
            database.lock_timeout().set_end(timeout.deadline);
            let outcome = match ensure_sound(database, threads) {
                Ok(()) => JobResult::Ended(work(database, &|| !reply.is_closed())),
                Err(lost) => JobResult::NotBegun(work, lost),
            };
            let outcome = match outcome {
                JobResult::Ended(Err(failure))
                    if failure.is_busy() && database.lock_timeout().is_over() =>
                {
                    JobResult::Ended(Err(timeout.expired()))
                }
                outcome => outcome,
            };
            // The caller may be gone by now.
            let _ = reply.send(outcome);
        };
        let queue = match threads {
            JobThreads::Readers => self.to_readers,
            JobThreads::Writer => self.to_writer,
        };
        if queue.send(Box::new(job)).is_err() {
            return JobResult::Ended(Err(Failure::Ended));
        }
        drop(queue);
        match timeout.wait(answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => JobResult::Ended(Err(Failure::Ended)),
            Err(over) => JobResult::Ended(Err(over)),
        }
    }

    /// Ends the threads, and waits until the last connection is closed. Blocks.
    pub(crate) fn end(self, closing: Closing) {
        let Self {
            to_readers,
            to_writer,
            ending,
            ..
        } = self;
        let leaves_files = closing == Closing::AsItIs;
        ending.leaves_files.store(leaves_files, Ordering::Relaxed);
        drop((to_readers, to_writer));
        let writer = ending.writer().take();
        if let Some(writer) = writer {
            // It has closed its connection also if it panicked.
            let _ = writer.join();
        }
    }
}

impl Ending {
    fn writer(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn closing(&self) -> Closing {
        if self.leaves_files.load(Ordering::Relaxed) {
            Closing::AsItIs
        } else {
            Closing::WithWal
        }
    }
}

/// Refuses files that are not as they were left.
fn ensure_sound(database: &mut Database, threads: JobThreads) -> Result<(), FileLoss> {
    database.ensure_in_place()?;
    match threads {
        JobThreads::Readers => Ok(()),
        JobThreads::Writer => database.ensure_wal_is_whole(),
    }
}

/// The main function of a reading thread; `reading` shows the writer that it still runs.
fn read(mut database: Database, jobs: &Mutex<Receiver<Job>>, reading: Sender<Infallible>) {
    while let Some(job) = next(jobs) {
        job(&mut database);
    }
    database.close(Closing::AsItIs);
    drop(reading);
}

/// Takes the next job; the lock is given back before the job runs.
fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    let jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
    jobs.recv().ok()
}

/// The life of the writing thread, which closes its connection last.
///
/// SQLite empties its log into the file when the last connection is closed; of two that close at the same moment,
/// neither may notice that it is the last.
fn write(
    mut database: Database,
    jobs: &Receiver<Job>,
    readers_ended: &Receiver<Infallible>,
    ending: &Ending,
) {
    for job in jobs {
        job(&mut database);
    }
    let Err(_) = readers_ended.recv();
    database.close(ending.closing());
}
