//! Whether the log has all exposures that the services have counted.

use flag_model::{FlagKey, Timestamp};
use flag_store::{
    BatchPage, CountsQuery, CountsScope, ExposureLog, Minute, MinuteCounts, StoreError, TimeRange,
};

/// How many whole minutes before the reading are left to the services: one counts an exposure a moment before it is logged.
const UNSETTLED: i64 = 1;

/// What the services counted in some whole minutes, and what the log has of these.
pub(super) struct Coverage {
    minutes: TimeRange,
    counted: u64,
    logged: u64,
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
        let counts = log.counts(CountsQuery {
            of: CountsScope::Flag(flag),
            since: first,
            until: end,
        });
        Ok(Self {
            counted: counts.await?.iter().map(MinuteCounts::total).sum(),
            minutes: TimeRange {
                since: Some(first.start()),
                until: Some(end.start()),
            },
            logged: 0,
        })
    }

    /// Adds the exposures of a page.
    pub(super) fn add(&mut self, page: &BatchPage) {
        let of_records = page.records.iter().map(|record| record.created());
        let of_batches = page.batches.iter().flat_map(|batch| batch.served());
        let of_batches = of_batches.map(|(_, created)| Some(created));
        let created = of_records.chain(of_batches);
        self.logged += created.filter(|at| self.minutes.contains(*at)).count() as u64;
    }

    /// How many exposures the log lacks.
    pub(super) fn missing(&self) -> u64 {
        self.counted.saturating_sub(self.logged)
    }

    /// What is said of them.
    pub(super) fn warning(&self) -> Option<String> {
        let missing = self.missing();
        (missing > 0).then(|| {
            format!(
                "warning: {missing} exposures were counted in that time and are not in the log, so instances may be missing"
            )
        })
    }
}
