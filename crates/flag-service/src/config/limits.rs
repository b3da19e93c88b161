//! The settings of limits.

use flag_settings::{Reader, Setting, table};

use crate::http::LimitSettings;

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[
    table::MAX_CONNECTIONS,
    table::KEEP_ALIVE,
    table::MAX_IN_FLIGHT,
    table::MAX_EVENT_STREAMS,
];

/// Reads them.
pub(super) fn read(reader: &mut Reader) -> Option<LimitSettings> {
    let connections = reader.number(&table::MAX_CONNECTIONS);
    let waiting = reader.number(&table::MAX_IN_FLIGHT);
    let streams = reader.number(&table::MAX_EVENT_STREAMS);
    let keep_alive = reader.duration(&table::KEEP_ALIVE);
    Some(LimitSettings {
        connections: connections?,
        keep_alive: keep_alive?,
        waiting: waiting?,
        streams: streams?,
    })
}
