//! Waiting on a thread that may belong to somebody's runtime.

use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use tokio::task::unconstrained;

/// Polls a future on this thread until it is ready or the time has come, asleep in between.
///
/// Knows of no runtime, so it cannot be refused by one. The thread's own parking is left to others. Nor does it matter how
/// many steps Tokio still grants the task that it may be called by: who has none left would never see the future ready.
pub(crate) fn wait<F: Future>(future: F, until: Instant) -> Option<F::Output> {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut future = pin!(unconstrained(future));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        if !bell.sleep(until) {
            return None;
        }
    }
}

#[derive(Default)]
struct Bell {
    has_rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Sleeps until the bell rings; tells whether it did.
    fn sleep(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let has_rung = self.has_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut has_rung, _) = self
            .changed
            .wait_timeout_while(has_rung, left, |has_rung| !*has_rung)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *has_rung)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.has_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use futures_util::future::{pending, ready};
    use tokio::sync::oneshot;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn what_is_ready_needs_no_time() {
        assert_eq!(wait(ready(1), Instant::now()), Some(1));
    }

    #[test]
    fn another_thread_ends_the_wait() {
        let (sender, receiver) = oneshot::channel();
        let other = thread::spawn(move || sender.send(1));
        assert_eq!(wait(receiver, Instant::now() + LONG), Some(Ok(1)));
        other.join().unwrap().unwrap();
    }

    #[test]
    fn time_ends_the_wait() {
        let until = Instant::now() + Duration::from_millis(1);
        assert_eq!(wait(pending::<()>(), until), None);
        assert!(Instant::now() >= until);
    }
}
