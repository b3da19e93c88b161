//! A note that something is still going on, for a person who waits.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::pin::pin;
use std::time::Duration;

use super::terminal;

/// How long a person waits without a word, and how often the note is renewed.
const PATIENCE: Duration = Duration::from_secs(1);

/// Awaits the work; where that takes over a second, a note on the terminal says what is done, and goes when it ends.
pub(crate) async fn noted<T>(what: impl Display, work: impl Future<Output = T>) -> T {
    if !terminal::can_take_back() {
        return work.await;
    }
    let mut work = pin!(work);
    let mut seconds = 0;
    loop {
        if let Ok(done) = tokio::time::timeout(PATIENCE, work.as_mut()).await {
            if seconds > 0 {
                note("");
            }
            return done;
        }
        seconds += 1;
        note(&format!("{what} … {seconds} s"));
    }
}

/// Writes over the note that is there.
fn note(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\u{1b}[K{text}");
    let _ = stderr.flush();
}
