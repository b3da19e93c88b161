//! Threads that run only while no other wants the processor.

/// Has this thread run only while no other wants the processor; for threads that write exposures, which
/// as a rule nobody waits for.
///
/// On Linux that is the policy `SCHED_IDLE`: a thread that wakes up takes the processor at once, and a processor that others fill
/// is left with a few thousandths for it. Elsewhere nothing happens, nor where it is forbidden.
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
