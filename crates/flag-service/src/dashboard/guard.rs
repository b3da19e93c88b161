//! How much of a store the dashboard may use.

use std::time::Duration;

use flag_runtime::GuardSettings;
use flag_settings::StoreSettings;

/// How long a read of the store may take.
const READ_DEADLINE: Duration = Duration::from_millis(1_500);

/// Settings of the guard of the dashboard's readers: of the two readers of an embedded store it uses one.
pub(crate) fn guard_settings(store: &StoreSettings) -> GuardSettings {
    let concurrent_reads = match store {
        StoreSettings::Embedded(_) => 1,
        StoreSettings::Bigtable(_) => 4,
    };
    GuardSettings {
        concurrent_reads,
        read_timeout: READ_DEADLINE,
    }
}
