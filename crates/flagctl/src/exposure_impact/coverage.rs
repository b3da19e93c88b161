//! Whether the log has all exposures that the services have counted.

use flag_model::{FlagKey, Timestamp};
use flag_store::{
    BatchPage, ExposureBatch, ExposureLog, ExposureRecord, Minute, MinuteCounts, StoreError,
    TimeRange,
};

/// How many whole minutes before the reading are left to the services: one counts an exposure a moment before it is logged.
const UNSETTLED: i64 = 1;

/// What the services counted in some whole minutes, and what the log has of these.
pub(super) struct Coverage {
    minutes: TimeRange,
    counted: u64,
    logged: u64,
    /// What of the log cannot be read.
    unreadable: u64,
}

impl Coverage {
    /// Reads the counts from one time to another. The log is read after that: what is counted meanwhile must not count.
    pub(super) async fn begin(
        log: &dyn ExposureLog,
        flag: &FlagKey,
        (since, now): (Timestamp, Timestamp),
    ) -> Result<Self, StoreError> {
        let first = Minute::of(since).plus(1);
        let end = Minute::of(now).plus(-UNSETTLED).max(first);
        let counts = log.counts(flag, first..end);
        Ok(Self {
            counted: counts.await?.iter().map(MinuteCounts::total).sum(),
            minutes: TimeRange {
                since: Some(first.start()),
                until: Some(end.start()),
            },
            logged: 0,
            unreadable: 0,
        })
    }

    /// Adds the exposures of a page.
    pub(super) fn add(&mut self, page: &BatchPage) {
        let of_records = page.records.iter().map(ExposureRecord::created);
        let of_batches = page
            .batches
            .iter()
            .flat_map(ExposureBatch::templates_and_times);
        let of_batches = of_batches.map(|(_, created)| Some(created));
        let created = of_records.chain(of_batches);
        self.logged += created.filter(|at| self.minutes.contains(*at)).count() as u64;
        let unreadable = page.unreadable.iter().map(|batch| batch.exposure_count);
        self.unreadable += unreadable.sum::<u64>();
    }

    /// How many exposures the log lacks, at least. Of those that cannot be read some may have been counted.
    pub(super) fn missing(&self) -> u64 {
        let unlogged = self.counted.saturating_sub(self.logged);
        unlogged.max(self.unreadable)
    }

    /// What is said of them.
    pub(super) fn warning(&self) -> Option<String> {
        let (missing, unreadable) = (self.missing(), self.unreadable);
        let why = match unreadable {
            _ if missing == 0 => return None,
            0 => "were counted in that time and are not in the log".to_owned(),
            _ => format!(
                "are missing, of which {unreadable} cannot be read (`flagctl verify` names them)"
            ),
        };
        Some(format!(
            "warning: {missing} exposures {why}, so instances may be missing"
        ))
    }
}

#[cfg(test)]
mod tests {
    use flag_store::memory::MemoryLog;
    use flag_store::{CountKey, CountsWriterId, UnreadableBatch};

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_read_is_missing() {
        let flag: FlagKey = "p/feature/f".parse().unwrap();
        let at = |minutes| Minute::from_number(minutes).start();
        let log = MemoryLog::default();
        let mut counts = MinuteCounts::new(flag.clone(), Minute::of(at(7)));
        counts.add(&CountKey::Others, 8);
        log.write_counts(CountsWriterId(1), &[counts])
            .await
            .unwrap();
        let coverage = Coverage::begin(&log, &flag, (at(1), at(10)));
        let mut coverage = coverage.await.unwrap();
        assert_eq!(coverage.missing(), 8);
        coverage.add(&BatchPage {
            unreadable: vec![UnreadableBatch {
                flag,
                exposure_count: 250,
                oldest: at(6),
                newest: at(7),
                problem: "block 7 is damaged".to_owned(),
            }],
            ..BatchPage::default()
        });
        assert_eq!(coverage.missing(), 250);
        let said = coverage.warning().unwrap();
        assert!(said.contains("250 cannot be read"), "{said}");
    }
}
