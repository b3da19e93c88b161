//! What is logged, for tests.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tracing::dispatcher::{DefaultGuard, Dispatch, set_default};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Collects what this thread logs.
pub(super) struct LogLines {
    messages: Arc<Mutex<Vec<String>>>,
    _collecting: DefaultGuard,
    /// With a single dispatcher in the process, a line that another thread logs first would be off for this one too.
    _second: Dispatch,
}

impl LogLines {
    /// Begins to collect, until it is dropped.
    pub(super) fn collect() -> Self {
        let second = Dispatch::new(Lines::default());
        let lines = Lines::default();
        Self {
            messages: Arc::clone(&lines.0),
            _collecting: set_default(&Dispatch::new(lines)),
            _second: second,
        }
    }

    /// The messages since the last call.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.messages.lock().unwrap())
    }
}

#[derive(Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

/// The message of an event, without its other fields.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            write!(self.0, "{value:?}").unwrap();
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        if !event.metadata().target().starts_with("flag_runtime") {
            return;
        }
        let mut message = Message::default();
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
