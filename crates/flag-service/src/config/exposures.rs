//! The settings of the exposure log.

use std::path::Path;
use std::time::Duration;

use flag_settings::{Reader, Setting, table};

use crate::exposures::{ExposureSettings, InstanceNames, Recording};

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
    let names = read_names(reader);
    Some(ExposureSettings {
        recording: recording?,
        queue: queue?,
        dedup: dedup?,
        retention: retention?,
        names: names?,
    })
}

fn read_names(reader: &mut Reader) -> Option<InstanceNames> {
    let is_hashed = reader.parse(
        &table::LOG_INSTANCE_ID,
        "plain or hashed",
        |text| match text {
            "plain" => Some(false),
            "hashed" => Some(true),
            _ => None,
        },
    )?;
    if !is_hashed {
        return Some(InstanceNames::Plain);
    }
    let key = reader.secret(&table::LOG_INSTANCE_ID_KEY);
    let file = reader.path(&table::LOG_INSTANCE_ID_KEY_FILE);
    let (key, file) = key.zip(file)?;
    let names = read_key(key, &file).and_then(|key| {
        InstanceNames::hashed(&key).ok_or_else(|| "the key has less than 16 bytes".to_owned())
    });
    // A mistake in a key never shows the key.
    names
        .map_err(|mistake| reader.mistake(&format!("log-instance-id is hashed, but {mistake}")))
        .ok()
}

/// The key itself, or what the file says.
fn read_key(key: String, file: &Path) -> Result<Vec<u8>, String> {
    match (key.is_empty(), file.as_os_str().is_empty()) {
        (false, true) => Ok(key.into_bytes()),
        (true, false) => {
            let mut key =
                std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            while key.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
                key.pop();
            }
            Ok(key)
        }
        (true, true) => {
            Err("neither log-instance-id-key nor log-instance-id-key-file is set".to_owned())
        }
        (false, false) => {
            Err("log-instance-id-key and log-instance-id-key-file are both set".to_owned())
        }
    }
}
