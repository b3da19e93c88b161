//! The callbacks of an application for changes of flags.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;

use tracing::error;

/// A callback.
pub(crate) type Callback = dyn Fn() + Send + Sync;

type ByNumber = BTreeMap<u64, Arc<Listener>>;

/// The callbacks, and which of them are due. They run one after the other; one that is due twice runs once, so a slow one
/// makes no queue.
///
/// To run them takes the lock for reading only: a process may be forked at any time, and copies them then.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    by_number: RwLock<ByNumber>,
    next: AtomicU64,
    /// The number of the one that ran last.
    last: AtomicU64,
    is_running: AtomicBool,
}

struct Listener {
    flag_name: Box<str>,
    callback: Arc<Callback>,
    is_due: AtomicBool,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.flag_name).finish()
    }
}

impl Listener {
    fn new(flag_name: &str, callback: Arc<Callback>) -> Arc<Self> {
        Arc::new(Self {
            flag_name: flag_name.into(),
            callback,
            is_due: AtomicBool::new(false),
        })
    }
}

impl Listeners {
    /// A copy with a lock of its own, for a forked process; empty if one was added or removed at the fork.
    pub(crate) fn after_fork(&self) -> Self {
        let copy = |(number, listener): (&u64, &Arc<Listener>)| {
            let callback = Arc::clone(&listener.callback);
            (*number, Listener::new(&listener.flag_name, callback))
        };
        let by_number = self.by_number.try_read();
        let by_number = by_number.map(|by_number| by_number.iter().map(copy).collect());
        Self {
            by_number: RwLock::new(by_number.unwrap_or_default()),
            next: AtomicU64::new(self.next.load(Ordering::Relaxed)),
            ..Self::default()
        }
    }

    /// Adds a callback for a flag, and numbers it.
    pub(crate) fn add(&self, flag_name: &str, callback: Arc<Callback>) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let listener = Listener::new(flag_name, callback);
        self.write().insert(number, listener);
        number
    }

    /// Removes a callback. It may still be running.
    pub(crate) fn remove(&self, number: u64) {
        let removed = self.write().remove(&number);
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
            self.is_running.store(false, Ordering::SeqCst);
        }
    }

    /// Marks the callbacks of these flags as due; whether somebody has to call [`Self::run_due`].
    pub(crate) fn mark_due(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        for listener in self.read().values() {
            if is_meant(&listener.flag_name) {
                listener.is_due.store(true, Ordering::SeqCst);
            }
        }
        self.claim_run()
    }

    /// Runs the callbacks that are due, until none is. One that panics is logged, and runs again next time.
    pub(crate) fn run_due(&self) {
        loop {
            while let Some(listener) = self.take_due() {
                let run = AssertUnwindSafe(|| (listener.callback)());
                if catch_unwind(run).is_err() {
                    let flag = &*listener.flag_name;
                    error!(flag, "a callback for changes of a flag panicked");
                }
            }
            self.is_running.store(false, Ordering::SeqCst);
            // One may have become due just before.
            if !self.claim_run() {
                return;
            }
        }
    }

    /// Holds the lock.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Sized + '_ {
        self.write()
    }

    /// Claims the running of those that are due; returns whether the caller has to: one is due, and no other thread runs it.
    fn claim_run(&self) -> bool {
        let is_due = |listener: &Arc<Listener>| listener.is_due.load(Ordering::SeqCst);
        self.read().values().any(is_due) && !self.is_running.swap(true, Ordering::SeqCst)
    }

    fn take_due(&self) -> Option<Arc<Listener>> {
        let (by_number, last) = (self.read(), self.last.load(Ordering::Relaxed));
        let mut in_turn = by_number.range(last + 1..).chain(by_number.range(..=last));
        let is_taken =
            |(_, listener): &(&u64, &Arc<Listener>)| listener.is_due.swap(false, Ordering::SeqCst);
        let (number, listener) = in_turn.find(is_taken)?;
        self.last.store(*number, Ordering::Relaxed);
        Some(Arc::clone(listener))
    }

    fn read(&self) -> RwLockReadGuard<'_, ByNumber> {
        self.by_number
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, ByNumber> {
        self.by_number
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
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
        assert_eq!(listeners.read().len(), 2);
    }
}
