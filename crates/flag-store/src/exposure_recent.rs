//! The records of a log that were not there before: for logs that keep no order of writing.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use flag_model::Timestamp;

use crate::exposure_log::{Cursor, ExposurePage};
use crate::exposures::ExposureRecord;

/// How long before a look something may have been written that it did not find: as long as a write may take, and as far as the
/// clocks of the reader and of the store may differ.
const OVERLAP: Duration = Duration::from_mins(1);

/// Which of the records that are there now were not there at the look before.
///
/// The cursor holds the time of the look, and the hash of the key of each record that was read: eight bytes for an exposure of
/// the last minute.
#[derive(Debug)]
pub(crate) struct Recent {
    now: Timestamp,
    before: Option<Look>,
    seen: BTreeSet<u64>,
    new: Vec<ExposureRecord>,
}

/// A look at the log.
#[derive(Debug)]
struct Look {
    at: Timestamp,
    seen: BTreeSet<u64>,
}

impl Recent {
    /// A look after another one; without that, nothing is new.
    pub(crate) fn new(after: Option<&Cursor>, now: Timestamp) -> Self {
        Self {
            now,
            before: after.map(Look::of_cursor),
            seen: BTreeSet::new(),
            new: Vec::new(),
        }
    }

    /// Since when a record was written that may be new.
    pub(crate) fn since(&self) -> Timestamp {
        let before = self.before.as_ref().map_or(self.now, |look| look.at);
        before.min(self.now).saturating_sub(OVERLAP)
    }

    fn add(&mut self, record: ExposureRecord) {
        let hash = key_hash(record.key());
        self.seen.insert(hash);
        if let Some(before) = &self.before
            && !before.seen.contains(&hash)
        {
            self.new.push(record);
        }
    }

    /// The new records, the oldest first.
    pub(crate) fn into_page(mut self) -> ExposurePage {
        self.new.sort_by_cached_key(ExposureRecord::created);
        let mut cursor = self.now.unix_micros().to_be_bytes().to_vec();
        cursor.extend(self.seen.iter().flat_map(|hash| hash.to_be_bytes()));
        ExposurePage {
            records: self.new,
            next: Some(Cursor(cursor)),
        }
    }
}

impl Extend<ExposureRecord> for Recent {
    fn extend<T: IntoIterator<Item = ExposureRecord>>(&mut self, records: T) {
        records.into_iter().for_each(|record| self.add(record));
    }
}

impl Look {
    fn of_cursor(Cursor(bytes): &Cursor) -> Self {
        let (numbers, _) = bytes.as_chunks::<8>();
        let mut numbers = numbers.iter();
        let at = numbers.next().copied().map(i64::from_be_bytes);
        let at = at.and_then(Timestamp::from_unix_micros);
        Self {
            at: at.unwrap_or(Timestamp::UNIX_EPOCH),
            seen: numbers.copied().map(u64::from_be_bytes).collect(),
        }
    }
}

/// The hash of a key, for cursors: it is the same as long as the process runs.
pub fn key_hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
