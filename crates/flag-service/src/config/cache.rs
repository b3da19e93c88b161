//! The settings of the flag cache.

use std::time::Duration;

use flag_settings::{Reader, Setting, table};

use crate::cache::CacheSettings;

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[
    table::STORE_DEADLINE,
    table::FLAG_CACHE_TTL,
    table::FLAG_CACHE_ENTRIES,
];

/// Reads them.
pub(super) fn read(reader: &mut Reader) -> Option<CacheSettings> {
    let lifetime = reader.parse(
        &table::FLAG_CACHE_TTL,
        "minutes in range [0, 10080]",
        |text| {
            let minutes = text
                .parse::<f64>()
                .ok()
                .filter(|minutes| (0.0..=10_080.0).contains(minutes))?;
            Some(Duration::from_secs_f64(minutes * 60.0))
        },
    );
    let entries = reader.parse(
        &table::FLAG_CACHE_ENTRIES,
        "a number in range [1, 10000000]",
        |text| {
            text.parse()
                .ok()
                .filter(|entries| (1..=10_000_000).contains(entries))
        },
    );
    let deadline = reader.parse(
        &table::STORE_DEADLINE,
        "milliseconds in range [1, 60000]",
        |text| {
            let millis = text
                .parse()
                .ok()
                .filter(|millis| (1..=60_000).contains(millis))?;
            Some(Duration::from_millis(millis))
        },
    );
    Some(CacheSettings {
        lifetime: lifetime?,
        entries: entries?,
        deadline: deadline?,
    })
}
