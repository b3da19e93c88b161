//! The callbacks of an application for changes of flags.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{mem, thread};

use tracing::error;

/// A callback.
pub(crate) type Callback = dyn Fn() + Send + Sync;

/// The callbacks, and which of them are due. They run one after the other; one that is due twice runs once, so a slow one
/// makes no queue.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    next: u64,
    by_number: BTreeMap<u64, Listener>,
    /// The number of the one that ran last.
    last: u64,
    is_running: bool,
}

#[derive(Clone)]
struct Listener {
    flag_name: Box<str>,
    callback: Arc<Callback>,
    is_due: bool,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.flag_name).finish()
    }
}

impl Listeners {
    /// A copy with a lock of its own, for a forked process; empty if this one is locked.
    pub(crate) fn of_child(&self) -> Self {
        let state = self.state.try_lock();
        let mut state = state.map(|state| state.clone()).unwrap_or_default();
        state.is_running = false;
        Self {
            state: Mutex::new(state),
        }
    }

    /// Adds a callback for a flag, and numbers it.
    pub(crate) fn add(&self, flag_name: &str, callback: Arc<Callback>) -> u64 {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let listener = Listener {
            flag_name: flag_name.into(),
            callback,
            is_due: false,
        };
        state.by_number.insert(number, listener);
        number
    }

    /// Removes a callback. It may still be running.
    pub(crate) fn remove(&self, number: u64) {
        let removed = self.state().by_number.remove(&number);
        // What it captured is dropped without the lock.
        drop(removed);
    }

    /// Runs the callbacks of these flags on a thread of their own.
    pub(crate) fn notify(self: &Arc<Self>, is_meant: impl Fn(&str) -> bool) {
        if !self.mark_due(is_meant) {
            return;
        }
        let listeners = Arc::clone(self);
        let thread = thread::Builder::new().name("flag-changes".to_owned());
        if let Err(problem) = thread.spawn(move || listeners.run_due()) {
            error!(%problem, "no thread for the callbacks for changes of flags");
            self.state().is_running = false;
        }
    }

    /// Marks the callbacks of these flags as due; whether somebody has to call [`Self::run_due`].
    pub(crate) fn mark_due(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        let mut state = self.state();
        let mut are_due = false;
        for listener in state.by_number.values_mut() {
            listener.is_due |= is_meant(&listener.flag_name);
            are_due |= listener.is_due;
        }
        are_due && !mem::replace(&mut state.is_running, are_due)
    }

    /// Runs the callbacks that are due, until none is. One that panics is logged, and runs again next time.
    pub(crate) fn run_due(&self) {
        while let Some((flag_name, callback)) = self.take_due() {
            if catch_unwind(AssertUnwindSafe(|| callback())).is_err() {
                error!(
                    flag = &*flag_name,
                    "a callback for changes of a flag panicked"
                );
            }
        }
    }

    /// Holds the lock.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Sized + '_ {
        self.state()
    }

    fn take_due(&self) -> Option<(Box<str>, Arc<Callback>)> {
        let mut state = self.state();
        let (later, earlier) = (state.last + 1.., ..=state.last);
        let mut in_turn = state
            .by_number
            .range(later)
            .chain(state.by_number.range(earlier));
        let due = in_turn.find(|(_, listener)| listener.is_due);
        let Some(number) = due.map(|(number, _)| *number) else {
            state.is_running = false;
            return None;
        };
        state.last = number;
        let due = state.by_number.get_mut(&number)?;
        due.is_due = false;
        Some((due.flag_name.clone(), Arc::clone(&due.callback)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Listeners with one of `f`, and how often it has run.
    fn counting() -> (Arc<Listeners>, Arc<AtomicU32>) {
        let (listeners, runs) = (Arc::new(Listeners::default()), Arc::new(AtomicU32::new(0)));
        listeners.add("f", counter(&runs));
        (listeners, runs)
    }

    fn counter(runs: &Arc<AtomicU32>) -> Arc<Callback> {
        let runs = Arc::clone(runs);
        Arc::new(move || {
            runs.fetch_add(1, Ordering::Relaxed);
        })
    }

    #[test]
    fn a_callback_runs_once_however_often_its_flag_changed_before() {
        let (listeners, runs) = counting();
        assert!(!listeners.mark_due(|name| name == "g"));
        assert!(listeners.mark_due(|name| name == "f"));
        assert!(!listeners.mark_due(|_| true), "it will run already");
        listeners.run_due();
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        listeners.run_due();
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert!(listeners.mark_due(|_| true));
    }

    #[test]
    fn a_callback_that_panics_keeps_no_other_from_running() {
        let (listeners, runs) = counting();
        listeners.add("f", Arc::new(|| panic!("for the test")));
        listeners.add("f", counter(&runs));
        assert!(listeners.mark_due(|_| true));
        listeners.run_due();
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn callbacks_take_turns() {
        let listeners = Arc::new(Listeners::default());
        let order = Arc::new(Mutex::new(String::new()));
        for name in ["a", "b"] {
            let (again, order) = (Arc::downgrade(&listeners), Arc::clone(&order));
            let callback = move || {
                let mut order = order.lock().unwrap();
                order.push_str(name);
                if order.len() < 4 {
                    again.upgrade().unwrap().mark_due(|_| true);
                }
            };
            listeners.add(name, Arc::new(callback));
        }
        listeners.mark_due(|name| name == "a");
        listeners.run_due();
        assert_eq!(*order.lock().unwrap(), "ababa");
    }

    #[test]
    fn a_removed_callback_does_not_run() {
        let (listeners, runs) = counting();
        listeners.mark_due(|_| true);
        listeners.remove(0);
        listeners.run_due();
        assert_eq!(runs.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_callback_may_remove_itself_and_add_others() {
        let (listeners, runs) = counting();
        let inner = Arc::clone(&listeners);
        let number = listeners.add(
            "g",
            Arc::new(move || {
                inner.remove(1);
                inner.add("h", Arc::new(|| ()));
                inner.mark_due(|name| name == "f");
            }),
        );
        assert_eq!(number, 1);
        listeners.mark_due(|name| name == "g");
        listeners.run_due();
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert_eq!(listeners.state().by_number.len(), 2);
    }
}
