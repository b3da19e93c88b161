//! The settings of how much anybody may ask.

use flag_settings::{Reader, Setting, table};

use crate::limits::LimitSettings;

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[table::MAX_CONNECTIONS, table::MAX_IN_FLIGHT];

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
    Some(LimitSettings {
        connections: connections?,
        in_flight: in_flight?,
    })
}
