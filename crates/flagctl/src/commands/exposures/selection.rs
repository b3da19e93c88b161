//! Which exposures are shown, and how they are read.

use std::collections::HashSet;
use std::ops::ControlFlow;

use flag_model::{FlagKey, InstanceId};
use flag_store::{
    Cursor, ExposureLog, ExposureQuery, ExposureRecord, ExposureScope, NewestExposures, StoreError,
    TimeRange, UnreadableBatch, newest_readable,
};

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::notice;

/// How many records are read at once.
const AT_ONCE: usize = 5_000;

/// How many of the newest are read at once, which take about 30 MB. Bigtable reads all records of a scope each time.
const NEWEST_AT_ONCE: usize = 20_000;

/// Which exposures of a flag are shown.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) flag: FlagKey,
    /// The names of the instance in the log; empty for all instances.
    pub(super) names_in_log: Vec<InstanceId<'static>>,
    pub(super) within: TimeRange,
    pub(super) group: Option<String>,
}

impl Selection {
    /// Whether they are all exposures of the flag.
    pub(super) fn is_all(&self) -> bool {
        self.names_in_log.is_empty() && self.within == TimeRange::ALL && self.group.is_none()
    }

    /// Where they are in the log.
    pub(super) fn scopes(&self) -> Vec<ExposureScope<'_>> {
        if self.names_in_log.is_empty() {
            return vec![ExposureScope::Flag(&self.flag)];
        }
        let names = self.names_in_log.iter();
        let scopes = names.map(|name| ExposureScope::Instance(&self.flag, name));
        scopes.collect()
    }

    /// Whether a record is one of them.
    pub(super) fn has(&self, record: &ExposureRecord) -> bool {
        let is_within = self.within.contains(record.created());
        let group = self.group.as_deref().map(str::as_bytes);
        is_within && group.is_none_or(|group| group == record.group())
    }

    /// The newest of them, the newest first, and what cannot be read.
    pub(super) async fn newest(
        &self,
        log: &dyn ExposureLog,
        limit: usize,
    ) -> Result<(Vec<ExposureRecord>, Unreadable), StoreError> {
        let mut unreadable = Unreadable::default();
        let newest = self.newest_within(log, self.within, limit, &mut unreadable);
        Ok((newest.await?, unreadable))
    }

    async fn newest_within(
        &self,
        log: &dyn ExposureLog,
        within: TimeRange,
        limit: usize,
        unreadable: &mut Unreadable,
    ) -> Result<Vec<ExposureRecord>, StoreError> {
        let query = |of| ExposureQuery {
            scope: of,
            within,
            group: self.group.as_deref(),
            limit,
        };
        let mut newest = NewestExposures::new(query(ExposureScope::Flag(&self.flag)));
        for scope in self.scopes() {
            let (found, more) = newest_readable(log, query(scope)).await?;
            newest.extend(found);
            unreadable.add(more);
        }
        Ok(newest.into_records())
    }

    /// Visits the newest of them, the newest first, until told to stop; in memory there are some thousands at once. Those without
    /// a valid time come last. Returns what cannot be read.
    pub(super) async fn each_newest<E: From<StoreError>>(
        &self,
        log: &dyn ExposureLog,
        limit: usize,
        mut visit: impl FnMut(Vec<ExposureRecord>) -> Result<ControlFlow<()>, E>,
    ) -> Result<Unreadable, E> {
        if limit <= NEWEST_AT_ONCE {
            let (newest, unreadable) = self.newest(log, limit).await?;
            let _ = visit(newest)?;
            return Ok(unreadable);
        }
        let mut unreadable = Unreadable::default();
        let mut left = limit;
        let mut border = Border::new(self.within);
        while left > 0 {
            let wanted = left.min(NEWEST_AT_ONCE) + border.visited.len();
            let mut records = self
                .newest_within(log, border.within, wanted, &mut unreadable)
                .await?;
            let is_last = records.len() < wanted;
            records.retain(|record| border.is_beyond(record));
            records.truncate(left);
            left -= records.len();
            border.go_to(&records);
            let is_end = is_last || records.is_empty();
            if visit(records)?.is_break() {
                return Ok(unreadable);
            }
            if is_end {
                break;
            }
        }
        if left == 0 || self.within != TimeRange::ALL {
            return Ok(unreadable);
        }
        let untold = |mut records: Vec<ExposureRecord>| {
            records.retain(|record| record.created().is_none());
            records.truncate(left);
            left -= records.len();
            visit(records)
        };
        self.each(log, untold).await
    }

    /// Visits all of them in the order of the log, until told to stop; in memory there are a few thousand at once. Returns what
    /// cannot be read.
    pub(super) async fn each<E: From<StoreError>>(
        &self,
        log: &dyn ExposureLog,
        mut visit: impl FnMut(Vec<ExposureRecord>) -> Result<ControlFlow<()>, E>,
    ) -> Result<Unreadable, E> {
        let mut unreadable = Unreadable::default();
        for scope in self.scopes() {
            let mut after: Option<Cursor> = None;
            loop {
                let page = log.batches(scope, self.within, after.as_ref(), AT_ONCE);
                let mut page = page.await?;
                after = page.next.take();
                unreadable.add(std::mem::take(&mut page.unreadable));
                let records = page.into_records();
                let records = records.filter(|record| self.has(record)).collect();
                if visit(records)?.is_break() {
                    return Ok(unreadable);
                }
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(unreadable)
    }
}

/// Exposures of the time that cannot be read, and may be of the selection.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Unreadable(Vec<UnreadableBatch>);

impl Unreadable {
    /// A log that is read in parts finds the same ones again.
    fn add(&mut self, found: Vec<UnreadableBatch>) {
        for batch in found {
            if !self.0.contains(&batch) {
                self.0.push(batch);
            }
        }
    }

    /// Names them to the caller; a failure if there are any.
    pub(super) fn report(&self) -> Result<(), Failure> {
        for batch in &self.0 {
            notice(&batch.to_string());
        }
        if self.0.is_empty() {
            return Ok(());
        }
        notice("other exposures are not affected; a backup of the log may have the damaged ones");
        Err(Failure::explained_by_output(ExitCode::Refused))
    }
}

/// How far back the newest were visited.
struct Border {
    /// The times that are left; the newest of them is the time of the last visited record, as others may have the same time.
    within: TimeRange,
    /// The keys of the visited records of that time.
    visited: HashSet<Vec<u8>>,
}

impl Border {
    fn new(within: TimeRange) -> Self {
        Self {
            within,
            visited: HashSet::new(),
        }
    }

    /// Whether a record has a valid time, and was not visited.
    fn is_beyond(&self, record: &ExposureRecord) -> bool {
        record.created().is_some() && !self.visited.contains(record.key())
    }

    /// Goes back to the last of these records.
    fn go_to(&mut self, records: &[ExposureRecord]) {
        let Some(oldest) = records.last().and_then(ExposureRecord::created) else {
            return;
        };
        let until = oldest.next();
        if self.within.until != until {
            self.visited.clear();
        }
        self.within.until = until;
        let as_old = records.iter().rev();
        let as_old = as_old.take_while(|record| record.created() == Some(oldest));
        self.visited
            .extend(as_old.map(|record| record.key().to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flag_model::{FlagName, FlagType, FlagValue, ProjectName, Timestamp};
    use flag_store::memory::MemoryLog;
    use flag_store::{BatchId, CellFormat, Exposure, ExposureBatch, ExposureTemplate, Row};

    use super::*;

    const MANY: u64 = 45_000;

    fn flag() -> FlagKey {
        FlagKey {
            project: ProjectName::new("p").unwrap(),
            flag_type: FlagType::Feature,
            name: FlagName::new("f").unwrap(),
        }
    }

    /// Exposures, 7,000 of which are of the same time, and one without a valid time.
    async fn log() -> MemoryLog {
        let mut batch = ExposureBatch::new(BatchId(1), CellFormat::Json);
        let template = batch.add_template(ExposureTemplate {
            flag: flag(),
            revision: None,
            value: FlagValue::Boolean(true),
            rollout_group: "control".to_owned(),
            reason: None,
            from_cache: None,
        });
        let instance = InstanceId::new("A").unwrap();
        for number in 0..MANY {
            let second = number / 7_000 * 60 + 1;
            let created = Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(second));
            batch.push(template, &format!("{number:06}"), &instance, None, created);
        }
        let log = MemoryLog::default();
        log.append(&batch).await;
        let untold = batch.exposures().next().map(|of: Exposure<'_>| {
            let record = of.to_record(CellFormat::Json).unwrap();
            let Row { key, cells } = record.row().clone();
            let key = [&key[..], b"x"].concat();
            Row {
                key,
                cells: cells.with("CreatedTimestamp", "soon"),
            }
        });
        log.insert_or_compare(&untold.unwrap().into())
            .await
            .unwrap();
        log
    }

    /// The sizes of the parts in which the newest are visited, and their times.
    async fn visited(limit: usize) -> (Vec<usize>, Vec<Option<Timestamp>>) {
        let selection = Selection {
            flag: flag(),
            names_in_log: Vec::new(),
            within: TimeRange::ALL,
            group: None,
        };
        let (mut parts, mut times, mut keys) = (Vec::new(), Vec::new(), HashSet::new());
        let visit = |records: Vec<ExposureRecord>| {
            parts.push(records.len());
            times.extend(records.iter().map(ExposureRecord::created));
            keys.extend(records.iter().map(|record| record.key().to_vec()));
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        };
        let log = log().await;
        let unreadable = selection.each_newest(&log, limit, visit).await;
        assert!(unreadable.unwrap().0.is_empty());
        assert_eq!(keys.len(), times.len(), "some came twice");
        (parts, times)
    }

    #[tokio::test]
    async fn many_of_the_newest_are_visited_in_parts_and_in_their_order() {
        let (parts, times) = visited(44_000).await;
        assert_eq!(parts, [20_000, 20_000, 4_000]);
        assert!(times.is_sorted_by(|one, other| one >= other));
        let (parts, times) = visited(1_000_000).await;
        assert!(parts.iter().all(|part| *part <= 20_000), "{parts:?}");
        assert_eq!(times.len() as u64, MANY + 1);
        assert_eq!(times.last(), Some(&None));
        assert!(times.is_sorted_by(|one, other| one >= other));
    }
}
