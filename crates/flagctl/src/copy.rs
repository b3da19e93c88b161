//! Copies rows from one store to another, byte for byte, overwriting none.
//!
//! The head row is not copied, because it describes its own store. After all rows are copied, the head row of the
//! target is updated with the newest rows, so that services notice the change. The newest row of each flag is copied
//! first: a service that reads meanwhile never serves an older revision.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flag_model::{FlagKey, ProjectName, Timestamp};
use flag_store::{
    Columns, ExposureLog, ExposureRecord, ExposureScope, FlagRow, FlagRowKey, Insert, PAGE, Pages,
    Row, RowType, StoreError, TimeRange, UnreadableBatch, project_rows,
};
use futures_util::{StreamExt as _, stream};

use crate::admin_store::AdminStore;
use crate::failure::StoreFailure;

/// How many rows are written at once.
const AT_ONCE: usize = 16;

/// How many rows that exist with other content are listed.
const NAMED: usize = 1_000;

/// Whether rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They are.
    Write,
    /// They are only counted.
    DryRun,
}

/// A copy from one store to another, and its progress.
#[derive(Debug)]
pub(crate) struct Copy<'a> {
    pub(crate) from: &'a AdminStore,
    pub(crate) to: &'a Target,
    pub(crate) project: &'a ProjectName,
    pub(crate) mode: Mode,
    pub(crate) progress: &'a CopyProgress,
}

/// The store that is written; in a dry run only its existing parts.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its name in messages.
    pub(crate) display_name: String,
    pub(crate) flags: Option<AdminStore>,
    /// Its exposure log, if exposures are copied too.
    pub(crate) log: Option<Arc<dyn ExposureLog>>,
}

/// How many rows have been processed.
#[derive(Debug, Default)]
pub(crate) struct CopyProgress(AtomicU64);

/// The results for the rows of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CopyCounts {
    /// How many were written.
    pub(crate) written: u64,
    /// How many existed with the same cells.
    pub(crate) already_there: u64,
    /// How many existed with other cells, and were not changed.
    pub(crate) differing: u64,
    /// The keys of the first of those.
    pub(crate) conflicts: Vec<String>,
    /// Those that cannot be read, and were not copied.
    pub(crate) unreadable: Vec<UnreadableBatch>,
    /// The time of the last revision of each flag by key in the source store, if the key has a valid time.
    pub(crate) flags: BTreeMap<FlagKey, Option<Timestamp>>,
}

/// The result for a row.
enum RowOutcome {
    Copied,
    AlreadyThere,
    Differs(Vec<u8>),
}

