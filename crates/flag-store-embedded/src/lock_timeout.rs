//! How long a connection waits for the lock of another process.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

/// The pause between two attempts at a lock.
///
/// Short, as SQLite's own growing pauses starve a waiting process while another one writes in a loop.
pub(crate) const PAUSE: Duration = Duration::from_micros(500);

/// When a connection stops waiting for a lock; shared with the busy handler inside it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LockTimeout {
    /// `None` waits for ever.
    until: Arc<Mutex<Option<Instant>>>,
}

impl LockTimeout {
    /// Installs it as the busy handler of a connection.
    pub(crate) fn install(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let lock_timeout = self.clone();
        connection.busy_handler(Some(move |_attempts| lock_timeout.pause()))
    }

    /// Sets the end of waiting; `None` waits for ever.
    pub(crate) fn set_end(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Whether the time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|until| until <= Instant::now())
    }

    /// Sleeps for a moment; returns whether to try again.
    pub(crate) fn pause(&self) -> bool {
        let go_on = !self.is_over();
        if go_on {
            thread::sleep(PAUSE);
        }
        go_on
    }
}
