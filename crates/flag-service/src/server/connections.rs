//! The connections of one worker, and which one is closed when there are too many.
//!
//! A new connection replaces an idle one, if possible one without a request since the last check. If all have requests, a
//! few more are accepted and closed after one answer; only probes are answered on them (`http/admission.rs`).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::http::{ConnectionLimits, ConnectionMetrics, ConnectionState, HeldBytes};

/// Connections beyond the limit that each worker accepts.
pub(super) const MAX_OVER_LIMIT: usize = 8;

/// The most connections that are checked to find one to close.
const MAX_CHECKS: usize = 128;

/// The connections of one worker.
#[derive(Debug)]
pub(super) struct Connections {
    max: usize,
    open: Cell<usize>,
    /// How many of these are streams, which do not count towards `max`.
    streams: Rc<Cell<usize>>,
    /// In the order of checks; some of them may be closed already.
    queue: RefCell<Queue>,
    /// Those beyond the limit, the oldest first.
    over_limit: RefCell<Queue>,
    /// Connections beyond the limit in all workers.
    all_over_limit: Arc<AtomicUsize>,
    /// How long one stays open without a request.
    pub(super) keep_alive: Duration,
    pub(super) metrics: ConnectionMetrics,
    pub(super) held_bytes: HeldBytes,
}

type Queue = VecDeque<Weak<ConnectionState>>;

impl Connections {
    /// Starts without connections, for at most this many.
    pub(super) fn new(max: usize, limits: &ConnectionLimits) -> Self {
        Self {
            max,
            open: Cell::new(0),
            streams: Rc::default(),
            queue: RefCell::default(),
            over_limit: RefCell::default(),
            all_over_limit: Arc::clone(&limits.over_limit),
            keep_alive: limits.keep_alive,
            metrics: limits.metrics.clone(),
            held_bytes: limits.held_bytes.clone(),
        }
    }

    /// Returns the state of a new connection.
    pub(super) fn new_state(&self) -> ConnectionState {
        ConnectionState::of_worker(&self.streams)
    }

    /// Accepts a connection; another one may be closed for it.
    pub(super) fn enter(&self, state: &Rc<ConnectionState>) {
        self.metrics.open.inc();
        let open = self.open.get();
        if open.saturating_sub(self.streams.get()) >= self.max && !self.close_idle() {
            self.enter_over_limit(state);
            return;
        }
        self.open.set(open + 1);
        let mut queue = self.queue.borrow_mut();
        if queue.len() > 2 * open + MAX_CHECKS {
            queue.retain(|state| state.strong_count() > 0);
        }
        queue.push_back(Rc::downgrade(state));
    }

    /// Notes that a connection is closed.
    pub(super) fn leave(&self, state: &ConnectionState) {
        self.metrics.open.dec();
        state.leave();
        if state.is_over_limit.get() {
            self.all_over_limit.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.open.set(self.open.get().saturating_sub(1));
        }
    }

    fn enter_over_limit(&self, state: &Rc<ConnectionState>) {
        state.is_over_limit.set(true);
        self.all_over_limit.fetch_add(1, Ordering::Relaxed);
        let mut over_limit = self.over_limit.borrow_mut();
        over_limit.retain(|state| state.strong_count() > 0);
        if over_limit.len() >= MAX_OVER_LIMIT
            && let Some(oldest) = over_limit.pop_front().and_then(|oldest| oldest.upgrade())
        {
            oldest.close();
        }
        over_limit.push_back(Rc::downgrade(state));
    }

    /// Closes an idle connection; returns whether there was one.
    fn close_idle(&self) -> bool {
        let mut queue = self.queue.borrow_mut();
        let mut used: Option<(_, Rc<ConnectionState>)> = None;
        let mut checks = queue.len().min(MAX_CHECKS);
        while checks > 0 {
            let Some(next) = queue.pop_front() else { break };
            let Some(state) = next.upgrade() else {
                checks -= 1;
                continue;
            };
            // It never becomes idle again, so it leaves the queue for good, and costs no check.
            if state.is_stream.get() {
                continue;
            }
            checks -= 1;
            let answers = state.answers.get();
            let is_used = state.seen.replace(answers) != answers;
            if state.can_close() && !is_used {
                queue.extend(used.map(|(used, _)| used));
                return self.close(&state);
            }
            if state.can_close() && used.is_none() {
                used = Some((next, state));
            } else {
                queue.push_back(next);
            }
        }
        used.is_some_and(|(_, state)| self.close(&state))
    }

