//! What a thread logs, for tests.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::dispatcher::{DefaultGuard, set_default};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Collects what this thread logs, until it is dropped: level and message of each line.
pub(crate) struct LogLines {
    lines: Arc<Mutex<Vec<String>>>,
    _guard: DefaultGuard,
}

/// Collects level and message of the events of this crate.
#[derive(Default)]
struct Collector(Arc<Mutex<Vec<String>>>);

/// Takes the message of an event.
struct Message(String);

/// While there is one subscriber only, an event that a thread without it comes to first is off for all threads.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Collector::default()));

impl LogLines {
    /// Begins to collect.
    pub(crate) fn collect() -> Self {
        LazyLock::force(&SECOND);
        let lines = Arc::default();
        let collector = Dispatch::new(Collector(Arc::clone(&lines)));
        Self {
            lines,
            _guard: set_default(&collector),
        }
    }

    /// What was logged since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("flag_runtime") && *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(event.metadata().level().to_string());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{} {value:?}", self.0);
        }
    }
}
