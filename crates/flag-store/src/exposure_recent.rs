//! The records of a log that were not there before: for logs that keep no order of writing.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use flag_model::Timestamp;

use crate::exposure_log::{Cursor, ExposurePage};
use crate::exposures::ExposureRecord;

/// How long after newer ones an exposure may be logged.
const LATE: Duration = Duration::from_mins(10);

/// Which of the records that are there now were not there before.
///
/// The cursor holds the hash of each key of the last minutes: eight bytes for an exposure.
#[derive(Debug)]
pub(crate) struct Recent {
    /// What was there before; `None` at the beginning, where nothing is new.
    before: Option<Before>,
    newest: Timestamp,
    seen: BTreeSet<(Timestamp, u64)>,
    new: Vec<ExposureRecord>,
}

#[derive(Debug)]
struct Before {
    horizon: Timestamp,
    seen: BTreeSet<u64>,
}

impl Recent {
    /// No record yet.
    pub(crate) fn new(after: Option<&Cursor>) -> Self {
        Self {
            before: after.map(Before::of_cursor),
            newest: Timestamp::UNIX_EPOCH,
            seen: BTreeSet::new(),
            new: Vec::new(),
        }
    }

    fn add(&mut self, record: ExposureRecord) {
        let Some(created) = record.created() else {
            return;
        };
        self.newest = self.newest.max(created);
        if created < self.horizon() {
            return;
        }
        let hash = key_hash(record.key());
        self.seen.insert((created, hash));
        if let Some(before) = &self.before
            && before.horizon <= created
            && !before.seen.contains(&hash)
        {
            self.new.push(record);
        }
        while self
            .seen
            .first()
            .is_some_and(|(at, _)| *at < self.horizon())
        {
            self.seen.pop_first();
        }
    }

    fn horizon(&self) -> Timestamp {
        self.newest.saturating_sub(LATE)
    }

    /// The new records, the oldest first.
    pub(crate) fn into_page(mut self) -> ExposurePage {
        self.new.sort_by_cached_key(ExposureRecord::created);
        let mut cursor = self.horizon().unix_micros().to_be_bytes().to_vec();
        let hashes = self.seen.iter().map(|(_, hash)| hash.to_be_bytes());
        cursor.extend(hashes.flatten());
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

impl Before {
    fn of_cursor(Cursor(bytes): &Cursor) -> Self {
        let (numbers, _) = bytes.as_chunks::<8>();
        let mut numbers = numbers.iter();
        let horizon = numbers.next().copied().map(i64::from_be_bytes);
        let horizon = horizon.and_then(Timestamp::from_unix_micros);
        Self {
            horizon: horizon.unwrap_or(Timestamp::UNIX_EPOCH),
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
