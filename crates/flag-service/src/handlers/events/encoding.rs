//! The bytes of an event stream.

use std::time::Duration;

use actix_web::web::Bytes;
use flag_api::{ChangedFlag, EventData};
use flag_runtime::Event;

/// How events and heartbeats are written.
#[derive(Clone, Copy, Debug)]
pub(in crate::handlers) struct Encoding {
    pub(in crate::handlers) event: fn(&Event) -> Bytes,
    /// What shows that the stream is alive.
    pub(in crate::handlers) heartbeat: &'static str,
}

/// A comment, which readers of the bytes notice.
pub(in crate::handlers) const COMMENT: &str = ": heartbeat\n\n";

/// For programs.
pub(super) const FOR_PROGRAMS: Encoding = Encoding {
    event,
    heartbeat: COMMENT,
};

/// For pages: a script learns of events only, not of comments.
pub(super) const FOR_PAGES: Encoding = Encoding {
    event,
    heartbeat: "event: beat\ndata: 1\n\n",
};

/// The beginning of a stream: how long to wait before connecting again, and a heartbeat.
pub(super) fn beginning(retry: Duration, heartbeat: &str) -> Bytes {
    format!("retry: {}\n\n{heartbeat}", retry.as_millis()).into()
}

/// Encodes an event; once for all streams that send it.
fn event(event: &Event) -> Bytes {
    Bytes::from_owner(event.encoded(encode))
}

fn encode(event: &Event) -> Vec<u8> {
    let flags = event.flags.iter().map(|(flag, time)| ChangedFlag {
        flag_type: flag.flag_type.as_str().into(),
        flag_name: flag.name.as_str().into(),
        revision_time: time.to_string().into(),
    });
    let flags = flags.collect();
    // JSON has no line breaks.
    let data = serde_json::to_string(&EventData { flags }).unwrap_or_default();
    format!("id: {}\ndata: {data}\n\n", event.digest).into()
}
