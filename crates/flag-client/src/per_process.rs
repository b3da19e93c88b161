//! The parts of a client that a forked child needs anew. A fork copies memory but no threads, and locks in the state they
//! are in: a child that waits for the thread of its parent, takes a lock that another thread of the parent held, or uses
//! connections of its parent would wait forever.
//!
//! So the child makes these parts anew, on the first call that the cache does not answer, or a second after the last look.
//! To detect a fork takes a system call; most answers from the cache do without it, and wait for no lock.

use std::mem;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use once_cell::race::OnceBox;

use crate::atomic_instant::AtomicInstant;
use crate::client_state::ClientState;
use crate::worker::Worker;

/// How long the last check for a fork is trusted. For that time a child may answer from the cache that it has copied from its
/// parent, which no longer learns of changes.
const CHECK_TRUSTED_FOR: Duration = Duration::from_secs(1);

/// The parts of a client that belong to one process.
#[derive(Debug)]
pub(crate) struct PerProcess {
    id: u32,
    /// Until when the last check for a fork is trusted.
    checked_until: AtomicInstant,
    pub(crate) state: Arc<ClientState>,
    pub(crate) worker: Arc<Worker>,
    /// The parts of a child of this process. Set without a lock, as a fork may happen at any time.
    child: OnceBox<PerProcess>,
}

impl PerProcess {
    /// The parts for this process.
    pub(crate) fn new(state: ClientState) -> Self {
        Self::of_this(state, Worker::default())
    }

    /// The parts as a child sees those of its parent after a fork.
    #[cfg(test)]
    pub(crate) fn of_another(state: ClientState) -> Self {
        let mut parts = Self::new(state);
        parts.id = 0;
        parts
    }

    /// The newest parts that exist. In a forked child these are the parts of its parent until [`for_this_pid`](Self::for_this_pid)
    /// is called for the first time. Makes no system call.
    pub(crate) fn for_this_pid_or_parent(&self) -> &Self {
        let mut newest = self;
        while let Some(child) = newest.child.get() {
            newest = child;
        }
        newest
    }

    /// Whether the process id was checked a moment ago. Makes no system call.
    pub(crate) fn pid_was_checked(&self, now: Instant) -> bool {
        self.checked_until.is_after(now)
    }

    /// The parts of this process; makes them after a fork.
    pub(crate) fn for_this_pid(&self) -> &Self {
        let newest = self.for_this_pid_or_parent();
        if newest.id == process::id() {
            newest.checked_until.set(Instant::now() + CHECK_TRUSTED_FOR);
            return newest;
        }
        newest.child.get_or_init(|| {
            let (state, worker) = (newest.state.after_fork(), newest.worker.after_fork());
            Box::new(Self::of_this(state, worker))
        })
    }

    fn of_this(state: ClientState, worker: Worker) -> Self {
        Self {
            id: process::id(),
            checked_until: AtomicInstant::passed(),
            state: Arc::new(state),
            worker: Arc::new(worker),
            child: OnceBox::new(),
        }
    }
}

/// A child leaks the parts of its parent: to drop them would take their locks and wake a thread that does not exist.
impl Drop for PerProcess {
    fn drop(&mut self) {
        if self.id != process::id() {
            mem::forget((Arc::clone(&self.state), Arc::clone(&self.worker)));
        }
    }
}
