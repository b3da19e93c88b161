//! The settings of the caches and of reads.

use std::path::PathBuf;
use std::time::Duration;

use flag_runtime::{BucketCacheSettings, FlagCacheSettings, GuardSettings};
use flag_settings::{Reader, Setting, table};

/// Settings of what is kept in memory, and of reads.
#[derive(Clone, Debug)]
pub(crate) struct CacheSettings {
    /// The flag cache.
    pub(crate) flags: FlagCacheSettings,
    /// The bucket cache (`FLAG_POSITION_CACHE_…`).
    pub(crate) buckets: BucketCacheSettings,
    /// The most concurrent reads of the store.
    pub(crate) concurrent_reads: usize,
    /// How often the change watcher polls, if it runs.
    pub(crate) poll: Option<Duration>,
    /// The snapshot file, if one is kept.
    pub(crate) snapshot: Option<PathBuf>,
}

impl CacheSettings {
    /// Returns the settings of the guard of the store.
    pub(crate) fn guard(&self) -> GuardSettings {
        GuardSettings {
            concurrent_reads: self.concurrent_reads,
            read_timeout: self.flags.read_timeout,
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

/// Reads them.
pub(super) fn read(reader: &mut Reader) -> Option<CacheSettings> {
    let lifetime = reader.duration(&table::FLAG_CACHE_TTL);
    let max_stale = reader.duration(&table::MAX_STALE);
    let entries = reader.number(&table::FLAG_CACHE_ENTRIES);
    let read_timeout = reader.duration(&table::STORE_DEADLINE);
    let concurrent_reads = reader.number(&table::STORE_READS);
    let buckets = read_buckets(reader);
    let poll = reader.duration(&table::CHANGE_POLL);
    let snapshot = reader.path(&table::SNAPSHOT_FILE)?;
    let snapshot = (!snapshot.as_os_str().is_empty()).then_some(snapshot);
    let poll = Some(poll?).filter(|poll| !poll.is_zero());
    Some(CacheSettings {
        flags: FlagCacheSettings {
            lifetime: lifetime?,
            max_stale: max_stale?,
            entries: entries?,
            read_timeout: read_timeout?,
            watches_changes: poll.is_some(),
            keeps_rows: snapshot.is_some(),
        },
        buckets: buckets?,
        concurrent_reads: concurrent_reads?,
        poll,
        snapshot,
    })
}

fn read_buckets(reader: &mut Reader) -> Option<BucketCacheSettings> {
    let lifetime = reader.duration(&table::POSITION_CACHE_TTL);
    let entries = reader.number(&table::POSITION_CACHE_ENTRIES);
    Some(BucketCacheSettings {
        lifetime: lifetime?,
        entries: entries?,
    })
}
