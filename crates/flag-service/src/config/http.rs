//! The settings of bodies and of the end.

use std::time::Duration;

use flag_settings::{Reader, Setting, table};

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[table::MAX_BODY, table::DRAIN_DELAY];

/// How requests are read, and how the service ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpSettings {
    /// The largest body, in bytes.
    pub(crate) max_body: usize,
    /// How long the service goes on after the signal to stop, not ready any more.
    pub(crate) drain_delay: Duration,
}

/// Reads them.
pub(super) fn read(reader: &mut Reader) -> Option<HttpSettings> {
    let max_body: Option<usize> = reader.number(&table::MAX_BODY);
    let drain_delay = reader.duration(&table::DRAIN_DELAY);
    Some(HttpSettings {
        max_body: max_body? * 1024,
        drain_delay: drain_delay?,
    })
}
