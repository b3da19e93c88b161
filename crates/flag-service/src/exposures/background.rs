//! A thread for exposures, which runs only while no request needs the processor.

use std::io;

use flag_store_embedded::run_at_idle_priority;
use tokio::runtime::{Builder, Runtime};

/// A runtime for exposures: they are made into rows and written on it.
///
/// Where all processors are busy with requests, exposures wait in the queue, and are dropped and counted when that is
/// full: no answer waits for the exposure of its decision.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("exposures")
        .on_thread_start(run_at_idle_priority)
        .enable_all()
        .build()
}
