//! How long a connection waits for the lock of another process.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

/// The pause between two attempts at a lock.
///
/// So short because SQLite's own growing pauses starve whoever waits while another process writes in a loop.
pub(crate) const PAUSE: Duration = Duration::from_micros(500);

/// When a connection stops waiting for a lock; shared with the busy handler inside it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience {
    /// `None` waits for ever.
    until: Arc<Mutex<Option<Instant>>>,
}

impl Patience {
    /// Makes a connection wait as this says.
    pub(crate) fn install(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let patience = self.clone();
        connection.busy_handler(Some(move |_attempts| patience.pause()))
    }

    /// Waits for locks until then; `None` for ever.
    pub(crate) fn last_until(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Whether the time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|until| until <= Instant::now())
    }

    /// Sleeps for a moment, and says whether to try once more.
    pub(crate) fn pause(&self) -> bool {
        let go_on = !self.is_over();
        if go_on {
            thread::sleep(PAUSE);
        }
        go_on
    }
}
