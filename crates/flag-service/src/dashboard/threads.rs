//! The threads of the dashboard: one that gathers what pages show, and one that computes pages from it and gives way to
//! evaluations.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use flag_settings::run_at_idle_priority;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long the idle thread has for a computation before it is done elsewhere.
const PATIENCE: Duration = Duration::from_millis(100);

/// The most computations that the idle thread is given at a time, those that nobody waits for any more included.
const MAX: usize = 4;

/// The runtimes of the dashboard, of one thread each.
#[derive(Debug)]
pub(crate) struct PageRuntimes {
    normal: Runtime,
    idle: Runtime,
}

/// The threads of [`PageRuntimes`].
#[derive(Clone, Debug)]
pub(crate) struct PageThreads {
    normal: Handle,
    idle: Handle,
    idle_permits: Arc<Semaphore>,
}

impl PageRuntimes {
    pub(crate) fn start() -> io::Result<Self> {
        Ok(Self {
            normal: runtime("dashboard", || {})?,
            idle: runtime("dashboard-idle", run_at_idle_priority)?,
        })
    }

    pub(crate) fn threads(&self) -> PageThreads {
        PageThreads::of(self.normal.handle(), self.idle.handle())
    }

    /// Ends the threads; what they still do is dropped.
    pub(crate) fn shutdown(self) {
        self.normal.shutdown_background();
        self.idle.shutdown_background();
    }
}

impl PageThreads {
    fn of(normal: &Handle, idle: &Handle) -> Self {
        Self {
            normal: normal.clone(),
            idle: idle.clone(),
            idle_permits: Arc::new(Semaphore::new(MAX)),
        }
    }

    /// The thread with the priority of any other: for all that waits, or holds what others may wait for.
    pub(crate) fn normal(&self) -> &Handle {
        &self.normal
    }

    /// Computes something on the idle thread; on this one if the idle thread takes longer than [`PATIENCE`], because others want
    /// all processors. It must not take locks that an evaluation takes: a thread that gets no turn would keep them.
    pub(super) async fn compute<T: Send + 'static>(
        &self,
        work: impl Fn() -> T + Send + Sync + 'static,
    ) -> T {
        let Ok(permit) = Arc::clone(&self.idle_permits).try_acquire_owned() else {
            return work();
        };
        let work = Arc::new(work);
        let at_idle = Arc::clone(&work);
        let mut computing = self.idle.spawn(async move {
            let _permit = permit;
            at_idle()
        });
        if let Ok(Ok(result)) = timeout(PATIENCE, &mut computing).await {
            return result;
        }
        computing.abort();
        work()
    }

    /// All are the thread of the running test.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::of(&Handle::current(), &Handle::current())
    }
}

fn runtime(name: &str, start: fn()) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(name)
        .on_thread_start(start)
        .enable_time()
        .build()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn a_page_is_computed_elsewhere_if_the_idle_thread_gets_no_turn() {
        // At normal priority, as a busy machine must not fail the test.
        let [caller, idle] = ["caller", "idle"].map(|name| runtime(name, || {}).unwrap());
        let threads = PageThreads::of(caller.handle(), idle.handle());
        let name = || thread::current().name().unwrap_or_default().to_owned();
        let compute = || {
            let (threads, computing) = (threads.clone(), caller.handle());
            let computing = computing.spawn(async move { threads.compute(name).await });
            caller.block_on(computing).unwrap()
        };
        assert_eq!(compute(), "idle");
        let (release, blocked) = mpsc::channel::<()>();
        let blocking = idle.spawn(async move { blocked.recv() });
        for _ in 0..=MAX {
            assert_eq!(compute(), "caller");
        }
        drop(release);
        caller.block_on(blocking).unwrap().unwrap_err();
        // Those that were given up are taken away one after the other.
        caller.block_on(idle.spawn(async {})).unwrap();
        assert_eq!(compute(), "idle");
    }
}