impl Copy<'_> {
    /// Copies the rows of flags, from the last key to the first.
    pub(crate) async fn flags(&self) -> Result<CopyCounts, StoreFailure> {
        let scan = project_rows(self.project).descending();
        let mut pages = Pages::new(&*self.from.rows, scan);
        let mut copied = CopyCounts::default();
        let mut subject = None;
        loop {
            let page = pages.next().await;
            let mut page = page.map_err(|source| self.from.failed(source))?;
            if page.is_empty() {
                return Ok(copied);
            }
            page.retain(|row| !FlagRow::is_head(&row.key));
            let (first, rest): (Vec<Row>, Vec<Row>) = page.into_iter().partition(|row| {
                let last = std::mem::replace(&mut subject, FlagRowKey::subject_of(&row.key));
                last != subject || subject.is_none()
            });
            for row in &first {
                copied.newest(row);
            }
            for rows in [first, rest] {
                let outcomes = rows.into_iter().map(|row| self.row(row));
                self.count(outcomes, &mut copied).await?;
            }
        }
    }

    /// Copies the exposures of a log, and counts those that cannot be read.
    pub(crate) async fn exposures(
        &self,
        from: &dyn ExposureLog,
    ) -> Result<CopyCounts, StoreFailure> {
        let mut copied = CopyCounts::default();
        let mut after = None;
        loop {
            let of = ExposureScope::Project(self.project);
            let page = from.batches(of, TimeRange::ALL, after.as_ref(), PAGE).await;
            let mut page = page.map_err(|source| self.from.failed(source))?;
            after = page.next.take();
            copied.unreadable.append(&mut page.unreadable);
            let outcomes = page.into_records().map(|record| self.exposure(record));
            self.count(outcomes, &mut copied).await?;
            if after.is_none() {
                return Ok(copied);
            }
        }
    }

    /// Updates the head row of the target; returns the flags that have a newer revision there.
    pub(crate) async fn announce(&self, copied: &CopyCounts) -> Result<Vec<FlagKey>, StoreFailure> {
        let mut newer = Vec::new();
        let (Mode::Write, Some(to)) = (self.mode, &self.to.flags) else {
            return Ok(newer);
        };
        let store = to.flags();
        for (flag, copied) in &copied.flags {
            let newest = store.publish_newest(flag).await;
            let newest = newest.map_err(|source| to.failed(source))?;
            if newest != *copied && newest > self.newest_copied(flag).await? {
                newer.push(flag.clone());
            }
        }
        Ok(newer)
    }

    /// The time of the newest revision in the source store.
    async fn newest_copied(&self, flag: &FlagKey) -> Result<Option<Timestamp>, StoreFailure> {
        let newest = self.from.flags().newest_revision_row(flag).await;
        let newest = newest.map_err(|source| self.from.failed(source))?;
        Ok(newest.created())
    }

    async fn count(
        &self,
        outcomes: impl Iterator<Item = impl Future<Output = Result<RowOutcome, StoreError>>>,
        copied: &mut CopyCounts,
    ) -> Result<(), StoreFailure> {
        let mut outcomes = stream::iter(outcomes).buffer_unordered(AT_ONCE);
        while let Some(outcome) = outcomes.next().await {
            copied.count(outcome.map_err(|source| self.to.failed(source))?);
            self.progress.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn row(&self, row: Row) -> Result<RowOutcome, StoreError> {
        let Some(to) = &self.to.flags else {
            return Ok(RowOutcome::Copied);
        };
        if self.mode == Mode::Write && to.rows.insert_if_absent(&row).await? == Insert::Inserted {
            return Ok(RowOutcome::Copied);
        }
        let there = to.rows.get(&row.key, Columns::All).await?;
        Ok(self.outcome(there.map(|there| there == row), row.key))
    }

    async fn exposure(&self, record: ExposureRecord) -> Result<RowOutcome, StoreError> {
        let Some(to) = &self.to.log else {
            return Ok(RowOutcome::Copied);
        };
        if self.mode == Mode::Write && to.insert_if_absent(&record).await? == Insert::Inserted {
            return Ok(RowOutcome::Copied);
        }
        let there = to.find(record.key()).await?;
        let key = record.key().to_vec();
        Ok(self.outcome(there.map(|there| there == record), key))
    }

    /// The result for a row of this key; `same` is whether the existing row has the same cells, `None` if there is none.
    fn outcome(&self, same: Option<bool>, key: Vec<u8>) -> RowOutcome {
        match same {
            Some(true) => RowOutcome::AlreadyThere,
            None if self.mode == Mode::DryRun => RowOutcome::Copied,
            _ => RowOutcome::Differs(key),
        }
    }
}

impl Target {
    fn failed(&self, source: StoreError) -> StoreFailure {
        let display_name = self.display_name.clone();
        StoreFailure {
            display_name,
            source,
        }
    }
}

impl CopyCounts {
    /// How many rows there were to copy.
    pub(crate) fn total(&self) -> u64 {
        self.written + self.already_there + self.differing + self.unreadable()
    }

    /// How many exposures cannot be read; at least one for each damaged block.
    pub(crate) fn unreadable(&self) -> u64 {
        let blocks = self.unreadable.iter();
        blocks.map(|block| block.exposure_count.max(1)).sum()
    }

    fn count(&mut self, outcome: RowOutcome) {
        match outcome {
            RowOutcome::Copied => self.written += 1,
            RowOutcome::AlreadyThere => self.already_there += 1,
            RowOutcome::Differs(key) => {
                self.differing += 1;
                if self.conflicts.len() < NAMED {
                    self.conflicts
                        .push(String::from_utf8_lossy(&key).into_owned());
                }
            }
        }
    }

    /// Notes the newest row of a flag.
    fn newest(&mut self, row: &Row) {
        if let Some((row_type, flag)) = FlagRowKey::subject_of(&row.key) {
            let created = FlagRowKey::decode(&row.key).ok().map(|key| key.created);
            let newest = self.flags.entry(flag).or_default();
            if row_type == RowType::Revision {
                *newest = created.max(*newest);
            }
        }
    }
}

impl fmt::Display for CopyProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "copying: {} rows", self.0.load(Ordering::Relaxed))
    }
}
