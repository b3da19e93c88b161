//! The settings of limits.

use std::time::Duration;

use flag_settings::{Reader, Setting, table};

use crate::http::LimitSettings;

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[
    table::MAX_CONNECTIONS,
    table::KEEP_ALIVE,
    table::MAX_IN_FLIGHT,
];

/// Reads them.
pub(super) fn read(reader: &mut Reader) -> Option<LimitSettings> {
    let mut number = |setting| {
        reader.parse(setting, "a number in range [1, 1000000]", |text| {
            text.parse()
                .ok()
                .filter(|number| (1..=1_000_000).contains(number))
        })
    };
    let connections = number(&table::MAX_CONNECTIONS);
    let in_flight = number(&table::MAX_IN_FLIGHT);
    let keep_alive = reader.parse(&table::KEEP_ALIVE, "seconds in range [1, 86400]", |text| {
        let seconds = text.parse().ok();
        let seconds = seconds.filter(|seconds| (1..=86_400).contains(seconds))?;
        Some(Duration::from_secs(seconds))
    });
    Some(LimitSettings {
        connections: connections?,
        keep_alive: keep_alive?,
        in_flight: in_flight?,
    })
}
