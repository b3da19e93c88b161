//! What happens to an exposure when the queue is full.

use std::time::Duration;

use flag_store_embedded::WriterPriority;

/// What happens to an exposure when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It is dropped and counted; no answer waits.
    Drop,
    /// Its request waits for room, at most this long, and fails if there is none by then; no answer without its exposure.
    Wait(Duration),
}

impl Overflow {
    /// Returns the priority of the threads that write exposures: while requests wait for room, the writer must not wait
    /// for requests.
    pub fn writer_priority(self) -> WriterPriority {
        match self {
            Self::Drop => WriterPriority::Idle,
            Self::Wait(_) => WriterPriority::Normal,
        }
    }
}