    fn close(&self, state: &ConnectionState) -> bool {
        state.close();
        self.metrics.idle_closed.inc();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Phase;

    fn connections(max: usize) -> Connections {
        Connections::new(max, &ConnectionLimits::for_tests())
    }

    fn enter(connections: &Connections) -> Rc<ConnectionState> {
        let state = Rc::new(connections.new_state());
        connections.enter(&state);
        state
    }

    fn ask(state: &ConnectionState) {
        state.answers.set(state.answers.get() + 1);
    }

    #[test]
    fn an_unused_connection_is_closed_first_and_then_the_one_idle_for_longest() {
        let connections = connections(3);
        let [used, silent, other] = [(); 3].map(|()| enter(&connections));
        ask(&used);
        ask(&other);
        let new = enter(&connections);
        assert!(silent.is_to_close() && !used.is_to_close() && !new.is_over_limit.get());
        connections.leave(&silent);
        ask(&new);
        let _newer = enter(&connections);
        let closed = [&used, &other, &new].map(|state| state.is_to_close());
        assert_eq!(closed.iter().filter(|closed| **closed).count(), 1);
        assert!(!new.is_to_close(), "it was used last");
    }

    #[test]
    fn a_connection_that_was_used_once_is_closed_in_the_end() {
        let connections = connections(2);
        let used = enter(&connections);
        ask(&used);
        let mut others = vec![enter(&connections)];
        for _ in 0..3 {
            others.push(enter(&connections));
            others.retain(|other| {
                if other.is_to_close() {
                    connections.leave(other);
                }
                !other.is_to_close()
            });
        }
        assert!(used.is_to_close());
    }

    #[test]
    fn while_all_are_busy_a_few_more_are_accepted_and_the_oldest_of_these_is_closed() {
        let connections = connections(1);
        let busy = enter(&connections);
        busy.phase.set(Phase::Answering);
        let over_limit: Vec<_> = (0..=MAX_OVER_LIMIT).map(|_| enter(&connections)).collect();
        assert!(over_limit.iter().all(|state| state.is_over_limit.get()));
        let closed = over_limit
            .iter()
            .filter(|state| state.is_to_close())
            .count();
        assert!(closed == 1 && over_limit.first().unwrap().is_to_close());
        assert!(!busy.is_to_close());
        assert_eq!(
            connections.all_over_limit.load(Ordering::Relaxed),
            MAX_OVER_LIMIT + 1
        );
        for state in &over_limit {
            connections.leave(state);
        }
        assert_eq!(connections.all_over_limit.load(Ordering::Relaxed), 0);
        connections.leave(&busy);
        assert!(!enter(&connections).is_over_limit.get());
    }

    #[test]
    fn streams_take_no_room_and_do_not_hide_idle_connections() {
        let connections = connections(1);
        let streams: Vec<_> = (0..2 * MAX_CHECKS)
            .map(|_| {
                let state = enter(&connections);
                state.phase.set(Phase::Answering);
                state.begin_stream();
                state
            })
            .collect();
        assert!(streams.iter().all(|state| !state.is_over_limit.get()));
        let idle = enter(&connections);
        let new = enter(&connections);
        assert!(idle.is_to_close() && !new.is_over_limit.get());
        connections.leave(&idle);
        for state in &streams {
            connections.leave(state);
        }
        new.phase.set(Phase::Answering);
        assert!(enter(&connections).is_over_limit.get(), "no stream is left");
    }

    #[test]
    fn closed_connections_are_forgotten() {
        let connections = connections(10);
        for _ in 0..10_000 {
            let state = enter(&connections);
            connections.leave(&state);
        }
        assert!(connections.queue.borrow().len() <= MAX_CHECKS + 1);
    }
}
