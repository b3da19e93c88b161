//! The parts of a client that a forked child needs anew. A fork copies memory but no threads, and locks in the state they
//! are in: a child that waits for the thread of its parent, takes a lock that another thread of the parent held, or uses
//! connections of its parent would wait forever.
//!
//! So the child makes these parts anew, on the first call that the cache does not answer. To detect a fork takes a system
//! call; answers from the cache do without it, and wait for no lock.

use std::mem;
use std::process;
use std::sync::Arc;

use once_cell::race::OnceBox;

use crate::shared::Shared;
use crate::worker::Worker;

/// The parts of a client that belong to one process.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    pub(crate) shared: Arc<Shared>,
    pub(crate) worker: Arc<Worker>,
    /// The parts of a child of this process. Set without a lock, as a fork may happen at any time.
    child: OnceBox<Process>,
}

impl Process {
    /// The parts for this process.
    pub(crate) fn new(shared: Shared) -> Self {
        Self::of_this(shared, Worker::default())
    }

    /// The parts as a child sees those of its parent after a fork.
    #[cfg(test)]
    pub(crate) fn of_another(shared: Shared) -> Self {
        let mut parts = Self::new(shared);
        parts.id = 0;
        parts
    }

    /// The newest parts: of this process, or of its parent as long as the cache answers every call. No system call.
    pub(crate) fn newest(&self) -> &Self {
        let mut newest = self;
        while let Some(child) = newest.child.get() {
            newest = child;
        }
        newest
    }

    /// The parts of this process; makes them after a fork.
    pub(crate) fn here(&self) -> &Self {
        let newest = self.newest();
        if newest.id == process::id() {
            return newest;
        }
        newest.child.get_or_init(|| {
            let (shared, worker) = (newest.shared.of_child(), newest.worker.of_child());
            Box::new(Self::of_this(shared, worker))
        })
    }

    fn of_this(shared: Shared, worker: Worker) -> Self {
        Self {
            id: process::id(),
            shared: Arc::new(shared),
            worker: Arc::new(worker),
            child: OnceBox::new(),
        }
    }
}

/// A child leaks the parts of its parent: to drop them would take their locks and wake a thread that does not exist.
impl Drop for Process {
    fn drop(&mut self) {
        if self.id != process::id() {
            mem::forget((Arc::clone(&self.shared), Arc::clone(&self.worker)));
        }
    }
}
