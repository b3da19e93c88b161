//! The settings of whatever keeps flags in memory, and of how it reads them.

use flag_settings::{Reader, Setting, table};

use crate::cache::{CacheSettings, FlagCacheSettings, PositionSettings};

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[
    table::STORE_DEADLINE,
    table::STORE_READS,
    table::FLAG_CACHE_TTL,
    table::FLAG_CACHE_ENTRIES,
    table::MAX_STALE,
    table::POSITION_CACHE_TTL,
    table::POSITION_CACHE_ENTRIES,
    table::CHANGE_POLL,
    table::SNAPSHOT_FILE,
];

/// Reads them.
pub(super) fn read(reader: &mut Reader) -> Option<CacheSettings> {
    let lifetime = reader.duration(&table::FLAG_CACHE_TTL);
    let max_stale = reader.duration(&table::MAX_STALE);
    let entries = reader.number(&table::FLAG_CACHE_ENTRIES);
    let deadline = reader.duration(&table::STORE_DEADLINE);
    let reads = reader.number(&table::STORE_READS);
    let positions = read_positions(reader);
    let poll = reader.duration(&table::CHANGE_POLL);
    let snapshot = reader.path(&table::SNAPSHOT_FILE)?;
    let snapshot = (!snapshot.as_os_str().is_empty()).then_some(snapshot);
    let poll = Some(poll?).filter(|poll| !poll.is_zero());
    Some(CacheSettings {
        flags: FlagCacheSettings {
            lifetime: lifetime?,
            max_stale: max_stale?,
            entries: entries?,
            deadline: deadline?,
            is_polled: poll.is_some(),
            keeps_rows: snapshot.is_some(),
        },
        positions: positions?,
        reads: reads?,
        poll,
        snapshot,
    })
}

fn read_positions(reader: &mut Reader) -> Option<PositionSettings> {
    let lifetime = reader.duration(&table::POSITION_CACHE_TTL);
    let entries = reader.number(&table::POSITION_CACHE_ENTRIES);
    Some(PositionSettings {
        lifetime: lifetime?,
        entries: entries?,
    })
}
