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

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    /// The scheduling policy of the threads of a runtime, by the number that Linux gives it.
    fn policy(priority: WriterPriority) -> String {
        let runtime = exposure_runtime(priority).unwrap();
        let policy = runtime.spawn(async { own_policy() });
        runtime.block_on(policy).unwrap()
    }

    /// That of this thread.
    fn own_policy() -> String {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The name in parentheses is the second field, and the policy the 41st.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(38).unwrap().to_owned()
    }

    #[test]
    fn only_a_runtime_at_idle_priority_waits_for_other_threads() {
        assert_eq!(policy(WriterPriority::Normal), own_policy());
        assert_eq!(policy(WriterPriority::Idle), "5", "SCHED_IDLE");
    }
}
