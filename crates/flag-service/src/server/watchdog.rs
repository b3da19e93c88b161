//! Ends the process before Kubernetes kills it, even if everything else hangs.

use std::process::{abort, exit};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tracing::error;

use super::stop;
use crate::telemetry::LogWriter;

/// How long after the signal the process is ended.
const PROCESS_WITHIN: Duration = Duration::from_millis(9_700);

/// How long its last log line may take.
const LAST_LINE: Duration = Duration::from_millis(100);

/// How long an orderly exit may take.
const EXIT_WITHIN: Duration = Duration::from_millis(100);

/// Waits for the signals to stop, on a thread of its own.
pub(crate) fn start(log: LogWriter) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _runtime = runtime.enter();
        stop::signals()?
    };
    let watch = move || {
        runtime.block_on(signals);
        thread::sleep(PROCESS_WITHIN);
        // An orderly exit may hang too.
        let _ = spawn("last", || {
            thread::sleep(LAST_LINE + EXIT_WITHIN);
            abort();
        });
        error!("stopped while something hung");
        log.flush(LAST_LINE);
        exit(1);
    };
    spawn("watchdog", watch)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop)
}
