//! What the log says of an outage. Alone in its process, as it listens to all that is logged there.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flag_client::{Failure, FeatureFlagClient, Source};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Keeps the messages of warnings and errors, and asks for a flag with each, as a subscriber may; keeps what it hears.
#[derive(Clone, Default)]
struct Log {
    messages: Arc<Mutex<Vec<String>>>,
    client: Arc<Mutex<Option<FeatureFlagClient>>>,
    heard: Arc<Mutex<Vec<Source>>>,
}

struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            *self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = String::new();
        event.record(&mut Message(&mut message));
        self.messages.lock().unwrap().push(message);
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
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let messages = || log.messages.lock().unwrap().clone();

    let nowhere = FeatureFlagClient::builder("not a project").build();
    assert!(nowhere.is_err() && messages().is_empty());
    FeatureFlagClient::new("not a project");
    assert_eq!(messages(), ["the flag client answers with defaults"]);
    log.messages.lock().unwrap().clear();

    let server = MockServer::start().await;
    let broken = Mock::given(any()).respond_with(ResponseTemplate::new(500));
    let broken = broken.mount_as_scoped(&server).await;
    let client = FeatureFlagClient::builder("p")
        .base_url(server.uri())
        .cool_down(Duration::from_millis(1))
        .build()
        .unwrap();
    *log.client.lock().unwrap() = Some(client.clone());
    for _ in 0..1_000 {
        source(&client);
    }
    assert_eq!(messages(), ["the flag service is left alone for a while"]);

    drop(broken);
    let body = r#"{"request_id":"r","instance_id":"A12345","flag_type":"feature","flag_name":"f","flag_value":true,"rollout_group":"control"}"#;
    let mended = ResponseTemplate::new(200).set_body_raw(body, "application/json");
    Mock::given(any()).respond_with(mended).mount(&server).await;
    while !matches!(source(&client), Source::Cache(_)) {}
    assert_eq!(
        messages(),
        [
            "the flag service is left alone for a while",
            "the flag service answers again"
        ]
    );
    let heard = log.heard.lock().unwrap();
    assert!(
        matches!(
            heard[..],
            [
                Source::Default(Failure::LeftAlone(_)),
                Source::Default(Failure::OwnThread)
            ]
        ),
        "{heard:?}"
    );
}
