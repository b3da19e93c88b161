//! The thread that asks: every client has one of its own, whatever runtime its callers have or haven't.
//!
//! So a connection belongs to no runtime of the application, may be used from all of them, and outlives each.

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

/// The thread, which starts when there is something to do and ends when this is dropped or closed, with all that is
/// under way.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    /// What the thread is sent to do, while there is one.
    jobs: Mutex<Option<UnboundedSender<Job>>>,
    /// Also of the workers of children, which may not look into a lock of their parent's.
    is_closed: Arc<AtomicBool>,
}

impl Worker {
    /// A worker for a forked process, whose thread has not started yet.
    pub(crate) fn of_child(&self) -> Self {
        Self {
            jobs: Mutex::default(),
            is_closed: Arc::clone(&self.is_closed),
        }
    }

    /// Hands the thread something to do. Doesn't wait.
    pub(crate) fn run(&self, job: Job) -> Result<(), Failure> {
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

    /// Ends the thread. Doesn't wait.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.jobs().take();
    }

    /// Locks it for as long as the guard lives.
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

/// Whether this thread is one that asks, so that whoever waits on it waits for ever.
pub(crate) fn is_this_thread() -> bool {
    IS_WORKER.get()
}

fn start() -> std::io::Result<UnboundedSender<Job>> {
    let asking = Asking::new()?;
    let (sender, jobs) = unbounded_channel();
    thread::Builder::new()
        .name("flag-client".to_owned())
        .spawn(move || {
            IS_WORKER.set(true);
            asking.run(serve(jobs));
        })?;
    Ok(sender)
}

/// The runtime of the thread. Its end waits for nobody, so it may come anywhere: if there is no thread to be had, it is
/// dropped where it was built, which may be inside somebody else's runtime.
struct Asking(Option<Runtime>);

impl Asking {
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

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Whoever resolves a host name cannot be stopped, and needn't be waited for.
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
        drop(Asking::new().unwrap());
    }
}
