//! Finds the row of a flag that is in force: the newest one with a valid time.
//!
//! Usually it is the last one by key, which a reverse scan of one row finds. Two kinds of rows may lie above it and
//! don't count: rows whose key has no valid time, and rows too far ahead of the clock. All readers pass over them, by the
//! code in this module only.
//!
//! If a flag has no other row, its last one counts all the same. If that is ahead of the clock, the clock is probably wrong,
//! and an existing flag must not be reported as missing. If its key has no valid time, it is unreadable, which must be
//! reported too.

mod history;

use flag_model::{FlagKey, Timestamp};

use crate::flags::FlagStore;
use crate::row_key::{FlagRowKey, RowType, flag_prefix};
use crate::rows::{Columns, Row, Scan};
use crate::store_error::StoreError;

/// How many rows one scan reads where times of a day may have another spelling.
const ROWS_PER_SCAN: usize = 8;

/// How many keys one scan reads to find one with a valid time.
const KEYS_PER_SCAN: usize = 100;

/// The row of a kind that is in force, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowInForce {
    /// The row; it may be unreadable.
    pub row: Option<Row>,
    /// The key of the last row if it does not count: it has no valid time, or one too far ahead of the clock. If no other row
    /// counts, `row` is that row.
    pub passed_over: Option<String>,
}

impl RowInForce {
    /// The time of the row, if its key has a valid one.
    pub fn created(&self) -> Option<Timestamp> {
        let key = FlagRowKey::decode(&self.row.as_ref()?.key).ok()?;
        Some(key.created)
    }
}

impl FlagStore {
    /// The latest time at which a row is in force.
    pub(crate) fn latest_time_in_force(&self) -> Timestamp {
        self.clock.now().saturating_add(self.options.max_future)
    }

    /// The row of a flag that is in force. Usually one reverse scan of one row; more scans where that row is not in force
    /// or the spelling of its time may hide a newer row.
    pub(crate) async fn newest_row(
        &self,
        row_type: RowType,
        flag: &FlagKey,
    ) -> Result<RowInForce, StoreError> {
        let prefix = flag_prefix(row_type, flag);
        match self.last(Scan::prefix(prefix.as_str())).await? {
            Some(last) => self.newest_from(&prefix, last).await,
            None => Ok(RowInForce::default()),
        }
    }

    /// The same, where the last row of the flag is known; `prefix` is what its keys begin with.
    pub(crate) async fn newest_from(
        &self,
        prefix: &str,
        last: Row,
    ) -> Result<RowInForce, StoreError> {
        let latest_time_in_force = self.latest_time_in_force();
        if created(prefix, &last.key).is_some_and(|created| created <= latest_time_in_force) {
            return Ok(RowInForce {
                row: Some(self.newest_of_day(prefix, last).await?),
                passed_over: None,
            });
        }
        let passed_over = Some(last.key_text());
        let scan = Scan {
            end: Some(
                format!("{prefix}{latest_time_in_force}\0")
                    .into_bytes()
                    .min(last.key.clone()),
            ),
            ..Scan::prefix(prefix)
        };
        let row = match self.last_with_readable_time(prefix, scan).await? {
            Some(row) => self.newest_of_day(prefix, row).await?,
            None => last,
        };
        let row = Some(row);
        Ok(RowInForce { row, passed_over })
    }

    /// The time of the newest row, if it has a valid one; usually from its key alone, as rows may be large.
    pub(crate) async fn newest_created(
        &self,
        row_type: RowType,
        flag: &FlagKey,
    ) -> Result<Option<Timestamp>, StoreError> {
        match self.times_by_keys(row_type, flag, 1).await? {
            Some(times) => Ok(times.first().copied()),
            None => Ok(self.newest_row(row_type, flag).await?.created()),
        }
    }

    /// The times of the newest rows, the newest first; usually from their keys alone.
    pub(crate) async fn newest_times(
        &self,
        row_type: RowType,
        flag: &FlagKey,
        limit: usize,
    ) -> Result<Vec<Timestamp>, StoreError> {
        if let Some(times) = self.times_by_keys(row_type, flag, limit).await? {
            return Ok(times);
        }
        let prefix = flag_prefix(row_type, flag);
        let rows = self.rows_newest_first(row_type, flag, limit).await?;
        let times = rows.iter().filter_map(|row| created(&prefix, &row.key));
        Ok(times.collect())
    }

    /// The times of the last rows, if all are in force and have the usual spelling, so that they are ordered by time.
    async fn times_by_keys(
        &self,
        row_type: RowType,
        flag: &FlagKey,
        limit: usize,
    ) -> Result<Option<Vec<Timestamp>>, StoreError> {
        let last = Scan::prefix(flag_prefix(row_type, flag)).descending();
        let keys = self.rows.keys(last.limit(limit)).await?;
        let latest_time_in_force = self.latest_time_in_force();
        let times = keys.iter().map(|bytes| {
            let key = FlagRowKey::decode(bytes).ok()?;
            let is_effective =
                key.created <= latest_time_in_force && !key.is_spelled_otherwise(bytes);
            is_effective.then_some(key.created)
        });
        Ok(times.collect())
    }

