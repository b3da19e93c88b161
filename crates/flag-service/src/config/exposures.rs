//! The settings of the exposure log.

use flag_runtime::{
    CreatedBounds, DedupSettings, ExposureFormat, ExposureSettings, Overflow, Recording,
};
use flag_settings::{Reader, Setting, read_instance_id_mode, table};
use flag_store::CellFormat;

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[
    table::EXPOSURES,
    table::EXPOSURE_QUEUE,
    table::EXPOSURE_OVERFLOW,
    table::EXPOSURE_WAIT,
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
    let recording = reader.parse(&table::EXPOSURES, |text| match text {
        "on" => Some(Recording::On),
        "off" => Some(Recording::Off),
        _ => None,
    });
    let queue = reader.number(&table::EXPOSURE_QUEUE);
    let overflow = read_overflow(reader);
    let dedup = read_dedup(reader);
    let created_bounds = read_created_bounds(reader);
    let retention = reader.duration(&table::EXPOSURE_RETENTION);
    let format = read_format(reader);
    Some(ExposureSettings {
        recording: recording?,
        queue: queue?,
        overflow: overflow?,
        dedup: dedup?,
        created_bounds: created_bounds?,
        retention: retention?,
        format: format?,
    })
}

fn read_overflow(reader: &mut Reader) -> Option<Overflow> {
    let waits = reader.parse(&table::EXPOSURE_OVERFLOW, |text| match text {
        "drop" => Some(false),
        "wait" => Some(true),
        _ => None,
    });
    let max = reader.duration(&table::EXPOSURE_WAIT)?;
    Some(if waits? {
        Overflow::Wait(max)
    } else {
        Overflow::Drop
    })
}

fn read_dedup(reader: &mut Reader) -> Option<DedupSettings> {
    let window = reader.duration(&table::EXPOSURE_DEDUP);
    let entries = reader.number(&table::EXPOSURE_DEDUP_ENTRIES);
    Some(DedupSettings {
        window: window?,
        entries: entries?,
    })
}

fn read_created_bounds(reader: &mut Reader) -> Option<CreatedBounds> {
    let max_age = reader.duration(&table::EXPOSURE_MAX_AGE);
    let max_ahead = reader.duration(&table::EXPOSURE_MAX_AHEAD);
    Some(CreatedBounds {
        max_age: max_age?,
        max_ahead: max_ahead?,
    })
}

fn read_format(reader: &mut Reader) -> Option<ExposureFormat> {
    let booleans = reader.parse(&table::EXPOSURE_BOOLEANS, |text| match text {
        "json" => Some(CellFormat::Json),
        "python" => Some(CellFormat::Python),
        _ => None,
    });
    let id_mode = read_instance_id_mode(reader);
    Some(ExposureFormat {
        id_mode: id_mode?,
        booleans: booleans?,
    })
}
