//! Counts of served exposures per flag, minute, revision, rollout group and reason.
//!
//! Each replica counts what it logs, and writes the counts of a minute as one cell, which it replaces while they grow.
//! Readers add up the cells of all replicas.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use flag_model::{FlagKey, Invalid, Reason, Timestamp, quoted};

use crate::exposure_batch::ExposureTemplate;
use crate::exposure_log::ExposureLog;
use crate::store_error::StoreError;

/// The most entries in the cell of a minute; the last one may be [`CountKey::Others`].
pub const MAX_ENTRIES_PER_MINUTE: usize = 100;

const MINUTE_MICROS: i64 = 60_000_000;

/// An entry of a cell: revision, rollout group, reason, count.
type Entry = (Option<String>, Option<String>, Option<String>, u64);

/// A minute in UTC, as the number of minutes since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(i64);

impl Minute {
    /// The minutes of an hour.
    pub const PER_HOUR: i64 = 60;

    /// The minute that an instant is in.
    pub fn of(time: Timestamp) -> Self {
        Self(time.unix_micros().div_euclid(MINUTE_MICROS))
    }

    /// The minute with this number.
    pub fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    pub fn number(self) -> i64 {
        self.0
    }

    /// Its first instant; outside the years 1 to 9999 the nearest instant within.
    pub fn start(self) -> Timestamp {
        let distance = Duration::from_secs(self.0.unsigned_abs().saturating_mul(60));
        if self.0 < 0 {
            Timestamp::UNIX_EPOCH.saturating_sub(distance)
        } else {
            Timestamp::UNIX_EPOCH.saturating_add(distance)
        }
    }

    /// The minute this many minutes later.
    #[must_use]
    pub fn plus(self, minutes: i64) -> Self {
        Self(self.0.saturating_add(minutes))
    }
}

impl fmt::Debug for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.start(), f)
    }
}

/// Identifies a writer of counts, so that none replaces the counts of another. Each replica has its own, and
/// another one after its clock was set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountsWriterId(pub u128);

impl fmt::Display for CountsWriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The key of a counter: which exposures are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CountKey {
    /// Exposures of one revision, rollout group and reason.
    Group {
        /// The revision that decided.
        revision: Option<Timestamp>,
        /// The rollout group that was served.
        rollout_group: String,
        /// Which rule decided.
        reason: Option<Reason>,
    },
    /// The others, where there are more than [`MAX_ENTRIES_PER_MINUTE`] groups. In cells its group is `null`, which no group can be.
    Others,
}

impl From<&ExposureTemplate> for CountKey {
    fn from(template: &ExposureTemplate) -> Self {
        Self::Group {
            revision: template.revision,
            rollout_group: template.rollout_group.clone(),
            reason: template.reason,
        }
    }
}

/// The counts of a flag in a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinuteCounts {
    /// The flag.
    pub flag: FlagKey,
    /// The minute that is counted: in which the exposures were served, or, after a long outage of the store, in which they
    /// were taken from the queue.
    pub minute: Minute,
    entries: Vec<(CountKey, u64)>,
}

impl MinuteCounts {
    /// No counts yet.
    pub fn new(flag: FlagKey, minute: Minute) -> Self {
        Self {
            flag,
            minute,
            entries: Vec::new(),
        }
    }

    /// Adds to a count; to that of the others if there are [`MAX_ENTRIES_PER_MINUTE`].
    pub fn add(&mut self, count_key: &CountKey, exposures: u64) {
        let is_there = self.entries.iter().any(|(there, _)| there == count_key);
        if is_there || self.entries.len() + 1 < MAX_ENTRIES_PER_MINUTE {
            self.add_entry(count_key.clone(), exposures);
        } else {
            self.add_entry(CountKey::Others, exposures);
        }
    }

    fn add_entry(&mut self, count_key: CountKey, exposures: u64) {
        match self
            .entries
            .iter_mut()
            .find(|(there, _)| *there == count_key)
        {
            Some((_, count)) => *count = count.saturating_add(exposures),
            None => self.entries.push((count_key, exposures)),
        }
    }

    /// The counts, one for each key.
    pub fn entries(&self) -> &[(CountKey, u64)] {
        &self.entries
    }

    /// How many exposures there are in all.
    pub fn total(&self) -> u64 {
        let counts = self.entries.iter().map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }

    /// The cell: a JSON array of `[revision, rollout group, reason, count]`.
    pub fn cell(&self) -> String {
        let entries = self
            .entries
            .iter()
            .map(|(count_key, count)| match count_key {
                CountKey::Group {
                    revision,
                    rollout_group,
                    reason,
                } => (
                    revision.map(|revision| revision.to_string()),
                    Some(rollout_group.as_str()),
                    reason.map(Reason::as_str),
                    *count,
                ),
                CountKey::Others => (None, None, None, *count),
            });
        let entries: Vec<_> = entries.collect();
        // Texts and numbers can always be written.
        serde_json::to_string(&entries).unwrap_or_default()
    }

    /// Reads a cell.
    pub fn of_cell(flag: FlagKey, minute: Minute, cell: &[u8]) -> Result<Self, Invalid> {
        let refused = || {
            let found = quoted(&String::from_utf8_lossy(cell));
            Invalid::new("counts", found, "[[revision, group, reason, count], …]")
        };
        let entries: Vec<Entry> = serde_json::from_slice(cell).map_err(|_| refused())?;
        let mut counts = Self::new(flag, minute);
        for (revision, rollout_group, reason, count) in entries {
            let revision = revision.as_deref().map(Timestamp::parse).transpose()?;
            let reason = match reason {
                Some(reason) => Some(Reason::parse(&reason).ok_or_else(refused)?),
                None => None,
            };
            let count_key = rollout_group.map(|rollout_group| CountKey::Group {
                revision,
                rollout_group,
                reason,
            });
            counts.add_entry(count_key.unwrap_or(CountKey::Others), count);
        }
        Ok(counts)
    }
}

