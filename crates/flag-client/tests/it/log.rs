//! What the log says of an outage. It hears all clients of its process, and keeps what is about its own.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flag_client::{Failure, FeatureFlagClient, Source};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::server::{Manner, Server, whole};

/// A project that no other test names.
const PROJECT: &str = "#not a project of the log's";

/// Keeps the messages of warnings and errors about this project or service, and asks for a flag with each, as a
/// subscriber may; keeps what it hears.
#[derive(Clone, Default)]
struct Log {
    service: String,
    messages: Arc<Mutex<Vec<String>>>,
    client: Arc<Mutex<Option<FeatureFlagClient>>>,
    heard: Arc<Mutex<Vec<Source>>>,
}

/// The message of an event, and the rest of its fields.
#[derive(Default)]
struct Message {
    text: String,
    about: String,
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let into = match field.name() {
            "message" => &mut self.text,
            _ => &mut self.about,
        };
        write!(into, "{value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        if !message.about.contains(&self.service) && !message.about.contains(PROJECT) {
            return;
        }
        self.messages.lock().unwrap().push(message.text);
        let client = self.client.lock().unwrap().clone();
        if let Some(client) = client {
            let more = client.get_flag_boolean_detail("log_more", "A12345", false);
            self.heard.lock().unwrap().push(more.source);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn source(client: &FeatureFlagClient) -> Source {
    client.get_flag_boolean_detail("f", "A12345", false).source
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_one_line_and_its_end_another() {
    let broken = whole("500 Internal Server Error", "", "");
    let server = Server::start(Manner::Bytes(broken));
    let log = Log {
        service: server.url(),
        ..Log::default()
    };
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let messages = || log.messages.lock().unwrap().clone();

    let nowhere = FeatureFlagClient::builder(PROJECT).build();
    assert!(nowhere.is_err() && messages().is_empty());
    FeatureFlagClient::new(PROJECT);
    assert_eq!(messages(), ["the flag client answers with defaults"]);
    log.messages.lock().unwrap().clear();

    let client = server
        .with_address(FeatureFlagClient::builder("p"))
        .cool_down(Duration::from_millis(1))
        .build()
        .unwrap();
    *log.client.lock().unwrap() = Some(client.clone());
    for _ in 0..1_000 {
        source(&client);
    }
    assert_eq!(
        messages(),
        ["circuit open: no requests to the flag service for a while"]
    );

    server.set(Manner::Value("true"));
    while !matches!(source(&client), Source::Cache(_)) {}
    assert_eq!(
        messages(),
        [
            "circuit open: no requests to the flag service for a while",
            "circuit closed: the flag service answers again"
        ]
    );
    // The thread of the client logs both: who asks there gets a default at once, whether or not the cool-down of a
    // millisecond is over by then.
    let heard = log.heard.lock().unwrap();
    let is_at_once = |source: &Source| {
        matches!(
            source,
            Source::Default(Failure::CoolingDown(_) | Failure::OwnThread)
        )
    };
    assert!(
        heard.len() == 2 && heard.iter().all(is_at_once),
        "{heard:?}"
    );
}
