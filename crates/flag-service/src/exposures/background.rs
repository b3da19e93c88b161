//! A thread for exposures, which steps back whenever requests need the processor.

use std::io;

use flag_store::step_back;
use tokio::runtime::{Builder, Runtime};

/// A runtime for exposures: they are made into rows and written on it.
///
/// Where all processors are busy with requests, exposures wait in the queue, and are dropped and counted when that is
/// full: no answer waits for the exposure of its decision.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("exposures")
        .on_thread_start(step_back)
        .enable_all()
        .build()
}
