//! The settings of the exposure log.

use std::time::Duration;

use flag_runtime::{CreatedBounds, DedupSettings, ExposureFormat, ExposureSettings, Recording};
use flag_settings::{Reader, Setting, read_instance_names, table};
use flag_store::Spelling;

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[
    table::EXPOSURES,
    table::EXPOSURE_QUEUE,
    table::EXPOSURE_DEDUP,
    table::EXPOSURE_DEDUP_ENTRIES,
    table::EXPOSURE_BOOLEANS,
    table::EXPOSURE_MAX_AGE,
    table::EXPOSURE_MAX_AHEAD,
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
    let queue = number(reader, &table::EXPOSURE_QUEUE, "a number", 1, 10_000_000);
    let dedup = read_dedup(reader);
    let created = read_created(reader);
    let retention = number::<u64>(reader, &table::EXPOSURE_RETENTION, "days", 0, 36_500);
    let format = read_format(reader);
    Some(ExposureSettings {
        recording: recording?,
        queue: queue?,
        dedup: dedup?,
        created: created?,
        retention: Duration::from_hours(24 * retention?),
        format: format?,
    })
}

/// A whole number in a range, and in a unit.
fn number<N: TryFrom<u64>>(
    reader: &mut Reader,
    setting: &Setting,
    unit: &str,
    least: u64,
    most: u64,
) -> Option<N> {
    let expected = format!("{unit} in range [{least}, {most}]");
    reader.parse(setting, &expected, |text| {
        let number = text.parse().ok();
        let number = number.filter(|number| (least..=most).contains(number))?;
        N::try_from(number).ok()
    })
}

fn read_dedup(reader: &mut Reader) -> Option<DedupSettings> {
    let seconds = number(reader, &table::EXPOSURE_DEDUP, "seconds", 0, 86_400);
    let entries = &table::EXPOSURE_DEDUP_ENTRIES;
    let entries = number(reader, entries, "a number", 1_000, 100_000_000);
    Some(DedupSettings {
        window: Duration::from_secs(seconds?),
        entries: entries?,
    })
}

fn read_created(reader: &mut Reader) -> Option<CreatedBounds> {
    let hours = number(reader, &table::EXPOSURE_MAX_AGE, "hours", 1, 87_600);
    let seconds = number(reader, &table::EXPOSURE_MAX_AHEAD, "seconds", 0, 86_400);
    Some(CreatedBounds {
        max_age: Duration::from_hours(hours?),
        max_ahead: Duration::from_secs(seconds?),
    })
}

fn read_format(reader: &mut Reader) -> Option<ExposureFormat> {
    let booleans = reader.parse(
        &table::EXPOSURE_BOOLEANS,
        "json or python",
        |text| match text {
            "json" => Some(Spelling::Json),
            "python" => Some(Spelling::Python),
            _ => None,
        },
    );
    let names = read_instance_names(reader);
    Some(ExposureFormat {
        names: names?,
        booleans: booleans?,
    })
}
