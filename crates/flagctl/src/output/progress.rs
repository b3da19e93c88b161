//! A progress bar for a person who waits. It is unknown how long a store will take, so the bar moves and does not fill.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::pin::pin;
use std::time::Duration;

use super::escape::escaped;
use super::terminal;

/// How long the work may take before the bar is shown.
const DELAY: Duration = Duration::from_secs(1);

/// How often the bar moves after that.
const STEP: Duration = Duration::from_millis(200);

/// The longest description, in characters.
const SHOWN: usize = 50;

/// The number of positions of the bar.
const POSITIONS: usize = 16;

/// The moving part.
const BAR: &str = "====";

/// Awaits the work. If that takes over a second, a bar on the terminal describes it, and disappears when it ends.
pub(crate) async fn with_progress<T>(what: impl Display, work: impl Future<Output = T>) -> T {
    if !terminal::can_erase() {
        return work.await;
    }
    let mut work = pin!(work);
    let mut steps = 0;
    loop {
        let timeout = if steps == 0 { DELAY } else { STEP };
        if let Ok(done) = tokio::time::timeout(timeout, work.as_mut()).await {
            if steps > 0 {
                show("");
            }
            return done;
        }
        let waited = DELAY + STEP * steps;
        // It must fit one line of any terminal: only one line is erased.
        let what: String = escaped(&what.to_string()).chars().take(SHOWN).collect();
        show(&format!("{} {} s  {what}", bar(steps), waited.as_secs()));
        steps += 1;
    }
}

/// Like [`with_progress`], for work that writes to standard output: a terminal that shows the result shows no bar.
pub(crate) async fn with_progress_beside_output<T>(
    what: impl Display,
    work: impl Future<Output = T>,
) -> T {
    if io::stdout().is_terminal() {
        return work.await;
    }
    with_progress(what, work).await
}

/// The bar after a number of steps; it moves from side to side.
fn bar(steps: u32) -> String {
    let last = POSITIONS - BAR.len();
    let step = usize::try_from(steps).unwrap_or(0) % (2 * last);
    let before = if step > last { 2 * last - step } else { step };
    format!("[{:before$}{BAR}{:after$}]", "", "", after = last - before)
}

/// Replaces the line that was shown before.
fn show(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\u{1b}[K{text}");
    let _ = stderr.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_goes_to_and_fro() {
        assert_eq!(bar(0), "[====            ]");
        assert_eq!(bar(3), "[   ====         ]");
        assert_eq!(bar(12), "[            ====]");
        assert_eq!(bar(13), "[           ==== ]");
        assert_eq!(bar(24), bar(0));
    }
}
