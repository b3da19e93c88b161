//! What a connection and its request know of each other.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use actix_web::HttpRequest;

/// How far the request of a connection is; there is one at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// None is here, or not all of its head.
    #[default]
    Waiting,
    /// It is being answered.
    Answering,
    /// The server beneath has all of its answer, the caller perhaps not yet.
    Answered,
}

/// What is going on with a connection; the request that it has knows it too.
#[derive(Debug, Default)]
pub(super) struct ConnectionState {
    pub(super) phase: Cell<Phase>,
    /// Whether a part of the next request is here.
    pub(super) is_arriving: Cell<bool>,
    /// Whether all of the request has been passed on.
    pub(super) is_whole: Cell<bool>,
    /// Whether the server beneath would go on holding much for it while it is idle.
    pub(super) is_large: Cell<bool>,
    /// Whether somebody wants to read the body of the request.
    pub(super) wants_body: Cell<bool>,
    /// Bytes of the answer that the server beneath has not taken yet.
    pub(super) unsent: Cell<usize>,
    /// Counts answers.
    pub(super) answers: Cell<u32>,
    /// How many answers there were when it was last looked at whether the connection is used.
    pub(super) seen: Cell<u32>,
    /// Whether the connection is one beyond the limit.
    pub(super) is_extra: Cell<bool>,
    is_to_close: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

impl ConnectionState {
    /// Whether nothing has been asked that is not answered.
    pub(super) fn is_idle(&self) -> bool {
        self.phase.get() == Phase::Waiting
    }

    /// Whether the connection can be closed at once: it has no request, nor a part of one.
    pub(super) fn can_close(&self) -> bool {
        self.is_idle() && !self.is_arriving.get()
    }

    /// Closes the connection as soon as it has no request.
    pub(super) fn close(&self) {
        self.is_to_close.set(true);
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Whether the connection is to be closed whatever is still to be read on it, unless it is being answered: a newer one
    /// wants the place that it has beyond the limit.
    pub(super) fn is_to_drop(&self) -> bool {
        self.is_extra.get() && self.is_to_close()
    }

    /// Whether the connection is to be closed.
    pub(super) fn is_to_close(&self) -> bool {
        self.is_to_close.get()
    }

    /// Whether this answer is to be the last one.
    pub(super) fn is_last_answer(&self) -> bool {
        self.is_extra.get() || self.is_large.get() || !self.is_whole.get()
    }

    /// Remembers whom [`ConnectionState::close`] wakes.
    pub(super) fn remember(&self, task: &Waker) {
        let mut known = self.task.borrow_mut();
        if known.as_ref().is_none_or(|known| !known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }
}

/// The connection of a request; requests of tests have none.
fn connection(request: &HttpRequest) -> Option<&Rc<ConnectionState>> {
    request.conn_data::<Rc<ConnectionState>>()
}

/// Says that the body of a request will be read now: a sender that waits to be told so is told.
pub(crate) fn expect_body(request: &HttpRequest) {
    if let Some(state) = connection(request) {
        state.wants_body.set(true);
    }
}

/// Whether a request came on a connection beyond the limit.
pub(super) fn is_extra(request: &HttpRequest) -> bool {
    connection(request).is_some_and(|state| state.is_extra.get())
}
