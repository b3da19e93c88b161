//! Port 2: what a backend must offer to log which decisions were served, to count them, and for replicas to report.
//!
//! How it stores them is up to the backend. One that stores a row for each implements
//! [`ExposureRows`](crate::ExposureRows), which makes it an [`ExposureLog`]. A backend runs the suite in `conformance` against the real thing.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use flag_model::{FlagKey, InstanceId, ProjectName, Timestamp};

use crate::exposure_batch::ExposureBatch;
use crate::exposure_counts::{CountsWriterId, Minute, MinuteCounts};
use crate::exposures::{ExposureRecord, WriteExposureError};
use crate::forget::InstanceExposures;
use crate::row_key::{flag_exposures_prefix, instance_prefix, project_exposures_prefix};
use crate::rows::{BoxFuture, Insert, Row, Scan, TimestampedRow};
use crate::store_error::StoreError;

/// The result of one exposure of a batch.
pub type AppendResult = Result<(), WriteExposureError>;

/// The second table: a log of exposures, each identified by flag, instance, request and time; their counts by minute; and what
/// replicas report.
///
/// Each call ends within the backend's own deadline. Dropping a future abandons the wait: a write that was under way may
/// still happen.
pub trait ExposureLog: fmt::Debug + Send + Sync + 'static {
    /// Appends the exposures of a batch, each for itself; results in their order.
    ///
    /// Appending a batch again changes nothing. Of one that failed in part, those that failed can be sent again as another
    /// batch; one that failed as a whole may have been appended nevertheless, so it must be sent again as it is.
    fn append<'a>(&'a self, batch: &'a ExposureBatch) -> BoxFuture<'a, Vec<AppendResult>>;

    /// Inserts a record unless there is one with its key, which stays as it is.
    fn insert_if_absent<'a>(
        &'a self,
        record: &'a ExposureRecord,
    ) -> BoxFuture<'a, Result<Insert, StoreError>>;

    /// The record with this key.
    fn find<'a>(
        &'a self,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<ExposureRecord>, StoreError>>;

    /// The next records of a time in the order of the log, at most `limit`; from the first one on if there is no cursor.
    ///
    /// The backend chooses the order; a record that is logged meanwhile may be missing. A page may have few records,
    /// or none, though others follow. The cursor must be used with the same scope and time.
    fn page<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        within: TimeRange,
        after: Option<&'a Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<ExposurePage, StoreError>>;

    /// The next exposures as [`page`](Self::page) finds them, cheaper for many: as batches where the log keeps batches, all others as records. A page may have
    /// some more than `limit`. The cursor is of its own kind.
    fn batches<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        within: TimeRange,
        after: Option<&'a Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<BatchPage, StoreError>> {
        Box::pin(async move {
            let page = self.page(scope, within, after, limit).await?;
            Ok(BatchPage {
                batches: Vec::new(),
                records: page.records,
                unreadable: Vec::new(),
                next: page.next,
            })
        })
    }

    /// The next records that were logged after a cursor, each once; no records if there are none. Without a cursor: no
    /// records, and the cursor from which to begin. There is always a next cursor.
    fn logged_after<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        after: Option<&'a Cursor>,
    ) -> BoxFuture<'a, Result<ExposurePage, StoreError>>;

    /// The exposures of an instance to the flags of a project, by flag; also to flags that are in the log alone.
    fn of_instance<'a>(
        &'a self,
        project: &'a ProjectName,
        instance: &'a InstanceId<'a>,
    ) -> BoxFuture<'a, Result<Vec<InstanceExposures>, StoreError>>;

    /// Deletes exposures, a few at a time; after a failure some are gone, and the others can be deleted again.
    fn delete<'a>(
        &'a self,
        exposures: &'a InstanceExposures,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Purges the remaining copies of deleted exposures, as far as other processes permit that.
    fn purge(&self) -> BoxFuture<'_, Result<Remains, StoreError>> {
        Box::pin(std::future::ready(Ok(Remains::Nothing)))
    }

    /// Sets the counts of a writer in these minutes, each replacing what it wrote for the flag and minute before.
    ///
    /// Writing them again changes nothing. After a failure some may be written.
    fn write_counts<'a>(
        &'a self,
        writer: CountsWriterId,
        counts: &'a [MinuteCounts],
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The counts of a flag in these minutes, added up over all writers, in the order of the minutes.
    fn counts<'a>(
        &'a self,
        flag: &'a FlagKey,
        within: Range<Minute>,
    ) -> BoxFuture<'a, Result<Vec<MinuteCounts>, StoreError>>;

    /// The latest of these minutes that has counts of a flag, even if they cannot be read: for each of the flags, in their order.
    fn last_counted<'a>(
        &'a self,
        flags: &'a [FlagKey],
        within: Range<Minute>,
    ) -> BoxFuture<'a, Result<Vec<Option<Minute>>, StoreError>>;

    /// Inserts or replaces rows of reports, which are neither exposures nor counts. Rows with the same key must have the same columns.
    ///
    /// Writing them again changes nothing. After a failure some may be written.
    fn write_reports<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The reports in a range of keys.
    fn reports(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<TimestampedRow>, StoreError>>;

    /// Removes reports; some may be gone already.
    fn remove_reports<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Makes sure that the log can be read.
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Closes files and connections; later calls fail, also those of clones.
    fn close(&self) -> BoxFuture<'_, ()>;

    /// Inserts a record unless there is one with its key, which is compared with it: if they differ, that is the error. A logged
    /// record never changes.
    fn insert_or_compare<'a>(
        &'a self,
        record: &'a ExposureRecord,
    ) -> BoxFuture<'a, Result<Insert, WriteExposureError>> {
        Box::pin(async move {
            if self.insert_if_absent(record).await? == Insert::Inserted {
                return Ok(Insert::Inserted);
            }
            let found = self.find(record.key()).await?;
            let found = found.ok_or_else(|| StoreError::Unavailable {
                source: "the row expired while it was written".into(),
            })?;
            match found.first_difference(record) {
                None => Ok(Insert::AlreadyThere),
                Some(column) => Err(WriteExposureError::Differs { column }),
            }
        })
    }

    /// The newest records that a query asks for, the newest first. Reads all records of its scope, unless the backend can
    /// do better.
    fn newest<'a>(
        &'a self,
        query: ExposureQuery<'a>,
    ) -> BoxFuture<'a, Result<Vec<ExposureRecord>, StoreError>> {
        Box::pin(async move {
            let mut newest = NewestExposures::new(query);
            let mut after = None;
            loop {
                let page = self.page(query.scope, query.within, after.as_ref(), PAGE);
                let page = page.await?;
                newest.extend(page.records);
                after = page.next;
                if after.is_none() {
                    return Ok(newest.into_records());
                }
            }
        })
    }
}

