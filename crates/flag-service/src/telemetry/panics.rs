//! Logs panics.

use std::panic::{PanicHookInfo, set_hook};

use tracing::error;

/// From now on a panic is logged like any other event.
pub(super) fn log() {
    set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        error!(place = location, problem = problem(panic), "panicked");
    }));
}

/// Returns the message if it is a literal of the code: any other could contain what a caller sent.
fn problem<'a>(panic: &'a PanicHookInfo<'_>) -> Option<&'a str> {
    panic.payload().downcast_ref::<&'static str>().copied()
}
