//! Threads for exposures, which step back whenever requests need the processor.

use std::io;

use rustix::process::setpriority_process;
use tokio::runtime::{Builder, Runtime};

/// How far they step back, as `nice` counts: where requests want all of a processor, exposures get some hundredths of it.
const NICE: i32 = 10;

/// A runtime for exposures: they are made into rows and written on it.
///
/// Where all processors are busy with requests, exposures wait in the queue, and are dropped and counted when that is
/// full: a request never waits for an exposure.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("exposures")
        .on_thread_start(step_back)
        .enable_all()
        .build()
}

/// Lowers the priority of this thread, which elsewhere than on Linux would be that of the process. Where that is
/// forbidden it stays as it is.
fn step_back() {
    if cfg!(target_os = "linux") {
        let _ = setpriority_process(None, NICE);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn its_threads_step_back_and_others_do_not() {
        let here = getpriority_process(None).unwrap();
        let runtime = runtime().unwrap();
        let there = runtime.spawn(async { getpriority_process(None).unwrap() });
        let there = runtime.block_on(there).unwrap();
        assert_eq!(there, here.max(NICE));
        assert_eq!(getpriority_process(None).unwrap(), here);
    }
}
