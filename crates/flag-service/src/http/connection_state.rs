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
    /// Whether actix-http would keep a large buffer for the idle connection.
    pub(crate) is_large: Cell<bool>,
    /// Whether the handler wants to read the body.
    pub(crate) wants_body: Cell<bool>,
    /// Bytes of the answer that actix-http has not taken yet.
    pub(crate) unsent: Cell<usize>,
    /// Counts answers.
    pub(crate) answers: Cell<u32>,
    /// The number of answers at the last check of whether the connection is used.
    pub(crate) seen: Cell<u32>,
    /// Whether the connection is beyond the limit.
    pub(crate) is_extra: Cell<bool>,
    is_to_close: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

impl ConnectionState {
    /// Whether no request is unanswered.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase.get() == Phase::Waiting
    }

    /// Whether the connection can be closed at once: it has no request, not even a part of one.
    pub(crate) fn can_close(&self) -> bool {
        self.is_idle() && !self.is_arriving.get()
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
        self.is_extra.get() && self.is_to_close()
    }

    /// Whether the connection must be closed.
    pub(crate) fn is_to_close(&self) -> bool {
        self.is_to_close.get()
    }

    /// Whether this answer must be the last one.
    pub(crate) fn is_last_answer(&self) -> bool {
        self.is_extra.get() || self.is_large.get() || !self.is_whole.get()
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

/// Whether a request came on a connection beyond the limit.
pub(crate) fn is_extra(request: &HttpRequest) -> bool {
    connection(request).is_some_and(|state| state.is_extra.get())
}