/// What a log keeps of exposures that were deleted, besides backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Nothing that the log itself could remove.
    Nothing,
    /// Copies in the write-ahead log of the file, which another process is reading.
    InWriteAheadLog,
}

/// A page of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExposurePage {
    /// The records.
    pub records: Vec<ExposureRecord>,
    /// Where the next page begins; `None` if there is none.
    pub next: Option<Cursor>,
}

/// A page of exposures as the log keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchPage {
    /// Exposures that are kept in batches.
    pub batches: Vec<ExposureBatch>,
    /// Exposures that are kept one by one.
    pub records: Vec<ExposureRecord>,
    /// Those that cannot be read.
    pub unreadable: Vec<UnreadableBatch>,
    /// Where the next page begins; `None` if there is none.
    pub next: Option<Cursor>,
}

/// Exposures that are kept together, and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableBatch {
    /// The flag.
    pub flag: FlagKey,
    /// How many there are, as the log says beside them.
    pub exposure_count: u64,
    /// When the oldest was served, likewise.
    pub oldest: Timestamp,
    /// When the newest was.
    pub newest: Timestamp,
    /// What is wrong with them.
    pub problem: String,
}

impl fmt::Display for UnreadableBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} exposures to {} of {} to {} cannot be read: {}",
            self.exposure_count, self.flag, self.oldest, self.newest, self.problem
        )
    }
}

/// The newest records that a query asks for, the newest first, as [`newest`](ExposureLog::newest) finds them; also if others
/// cannot be read, which are returned too. In that case it reads all records of the scope and time.
pub async fn newest_readable(
    log: &dyn ExposureLog,
    query: ExposureQuery<'_>,
) -> Result<(Vec<ExposureRecord>, Vec<UnreadableBatch>), StoreError> {
    match log.newest(query).await {
        Err(StoreError::Broken { .. }) => {}
        found => return Ok((found?, Vec::new())),
    }
    let (mut newest, mut unreadable) = (NewestExposures::new(query), Vec::new());
    let mut after = None;
    loop {
        let page = log.batches(query.scope, query.within, after.as_ref(), PAGE);
        let mut page = page.await?;
        after = page.next.take();
        unreadable.append(&mut page.unreadable);
        newest.extend(page.into_records());
        if after.is_none() {
            return Ok((newest.into_records(), unreadable));
        }
    }
}

impl BatchPage {
    /// Its exposures one by one; of a batch the last one first.
    pub fn into_records(self) -> impl Iterator<Item = ExposureRecord> {
        let in_batches = self.batches.into_iter().flat_map(|batch| {
            let entries = batch.entries().rev();
            let records = entries.filter_map(|entry| batch.record(entry));
            records.collect::<Vec<_>>()
        });
        self.records.into_iter().chain(in_batches)
    }

    /// How many exposures it has.
    pub fn exposure_count(&self) -> usize {
        let in_batches = self.batches.iter().map(ExposureBatch::len);
        self.records.len() + in_batches.sum::<usize>()
    }
}