/// How far back exposures are compared with the percentages of a revision.
const SPLIT_WINDOW: Duration = Duration::from_hours(24);

/// The exposures of a revision of the last 24 hours by rollout group, without overrides and without those that list all flags:
/// what its percentages are compared with.
pub async fn exposures_by_group(
    log: &dyn ExposureLog,
    flag: &FlagKey,
    revision: Timestamp,
    now: Timestamp,
) -> Result<HashMap<String, u64>, StoreError> {
    let since = revision.max(now.saturating_sub(SPLIT_WINDOW));
    let within = Minute::of(since)..Minute::of(now).plus(1);
    let mut exposures = HashMap::new();
    for counts in log.counts(flag, within).await? {
        for (count_key, count) in counts.entries {
            if let CountKey::Group {
                revision: Some(of),
                rollout_group,
                reason,
            } = count_key
                && of == revision
                && !matches!(reason, Some(Reason::Override | Reason::Delivered))
            {
                *exposures.entry(rollout_group).or_default() += count;
            }
        }
    }
    Ok(exposures)
}

/// Adds up the counts of replicas.
#[derive(Debug, Default)]
pub struct CountsSum(BTreeMap<Minute, MinuteCounts>);

impl CountsSum {
    /// Adds the counts of a replica.
    pub fn add(&mut self, counts: MinuteCounts) {
        match self.0.get_mut(&counts.minute) {
            None => {
                self.0.insert(counts.minute, counts);
            }
            Some(sum) => {
                for (count_key, count) in counts.entries {
                    sum.add_entry(count_key, count);
                }
            }
        }
    }

    /// The counts in the order of their minutes.
    pub fn into_counts(self) -> Vec<MinuteCounts> {
        self.0.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flag() -> FlagKey {
        "p/feature/f".parse().unwrap()
    }

    fn group(name: &str) -> CountKey {
        CountKey::Group {
            revision: Some(Timestamp::UNIX_EPOCH),
            rollout_group: name.to_owned(),
            reason: Some(Reason::Rollout),
        }
    }

    fn counts() -> MinuteCounts {
        MinuteCounts::new(flag(), Minute::from_number(7))
    }

    #[test]
    fn a_cell_is_an_array_of_revision_group_reason_and_count() {
        let mut counts = counts();
        counts.add(&group("a"), 2);
        counts.add(&CountKey::Others, 4);
        counts.add(&group("a"), 1);
        let cell = r#"[["1970-01-01 00:00:00.000000","a","rollout",3],[null,null,null,4]]"#;
        assert_eq!(counts.cell(), cell);
    }

    #[test]
    fn more_groups_than_a_cell_takes_are_counted_together_whatever_they_are_named() {
        let mut counts = counts();
        for number in 0..150 {
            counts.add(&group(&format!("group_{number}")), 1);
        }
        counts.add(&group("group_0"), 1);
        counts.add(&group("Others"), 1);
        assert_eq!(counts.entries().len(), MAX_ENTRIES_PER_MINUTE);
        assert_eq!(counts.entries().first(), Some(&(group("group_0"), 2)));
        assert_eq!(counts.entries().last(), Some(&(CountKey::Others, 52)));
        assert_eq!(counts.total(), 152);
    }

    #[test]
    fn what_is_no_cell_is_refused() {
        for cell in [
            "",
            "{}",
            r#"[["soon","a","rollout",3]]"#,
            r#"[[null,"a","luck",3]]"#,
            r#"[[null,"a",null,-3]]"#,
        ] {
            let minute = Minute::from_number(7);
            assert!(MinuteCounts::of_cell(flag(), minute, cell.as_bytes()).is_err());
        }
    }

    #[test]
    fn a_minute_begins_at_second_zero() {
        let time = Timestamp::parse("2026-11-22 10:07:59.999999").unwrap();
        let start = "2026-11-22 10:07:00.000000";
        assert_eq!(Minute::of(time).start().to_string(), start);
        assert_eq!(Minute::of(time), Minute::of(Minute::of(time).start()));
        for (number, year) in [(i64::MIN, "0001"), (-1, "1969"), (i64::MAX, "9999")] {
            let start = Minute::from_number(number).start().to_string();
            assert_eq!(start.get(..4), Some(year));
        }
    }

    fn any_count_key() -> impl Strategy<Value = CountKey> {
        let revision = proptest::option::of(0..9_i64);
        let reason = proptest::option::of(0..3_usize);
        let group = (revision, "[a-c\"#é]{0,2}", reason).prop_map(|(revision, name, reason)| {
            let reasons = [
                Reason::Override,
                Reason::Rollout,
                Reason::Control,
                Reason::Delivered,
            ];
            CountKey::Group {
                revision: revision.and_then(Timestamp::from_unix_micros),
                rollout_group: name,
                reason: reason.map(|reason| reasons[reason]),
            }
        });
        prop_oneof![9 => group, 1 => Just(CountKey::Others)]
    }

    proptest! {
        #[test]
        fn counts_come_back_from_their_cell(
            added in proptest::collection::vec((any_count_key(), any::<u64>()), 0..200),
        ) {
            let mut counts = counts();
            for (count_key, count) in &added {
                counts.add(count_key, *count);
            }
            prop_assert!(counts.entries().len() <= MAX_ENTRIES_PER_MINUTE);
            let cell = counts.cell();
            let read = MinuteCounts::of_cell(flag(), counts.minute, cell.as_bytes());
            prop_assert_eq!(read, Ok(counts));
        }
    }
}
