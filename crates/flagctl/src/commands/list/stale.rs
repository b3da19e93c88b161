//! Flags that are probably no longer needed: by their last day, by the counts of answers, and by what they decide.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use flag_model::{Date, FlagKey, FlagValue, Percent, ProjectName, Revision, Timestamp};
use flag_store::{CountsQuery, CountsScope, ExposureLog, FlagEntry, Minute, StoreError};

const DAY: Duration = Duration::from_hours(24);

/// Which flags were asked for since a time.
pub(super) struct Staleness {
    days: u32,
    since: Timestamp,
    asked: HashSet<FlagKey>,
    today: Option<Date>,
}

impl Staleness {
    /// Reads the counts of some days, which are kept for 30.
    pub(super) async fn read(
        log: &dyn ExposureLog,
        project: &ProjectName,
        days: u32,
        now: Timestamp,
        today: Option<Date>,
    ) -> Result<Self, StoreError> {
        let since = now.saturating_sub(DAY * days);
        let query = CountsQuery {
            scope: CountsScope::Project(project),
            since: Minute::of(since),
            until: Minute::of(now).plus(1),
        };
        let counts = log.counts(query).await?;
        Ok(Self {
            days,
            since,
            asked: counts.into_iter().map(|counts| counts.flag).collect(),
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
            if !self.asked.contains(&entry.flag) {
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
    let total: u32 = (revision.treatments.iter())
        .map(|one| one.percent.buckets())
        .sum();
    let control = (total < Percent::HUNDRED.buckets()).then_some(&revision.control);
    let values: HashSet<String> = reached.chain(control).map(FlagValue::to_string).collect();
    values.len() <= 1
}
