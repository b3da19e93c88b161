//! Threads that run only while no other wants the processor.

/// The priority of the threads that encode and write exposures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterPriority {
    /// As that of any thread.
    Normal,
    /// It runs only while no other thread wants the processor.
    Idle,
}

/// Lets this thread run only while no other thread wants the processor; for work in the background
/// that holds no lock for long.
///
/// On Linux this is the policy `SCHED_IDLE`: any other thread preempts it at once, and on a busy processor it gets a few
/// thousandths of the time. Does nothing on other systems, or where it is not permitted.
pub fn run_at_idle_priority() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
            set_thread_priority_and_policy, thread_native_id,
        };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::thread;

    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy,
    };

    use super::*;

    #[test]
    fn this_thread_runs_at_idle_priority_and_no_other() {
        let before = thread_schedule_policy().unwrap();
        let policy = thread::spawn(|| {
            run_at_idle_priority();
            thread_schedule_policy().unwrap()
        });
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        assert_eq!(policy.join().unwrap(), idle);
        assert_eq!(thread_schedule_policy().unwrap(), before);
    }
}
