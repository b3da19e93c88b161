//! The settings of the exposure log.

use std::time::Duration;

use flag_settings::{Reader, Setting, read_instance_names, table};

use crate::exposures::{ExposureSettings, Recording};

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[
    table::EXPOSURES,
    table::EXPOSURE_QUEUE,
    table::EXPOSURE_DEDUP,
    table::EXPOSURE_RETENTION,
    table::LOG_INSTANCE_ID,
    table::LOG_INSTANCE_ID_KEY,
    table::LOG_INSTANCE_ID_KEY_FILE,
];

/// Reads them.
pub(super) fn read(reader: &mut Reader) -> Option<ExposureSettings> {
    let recording = reader.parse(&table::EXPOSURES, "on or off", |text| match text {
        "on" => Some(Recording::On),
        "off" => Some(Recording::Off),
        _ => None,
    });
    let queue = reader.parse(
        &table::EXPOSURE_QUEUE,
        "a number in range [1, 10000000]",
        |text| {
            let entries = text.parse().ok();
            entries.filter(|entries| (1..=10_000_000).contains(entries))
        },
    );
    let dedup = reader.parse(
        &table::EXPOSURE_DEDUP,
        "seconds in range [0, 86400]",
        |text| {
            let seconds = text.parse().ok();
            let seconds = seconds.filter(|seconds| (0..=86_400).contains(seconds))?;
            Some(Duration::from_secs(seconds))
        },
    );
    let retention = reader.parse(
        &table::EXPOSURE_RETENTION,
        "days in range [0, 36500]",
        |text| {
            let days = text.parse::<u64>().ok();
            let days = days.filter(|days| (0..=36_500).contains(days))?;
            Some(Duration::from_hours(24 * days))
        },
    );
    let names = read_instance_names(reader);
    Some(ExposureSettings {
        recording: recording?,
        queue: queue?,
        dedup: dedup?,
        retention: retention?,
        names: names?,
    })
}
