//! What a client has of its own in each process. A fork copies memory but not threads, and locks as they were held: a child
//! that waited for its parent's thread, took a lock that another thread of its parent held, or spoke on its parent's
//! connections would never be answered.
//!
//! So the parts that a fork makes useless are made anew in the child, on the first call that needs more than memory. To
//! find that out takes a system call; answers from memory do without, and wait for no lock.

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
    /// The parts of the child that this process was copied into. Set without a lock, as a fork may come at any time.
    child: OnceBox<Process>,
}

impl Process {
    /// The parts for this process.
    pub(crate) fn new(shared: Shared) -> Self {
        Self::of_this(shared, Worker::default())
    }

    /// The parts as a fork leaves them in the child.
    #[cfg(test)]
    pub(crate) fn of_another(shared: Shared) -> Self {
        let mut parts = Self::new(shared);
        parts.id = 0;
        parts
    }

    /// The newest parts that there are: of this process, or of its parent while memory was enough. Costs next to nothing.
    pub(crate) fn newest(&self) -> &Self {
        let mut newest = self;
        while let Some(child) = newest.child.get() {
            newest = child;
        }
        newest
    }

    /// The parts for this process, made if a fork has left none.
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

/// A child keeps its parent's parts for ever: to end them is to take their locks, and to wake a thread that is not there.
impl Drop for Process {
    fn drop(&mut self) {
        if self.id != process::id() {
            mem::forget((Arc::clone(&self.shared), Arc::clone(&self.worker)));
        }
    }
}