/// Where a page begins; only the log that made it can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub Vec<u8>);

/// The page size for reading all records.
pub const PAGE: usize = 500;

/// The flags and the instance whose exposures are read.
#[derive(Clone, Copy, Debug)]
pub enum ExposureScope<'a> {
    /// Those to the flags of a project.
    Project(&'a ProjectName),
    /// Those to a flag.
    Flag(&'a FlagKey),
    /// Those of an instance to a flag.
    Instance(&'a FlagKey, &'a InstanceId<'a>),
}

impl ExposureScope<'_> {
    /// The range of keys of the rows that may be of it.
    pub fn row_range(&self) -> Scan {
        match self {
            Self::Project(_) | Self::Flag(_) => self.flag_prefix_range(),
            Self::Instance(flag, instance) => Scan::prefix(instance_prefix(flag, instance)),
        }
    }

    /// The range of the prefixes of its flags, see [`ExposureBlock::key_prefix`](crate::ExposureBlock::key_prefix).
    pub fn flag_prefix_range(&self) -> Scan {
        match self {
            Self::Project(project) => Scan::prefix(project_exposures_prefix(project)),
            Self::Flag(flag) | Self::Instance(flag, _) => Scan::prefix(flag_exposures_prefix(flag)),
        }
    }
}

/// A query for exposures.
#[derive(Clone, Copy, Debug)]
pub struct ExposureQuery<'a> {
    /// The flags and the instance.
    pub scope: ExposureScope<'a>,
    /// When they were served.
    pub within: TimeRange,
    /// Of this rollout group.
    pub group: Option<&'a str>,
    /// The most exposures to return.
    pub limit: usize,
}

/// When exposures were served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

impl TimeRange {
    /// At any time.
    pub const ALL: Self = Self {
        since: None,
        until: None,
    };

    /// Whether a time is in it. An unknown time is in [`ALL`](Self::ALL) only.
    pub fn contains(&self, created: Option<Timestamp>) -> bool {
        match created {
            Some(created) => !self.is_after(created) && !self.is_before(created),
            None => *self == Self::ALL,
        }
    }

    /// Whether all of it is after a time.
    pub fn is_after(&self, time: Timestamp) -> bool {
        self.since.is_some_and(|since| time < since)
    }

    /// Whether all of it is before a time.
    pub fn is_before(&self, time: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= time)
    }
}

/// The newest records that a query asks for, out of many in any order.
#[derive(Debug)]
pub struct NewestExposures {
    within: TimeRange,
    group: Option<String>,
    limit: usize,
    found: BTreeMap<(Reverse<Option<Timestamp>>, Vec<u8>), ExposureRecord>,
}

impl NewestExposures {
    /// None yet.
    pub fn new(query: ExposureQuery<'_>) -> Self {
        Self {
            within: query.within,
            group: query.group.map(str::to_owned),
            limit: query.limit,
            found: BTreeMap::new(),
        }
    }

    /// Whether an exposure of this time would be among them.
    pub fn wants(&self, created: Option<Timestamp>) -> bool {
        self.within.contains(created)
            && self
                .found
                .last_key_value()
                .is_none_or(|((Reverse(oldest), _), _)| {
                    self.found.len() < self.limit || *oldest <= created
                })
    }

    /// Whether exposures of a rollout group are among them.
    pub fn wants_group(&self, group: &[u8]) -> bool {
        let wanted = self.group.as_deref().map(str::as_bytes);
        wanted.is_none_or(|wanted| wanted == group)
    }

    /// Whether no exposure of this time, or of an earlier one, can still be among them: the range begins later, or enough
    /// newer ones have been found.
    pub fn is_beyond(&self, time: Timestamp) -> bool {
        self.within.is_after(time)
            || self.found.len() >= self.limit
                && self
                    .found
                    .last_key_value()
                    .is_none_or(|((Reverse(oldest), _), _)| *oldest > Some(time))
    }

    /// When they were served.
    pub fn within(&self) -> TimeRange {
        self.within
    }

    /// Adds a record if it is among them; of two with the same key the first stays.
    pub fn add(&mut self, record: ExposureRecord) {
        let created = record.created();
        if !self.wants(created) || !self.wants_group(record.group()) {
            return;
        }
        let key = (Reverse(created), record.key().to_vec());
        self.found.entry(key).or_insert(record);
        if self.found.len() > self.limit {
            self.found.pop_last();
        }
    }

    /// Returns the collected records, the newest first.
    pub fn into_records(self) -> Vec<ExposureRecord> {
        self.found.into_values().collect()
    }
}

impl Extend<ExposureRecord> for NewestExposures {
    fn extend<T: IntoIterator<Item = ExposureRecord>>(&mut self, records: T) {
        records.into_iter().for_each(|record| self.add(record));
    }
}
