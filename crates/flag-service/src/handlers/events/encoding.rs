//! The bytes of an event stream.

use std::time::Duration;

use actix_web::web::Bytes;
use flag_api::{ChangedFlag, EventData};
use flag_runtime::Event;

/// A comment, which shows that the stream is alive.
pub(super) const HEARTBEAT: Bytes = Bytes::from_static(b": heartbeat\n\n");

/// Says how long to wait before connecting again.
pub(super) fn retry(after: Duration) -> Bytes {
    format!("retry: {}\n\n", after.as_millis()).into()
}

/// Encodes an event; once for all streams that send it.
pub(super) fn event(event: &Event) -> Bytes {
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
