//! The threads of one file: one that writes, and a few that read, each with a connection of its own.
//!
//! SQLite blocks, so nothing of it runs on an async thread. Reads never wait behind a write.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use flag_store::step_back;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::database::Database;
use crate::failure::Failure;
use crate::schema::Contents;

type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// Runs jobs on threads of its own. Dropping it ends them, after the jobs that are running, without waiting.
#[derive(Debug)]
pub(crate) struct Workers {
    to_readers: Sender<Job>,
    to_writer: Sender<Job>,
    ended: oneshot::Receiver<Infallible>,
}

impl Workers {
    /// Starts a thread per connection.
    pub(crate) fn start(
        contents: Contents,
        writer: Database,
        readers: Vec<Database>,
    ) -> io::Result<Self> {
        let name = contents.name();
        let (to_readers, for_readers) = mpsc::channel();
        let (to_writer, for_writer) = mpsc::channel();
        let (reading, readers_ended) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let for_readers = Arc::new(Mutex::new(for_readers));
        for reader in readers {
            let (jobs, reading) = (Arc::clone(&for_readers), reading.clone());
            thread::Builder::new()
                .name(format!("{name}-read"))
                .spawn(move || read(reader, &jobs, reading))?;
        }
        thread::Builder::new()
            .name(format!("{name}-write"))
            .spawn(move || {
                if contents.waits_for_others() {
                    step_back();
                }
                write(writer, &for_writer, &readers_ended, end);
            })?;
        Ok(Self {
            to_readers,
            to_writer,
            ended,
        })
    }

    /// Runs a job that only reads. It can ask whether anybody still waits for its result.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Database, &dyn Fn() -> bool) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let work =
            |database: &mut Database, is_wanted: &dyn Fn() -> bool| work(database, is_wanted);
        ask(&self.to_readers, limit, work).await
    }

    /// Runs a job that writes.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        ask(&self.to_writer, limit, |database, _| work(database)).await
    }

    /// Ends the threads, and waits until the last connection is closed.
    pub(crate) async fn end(self) {
        let Self {
            to_readers,
            to_writer,
            ended,
        } = self;
        drop((to_readers, to_writer));
        let Err(_) = ended.await;
    }
}

/// Queues a job and waits for its result, for at most `limit` in all.
///
/// A job whose caller has gone before its turn is skipped, be it a read or a write.
async fn ask<T: Send + 'static>(
    queue: &Sender<Job>,
    limit: Duration,
    work: impl FnOnce(&mut Database, &dyn Fn() -> bool) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let deadline = Instant::now().checked_add(limit);
    let (reply, answer) = oneshot::channel();
    let job = move |database: &mut Database| {
        if reply.is_closed() {
            return;
        }
        database.patience().last_until(deadline);
        let result = work(database, &|| !reply.is_closed());
        let result = match result {
            Err(failure) if failure.is_busy() && database.patience().is_over() => {
                Err(Failure::TimedOut { after: limit })
            }
            result => result,
        };
        // Whoever asked may have gone in the meantime.
        let _ = reply.send(result);
    };
    queue.send(Box::new(job)).map_err(|_| Failure::Ended)?;
    match timeout(limit, answer).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Failure::Ended),
        Err(_) => Err(Failure::TimedOut { after: limit }),
    }
}

/// The life of a reading thread; `reading` tells the writer that it goes on.
fn read(mut database: Database, jobs: &Mutex<Receiver<Job>>, reading: Sender<Infallible>) {
    while let Some(job) = next(jobs) {
        job(&mut database);
    }
    drop(database);
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
    end: oneshot::Sender<Infallible>,
) {
    for job in jobs {
        job(&mut database);
    }
    let Err(_) = readers_ended.recv();
    drop(database);
    drop(end);
}
