//! The runtime for exposures.

use std::io;

use flag_store_embedded::{WriterPriority, run_at_idle_priority};
use tokio::runtime::{Builder, Runtime};

/// Creates the runtime that encodes and writes exposures, with one thread.
///
/// At idle priority exposures wait in the queue while requests use all processors.
pub fn exposure_runtime(priority: WriterPriority) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(1)
        .thread_name("exposures")
        .enable_all();
    if priority == WriterPriority::Idle {
        builder.on_thread_start(run_at_idle_priority);
    }
    builder.build()
}
