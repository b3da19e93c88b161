//! The settings of bodies and shutdown.

use std::time::Duration;

use flag_settings::{Reader, Setting, table};

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[table::MAX_BODY, table::DRAIN_DELAY];

/// Settings of bodies and shutdown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpSettings {
    /// The largest body, in bytes.
    pub(crate) max_body: usize,
    /// How long the service serves after the signal to stop, without being ready.
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
