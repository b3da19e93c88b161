//! The settings of OFREP, and of pages of other origins.

use flag_model::ProjectName;
use flag_settings::{Reader, Setting, table};

use crate::http::{BulkExposures, ControlReason, Cors, OfrepSettings};

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[
    table::CORS_ORIGINS,
    table::DEFAULT_PROJECT,
    table::OFREP_MAX_FLAGS,
    table::OFREP_BULK_EXPOSURES,
    table::OFREP_STRICT_REASONS,
];

/// Reads those of OFREP.
pub(super) fn read(reader: &mut Reader) -> Option<OfrepSettings> {
    let default_project = reader.parse(&table::DEFAULT_PROJECT, |text| {
        optional(text, |name| ProjectName::new(name).ok())
    });
    let max_flags = reader.number(&table::OFREP_MAX_FLAGS);
    let bulk_exposures = reader.parse(&table::OFREP_BULK_EXPOSURES, |text| match text {
        "none" => Some(BulkExposures::None),
        "delivered" => Some(BulkExposures::Delivered),
        _ => None,
    });
    let control_reason = reader.parse(&table::OFREP_STRICT_REASONS, |text| match text {
        "true" => Some(ControlReason::Unknown),
        "false" => Some(ControlReason::Default),
        _ => None,
    });
    Some(OfrepSettings {
        default_project: default_project?,
        max_flags: max_flags?,
        bulk_exposures: bulk_exposures?,
        control_reason: control_reason?,
    })
}

/// Reads the other origins whose pages may send requests. The outer `None` is an error.
#[expect(clippy::option_option, reason = "an error, no origins, or origins")]
pub(super) fn read_origins(reader: &mut Reader) -> Option<Option<Cors>> {
    reader.parse(&table::CORS_ORIGINS, |text| optional(text, Cors::parse))
}

/// Reads a text that may be empty for none.
#[expect(clippy::option_option, reason = "an error, none, or a value")]
fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() {
        return Some(None);
    }
    parse(text).map(Some)
}
