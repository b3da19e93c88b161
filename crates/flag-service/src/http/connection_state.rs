//! State that a connection shares with its request.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use actix_web::HttpRequest;

/// The phase of the request of a connection; there is one request at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No complete head has arrived.
    #[default]
    Waiting,
    /// It is being answered.
    Answering,
    /// actix-http has the whole answer; the caller may not have received it yet.
    Answered,
}

/// The state of a connection, shared with its request.
#[derive(Debug, Default)]
pub(crate) struct ConnectionState {
    pub(crate) phase: Cell<Phase>,
    /// Whether a part of the next request has arrived.
    pub(crate) is_arriving: Cell<bool>,
    /// Whether all of the request has been passed on.
    pub(crate) is_whole: Cell<bool>,
    /// Whether the connection must be closed after its answer: actix-http would keep a large buffer for it, or it was a
    /// stream.
    pub(crate) closes_after_answer: Cell<bool>,
    /// Whether the answer is a stream, which does not count as a connection.
    pub(crate) is_stream: Cell<bool>,
    /// Whether the connection was cut because its caller did not read.
    pub(crate) is_cut: Cell<bool>,
    /// The streams of all connections of the worker.
    streams: Rc<Cell<usize>>,
    /// Whether the handler wants to read the body.
    pub(crate) wants_body: Cell<bool>,
    /// Bytes of the answer that actix-http has not taken yet.
    pub(crate) unsent: Cell<usize>,
    /// Counts answers.
    pub(crate) answers: Cell<u32>,
    /// The number of answers at the last check of whether the connection is used.
    pub(crate) seen: Cell<u32>,
    /// Whether the connection is beyond the limit.
    pub(crate) is_over_limit: Cell<bool>,
    is_to_close: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

impl ConnectionState {
    /// Starts without a request, in a worker with this many streams.
    pub(crate) fn of_worker(streams: &Rc<Cell<usize>>) -> Self {
        Self {
            streams: Rc::clone(streams),
            ..Self::default()
        }
    }

    /// Whether no request is unanswered; a part of the next one may have arrived.
    pub(crate) fn awaits_request(&self) -> bool {
        self.phase.get() == Phase::Waiting
    }

    /// Whether the connection can be closed at once: it has no request, not even a part of one.
    pub(crate) fn can_close(&self) -> bool {
        self.awaits_request() && !self.is_arriving.get()
    }

    /// Notes that the answer is a stream: the connection is closed after it, also if the caller closes only its side.
    pub(crate) fn begin_stream(&self) {
        self.closes_after_answer.set(true);
        if !self.is_stream.replace(true) {
            self.streams.set(self.streams.get() + 1);
        }
    }

    /// Notes that the connection is closed.
    pub(crate) fn leave(&self) {
        if self.is_stream.get() {
            self.streams.set(self.streams.get().saturating_sub(1));
        }
    }

    /// Closes the connection as soon as it has no request.
    pub(crate) fn close(&self) {
        self.is_to_close.set(true);
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Whether the connection must be closed even if data is unread, unless it is being answered: it is beyond the limit, and
    /// a newer one replaces it.
    pub(crate) fn is_to_drop(&self) -> bool {
        self.is_over_limit.get() && self.is_to_close()
    }

    /// Whether the connection must be closed.
    pub(crate) fn is_to_close(&self) -> bool {
        self.is_to_close.get()
    }

    /// Whether this answer must be the last one.
    pub(crate) fn is_last_answer(&self) -> bool {
        self.is_over_limit.get() || self.closes_after_answer.get() || !self.is_whole.get()
    }

    /// Sets the task that [`ConnectionState::close`] wakes.
    pub(crate) fn set_waker(&self, task: &Waker) {
        let mut waker = self.task.borrow_mut();
        if waker.as_ref().is_none_or(|waker| !waker.will_wake(task)) {
            *waker = Some(task.clone());
        }
    }
}

/// Returns the connection of a request; requests of tests have none.
fn connection(request: &HttpRequest) -> Option<&Rc<ConnectionState>> {
    request.conn_data::<Rc<ConnectionState>>()
}

/// Notes that the body is about to be read, so that a sender that waits for `100 Continue` gets it.
pub(crate) fn expect_body(request: &HttpRequest) {
    if let Some(state) = connection(request) {
        state.wants_body.set(true);
    }
}

/// Notes that the answer of a request is a stream; returns its connection.
pub(crate) fn begin_stream(request: &HttpRequest) -> Option<Rc<ConnectionState>> {
    let state = connection(request)?;
    state.begin_stream();
    Some(Rc::clone(state))
}

/// Whether a request came on a connection beyond the limit.
pub(crate) fn is_over_limit(request: &HttpRequest) -> bool {
    connection(request).is_some_and(|state| state.is_over_limit.get())
}
