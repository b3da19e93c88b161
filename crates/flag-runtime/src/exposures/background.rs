//! The runtime for exposures, whose thread runs at idle priority.

use std::io;

use flag_store_embedded::run_at_idle_priority;
use tokio::runtime::{Builder, Runtime};

/// Creates the runtime that encodes and writes exposures, with one thread at idle priority.
///
/// While requests use all processors, exposures wait in the queue; when it is full, they are dropped and counted. No
/// answer waits for its exposure.
pub fn exposure_runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("exposures")
        .on_thread_start(run_at_idle_priority)
        .enable_all()
        .build()
}
