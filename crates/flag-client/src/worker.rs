//! The thread of a client, which sends its requests.
//!
//! So connections belong to no runtime of the application, can be used from any of them, and outlive each.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use futures_util::future::BoxFuture;
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::failure::Failure;

/// Work for the thread.
pub(crate) type Job = BoxFuture<'static, ()>;

/// The thread, which starts with the first job and ends when this is dropped or closed; jobs in flight are cancelled.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    /// Sends jobs to the thread, while there is one.
    jobs: Mutex<Option<UnboundedSender<Job>>>,
    /// Shared with the workers of forked children, which must not take a lock of their parent.
    is_closed: Arc<AtomicBool>,
}

impl Worker {
    /// A worker for a forked process, whose thread has not started yet.
    pub(crate) fn after_fork(&self) -> Self {
        Self {
            jobs: Mutex::default(),
            is_closed: Arc::clone(&self.is_closed),
        }
    }

    /// Sends a job to the thread. Does not wait.
    pub(crate) fn submit(&self, job: Job) -> Result<(), Failure> {
        let mut running = self.jobs();
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Failure::Closed);
        }
        let job = match &*running {
            None => job,
            Some(jobs) => match jobs.send(job) {
                Ok(()) => return Ok(()),
                Err(unsent) => unsent.0,
            },
        };
        let jobs = start().map_err(|error| {
            Failure::Unreachable(format!("cannot start a thread: {error}").into())
        })?;
        let _ = jobs.send(job);
        *running = Some(jobs);
        Ok(())
    }

    /// Ends the thread. Does not wait.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.jobs().take();
    }

    /// Holds the lock.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Drop + '_ {
        self.jobs()
    }

    fn jobs(&self) -> MutexGuard<'_, Option<UnboundedSender<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the thread of a client, on which a blocking call would wait forever.
pub(crate) fn is_client_thread() -> bool {
    IS_WORKER.get()
}

fn start() -> std::io::Result<UnboundedSender<Job>> {
    let worker = WorkerRuntime::new()?;
    let (sender, jobs) = unbounded_channel();
    thread::Builder::new()
        .name("flag-client".to_owned())
        .spawn(move || {
            IS_WORKER.set(true);
            worker.run(serve(jobs));
        })?;
    Ok(sender)
}

/// The runtime of the thread. To drop it waits for nothing, so that it may be dropped anywhere: if no thread can be
/// started, that is on the thread of a caller, which may belong to another runtime.
struct WorkerRuntime(Option<Runtime>);

impl WorkerRuntime {
    fn new() -> std::io::Result<Self> {
        let mut builder = runtime::Builder::new_current_thread();
        builder.enable_all().build().map(Some).map(Self)
    }

    fn run(&self, work: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(work);
        }
    }
}

impl Drop for WorkerRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // The resolution of a host name cannot be cancelled, and need not be waited for.
            runtime.shutdown_background();
        }
    }
}

async fn serve(mut jobs: UnboundedReceiver<Job>) {
    while let Some(job) = jobs.recv().await {
        tokio::spawn(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_found_no_thread_ends_inside_any_runtime() {
        drop(WorkerRuntime::new().unwrap());
    }
}
