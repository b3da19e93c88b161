//! Blocking a thread, which may belong to a runtime of the application, until a future is ready.

use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use tokio::task::unconstrained;

/// Polls a future on this thread until it is ready or the deadline has passed; sleeps in between.
///
/// Uses no runtime, so that it works on the threads of any, and not `std::thread::park`, which the application may use.
/// It is exempt from Tokio's cooperative budget: without that, a task that has used up its budget would never see the
/// future ready.
pub(crate) fn block_until<F: Future>(future: F, until: Instant) -> Option<F::Output> {
    let signal = Arc::new(WakeSignal::default());
    let waker = Waker::from(Arc::clone(&signal));
    let mut future = pin!(unconstrained(future));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        if !signal.sleep(until) {
            return None;
        }
    }
}

#[derive(Default)]
struct WakeSignal {
    is_woken: Mutex<bool>,
    changed: Condvar,
}

impl WakeSignal {
    /// Sleeps until it is woken; false if the time is over first.
    fn sleep(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let is_woken = self.is_woken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut is_woken, _) = self
            .changed
            .wait_timeout_while(is_woken, left, |is_woken| !*is_woken)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *is_woken)
    }
}

impl Wake for WakeSignal {
    fn wake(self: Arc<Self>) {
        *self.is_woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
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
        assert_eq!(block_until(ready(1), Instant::now()), Some(1));
    }

    #[test]
    fn another_thread_ends_the_wait() {
        let (sender, receiver) = oneshot::channel();
        let other = thread::spawn(move || sender.send(1));
        assert_eq!(block_until(receiver, Instant::now() + LONG), Some(Ok(1)));
        other.join().unwrap().unwrap();
    }

    #[test]
    fn time_ends_the_wait() {
        let until = Instant::now() + Duration::from_millis(1);
        assert_eq!(block_until(pending::<()>(), until), None);
        assert!(Instant::now() >= until);
    }
}
