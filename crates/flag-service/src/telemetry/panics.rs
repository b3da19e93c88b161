//! Panics, as log lines.

use std::panic::{PanicHookInfo, set_hook};

use tracing::error;

/// From now on a panic is a log line like any other.
pub(super) fn log() {
    set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        error!(place, problem = problem(panic), "panicked");
    }));
}

/// What was said, if it stands so in the code: anything else could hold what a caller sent.
fn problem<'a>(panic: &'a PanicHookInfo<'_>) -> Option<&'a str> {
    panic.payload().downcast_ref::<&'static str>().copied()
}
