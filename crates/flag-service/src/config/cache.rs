//! The settings of the caches and of reads.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use flag_runtime::{FlagCacheSettings, GuardSettings, PositionSettings};
use flag_settings::{Reader, Setting, table};

/// Settings of everything that keeps flags in memory.
#[derive(Clone, Debug)]
pub(crate) struct CacheSettings {
    /// The flag cache.
    pub(crate) flags: FlagCacheSettings,
    /// The position cache.
    pub(crate) positions: PositionSettings,
    /// The most concurrent reads of the store.
    pub(crate) reads: usize,
    /// How often the change watcher polls, if it runs.
    pub(crate) poll: Option<Duration>,
    /// The snapshot file, if one is kept.
    pub(crate) snapshot: Option<PathBuf>,
}

impl CacheSettings {
    /// Returns the settings of the guard of the store.
    pub(crate) fn guard(&self) -> GuardSettings {
        GuardSettings {
            reads: self.reads,
            deadline: self.flags.deadline,
        }
    }
}

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

const MINUTE: f64 = 60.0;
const DAY: f64 = 24.0 * 60.0 * MINUTE;

/// Reads them.
pub(super) fn read(reader: &mut Reader) -> Option<CacheSettings> {
    let minutes = "minutes in range [0, 10080]";
    let lifetime = reader.parse(&table::FLAG_CACHE_TTL, minutes, |text| {
        time(text, MINUTE, 0.0..=10_080.0)
    });
    let minutes = "minutes in range [0, 525600]";
    let max_stale = reader.parse(&table::MAX_STALE, minutes, |text| {
        time(text, MINUTE, 0.0..=525_600.0)
    });
    let expected = "a number in range [1, 10000000]";
    let entries = reader.parse(&table::FLAG_CACHE_ENTRIES, expected, |text| {
        number(text, 1..=10_000_000)
    });
    let millis = "milliseconds in range [1, 60000]";
    let deadline = reader.parse(&table::STORE_DEADLINE, millis, |text| {
        number(text, 1..=60_000).map(Duration::from_millis)
    });
    let expected = "a number in range [1, 10000]";
    let reads = reader.parse(&table::STORE_READS, expected, |text| {
        number(text, 1..=10_000)
    });
    let positions = read_positions(reader);
    let poll = reader.parse(
        &table::CHANGE_POLL,
        "milliseconds in range [50, 60000], or 0",
        |text| match number(text, 0..=60_000)? {
            0 => Some(None),
            millis @ 50.. => Some(Some(Duration::from_millis(millis))),
            _ => None,
        },
    );
    let snapshot = reader.path(&table::SNAPSHOT_FILE)?;
    let snapshot = (!snapshot.as_os_str().is_empty()).then_some(snapshot);
    let poll: Option<Duration> = poll?;
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
    let days = "days in range [0, 365]";
    let lifetime = reader.parse(&table::POSITION_CACHE_TTL, days, |text| {
        time(text, DAY, 0.0..=365.0)
    });
    let expected = "a number in range [0, 10000000]";
    let entries = reader.parse(&table::POSITION_CACHE_ENTRIES, expected, |text| {
        number(text, 0..=10_000_000)
    });
    Some(PositionSettings {
        lifetime: lifetime?,
        entries: entries?,
    })
}

fn number<N: FromStr + PartialOrd>(text: &str, range: RangeInclusive<N>) -> Option<N> {
    text.parse().ok().filter(|number| range.contains(number))
}

/// Reads a time in units of `unit` seconds.
fn time(text: &str, unit: f64, range: RangeInclusive<f64>) -> Option<Duration> {
    number(text, range).map(|number: f64| Duration::from_secs_f64(number * unit))
}