    /// The row, or one created later that its key hides. Keys with a `T` between date and clock come after those with a
    /// space, whatever the time of day; keys with a `Z` after those with a fraction, in the same second.
    async fn newest_of_day(&self, prefix: &str, row: Row) -> Result<Row, StoreError> {
        let time = time_of(prefix, &row.key).unwrap_or_default();
        let of_day = time.split_once('T').map(|(day, _)| format!("{day} "));
        let of_second = second_of_z(time).map(|second| format!("{second}."));
        let latest_time_in_force = Some(self.latest_time_in_force());
        let mut newest = row;
        for hidden in of_day.into_iter().chain(of_second) {
            let scan = Scan::prefix(format!("{prefix}{hidden}"));
            let scan = scan.descending().limit(ROWS_PER_SCAN);
            let mut rows = self.rows.scan(scan).await?;
            rows.retain(|row| created(prefix, &row.key) <= latest_time_in_force);
            let latest = rows.into_iter().max_by_key(|row| created(prefix, &row.key));
            newest = latest
                .filter(|latest| created(prefix, &latest.key) > created(prefix, &newest.key))
                .unwrap_or(newest);
        }
        Ok(newest)
    }

    /// The newest row created at `at` or before it.
    pub(crate) async fn newest_row_at(
        &self,
        row_type: RowType,
        flag: &FlagKey,
        at: Timestamp,
    ) -> Result<Option<Row>, StoreError> {
        let prefix = flag_prefix(row_type, flag);
        let text = at.to_string();
        let scan = Scan {
            end: Some(format!("{prefix}{text}\0").into()),
            ..Scan::prefix(prefix.as_str())
        };
        let mut newest = match self.last_with_readable_time(&prefix, scan).await? {
            Some(row) => Some(self.newest_of_day(&prefix, row).await?),
            None => None,
        };
        // Keys with a `T` sort after all keys of that day with a space; within a second, those with an offset after those without.
        let (day, clock) = text.split_once(' ').unwrap_or_default();
        let second = clock.split('.').next().unwrap_or_default();
        let scan = Scan {
            end: Some(format!("{prefix}{day}T{second}[").into()),
            ..Scan::prefix(format!("{prefix}{day}T"))
        };
        let scan = scan.descending().limit(ROWS_PER_SCAN);
        for row in self.rows.scan(scan).await? {
            let this = created(&prefix, &row.key).filter(|created| *created <= at);
            let newest_yet = newest.as_ref().and_then(|row| created(&prefix, &row.key));
            if this > newest_yet {
                newest = Some(row);
            }
        }
        Ok(newest)
    }

    /// The time of the first row of a flag that has a valid time.
    pub(crate) async fn oldest_created(
        &self,
        row_type: RowType,
        flag: &FlagKey,
    ) -> Result<Option<Timestamp>, StoreError> {
        let prefix = flag_prefix(row_type, flag);
        let scan = Scan::prefix(prefix.as_str());
        let first = self.first_key(scan, |key| created(&prefix, key)).await?;
        Ok(first.map(|(_, created)| created))
    }

    /// The last row of a range whose key has a time that can be read, however far ahead.
    async fn last_with_readable_time(
        &self,
        prefix: &str,
        scan: Scan,
    ) -> Result<Option<Row>, StoreError> {
        match self.last(scan.clone()).await? {
            Some(row) if created(prefix, &row.key).is_none() => {}
            last => return Ok(last),
        }
        let found = self.first_key(scan.descending(), |key| created(prefix, key));
        match found.await? {
            Some((key, _)) => self.rows.get(&key, Columns::All).await,
            None => Ok(None),
        }
    }

    /// The first key of a range, in its order, for which `find` returns something; reads only keys.
    pub(crate) async fn first_key<T>(
        &self,
        scan: Scan,
        find: impl Fn(&[u8]) -> Option<T> + Send,
    ) -> Result<Option<(Vec<u8>, T)>, StoreError> {
        let mut scan = scan.limit(KEYS_PER_SCAN);
        loop {
            let keys = self.rows.keys(scan.clone()).await?;
            if let Some(found) = keys.iter().find_map(|key| Some((key.clone(), find(key)?))) {
                return Ok(Some(found));
            }
            match keys.last() {
                Some(last) if keys.len() == KEYS_PER_SCAN => scan.go_on_after(last),
                _ => return Ok(None),
            }
        }
    }

    async fn last(&self, scan: Scan) -> Result<Option<Row>, StoreError> {
        let scan = scan.descending().limit(1);
        Ok(self.rows.scan(scan).await?.pop())
    }
}

/// The time in a key, if it is valid; `prefix` is what the key begins with.
pub(crate) fn created(prefix: &str, key: &[u8]) -> Option<Timestamp> {
    Timestamp::parse(time_of(prefix, key)?).ok()
}

fn time_of<'k>(prefix: &str, key: &'k [u8]) -> Option<&'k str> {
    str::from_utf8(key.strip_prefix(prefix.as_bytes())?).ok()
}

/// The date and the clock of a time that ends in `Z`, to the second.
fn second_of_z(time: &str) -> Option<&str> {
    time.strip_suffix('Z')?.split('.').next()
}
