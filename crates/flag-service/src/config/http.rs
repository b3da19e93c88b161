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
    let max_body = reader.parse(&table::MAX_BODY, "KiB in range [1, 65536]", |text| {
        let kib = text.parse::<usize>().ok();
        Some(kib.filter(|kib| (1..=65_536).contains(kib))? * 1024)
    });
    let drain_delay = reader.parse(
        &table::DRAIN_DELAY,
        "milliseconds in range [0, 4000]",
        |text| {
            let millis = text.parse().ok();
            let millis = millis.filter(|millis| (0..=4_000).contains(millis))?;
            Some(Duration::from_millis(millis))
        },
    );
    Some(HttpSettings {
        max_body: max_body?,
        drain_delay: drain_delay?,
    })
}
