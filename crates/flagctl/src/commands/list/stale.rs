//! Flags that are probably no longer needed: by their last day, by the counts of answers, and by what they decide.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use flag_model::{Date, FlagKey, FlagValue, Percent, Revision, Timestamp};
use flag_store::{ExposureLog, FlagEntry, Minute, StoreError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

const DAY: Duration = Duration::from_hours(24);

/// Flags whose last exposures one call reads, and calls at a time.
const FLAGS: usize = 20;
const READS: usize = 8;

/// Which flags had an exposure since a time.
pub(super) struct Staleness {
    days: u32,
    since: Timestamp,
    with_exposures: HashSet<FlagKey>,
    today: Option<Date>,
}

impl Staleness {
    /// Reads the counts of some days, which are kept for 30.
    pub(super) async fn read(
        log: &dyn ExposureLog,
        flags: &[FlagEntry],
        days: u32,
        now: Timestamp,
        today: Option<Date>,
    ) -> Result<Self, StoreError> {
        let since = now.saturating_sub(DAY * days);
        let within = Minute::of(since)..Minute::of(now).plus(1);
        let flags: Vec<FlagKey> = flags.iter().map(|entry| entry.flag.clone()).collect();
        let reads = flags.chunks(FLAGS).map(async |flags| {
            let minutes = log.last_counted(flags, within.clone()).await?;
            Ok(flags.iter().zip(minutes))
        });
        let mut reads = stream::iter(reads).buffer_unordered(READS);
        let mut with_exposures = HashSet::new();
        while let Some(counted) = reads.try_next().await? {
            with_exposures
                .extend(counted.filter_map(|(flag, minute)| minute.map(|_| flag.clone())));
        }
        Ok(Self {
            days,
            since,
            with_exposures,
            today,
        })
    }

    /// The flags that are stale, each with why.
    pub(super) fn reasons(&self, flags: &[FlagEntry]) -> BTreeMap<FlagKey, String> {
        let reasons = flags.iter().filter_map(|entry| {
            let reasons = self.of(entry);
            (!reasons.is_empty()).then(|| (entry.flag.clone(), reasons.join("; ")))
        });
        reasons.collect()
    }

    fn of(&self, entry: &FlagEntry) -> Vec<String> {
        let mut reasons = Vec::new();
        let metadata = entry.metadata.as_ref().and_then(|row| row.as_ref().ok());
        let expires_on = metadata.and_then(|metadata| metadata.expires_on);
        if let Some(day) = expires_on.filter(|day| Some(*day) < self.today) {
            reasons.push(format!("should have been removed by {day}"));
        }
        let revision = entry.revision.as_ref().and_then(|row| row.as_ref().ok());
        // What was revised since then is in use.
        if let Some(revision) = revision.filter(|revision| revision.created() < self.since) {
            let days = self.days;
            if !self.with_exposures.contains(&entry.flag) {
                reasons.push(format!("not asked for in {days} days"));
            }
            if has_one_value(revision) {
                reasons.push(format!("one value for everybody for {days} days"));
            }
        }
        reasons
    }
}

/// Whether every instance gets the same value.
fn has_one_value(revision: &Revision) -> bool {
    let treatments = revision.treatments.iter();
    let reached = treatments
        .filter(|one| one.percent > Percent::ZERO || !one.overrides.is_empty())
        .map(|one| &one.value);
    let control = (revision.control_percent() > Percent::ZERO).then_some(&revision.control);
    let values: HashSet<String> = reached.chain(control).map(FlagValue::to_string).collect();
    values.len() <= 1
}
