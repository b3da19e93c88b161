//! The counts of a span of time, added up by bar: a month of minutes is too much to be kept, and perhaps to be read in time.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use flag_model::FlagKey;
use flag_store::{CountKey, ExposureLog, Minute, MinuteCounts, StoreError};
use tokio::time::{Instant, timeout_at};

/// How long the counts may take; what was read until then is shown.
const BUDGET: Duration = Duration::from_millis(1_200);

/// How many minutes are read at once.
const AT_ONCE: i64 = 2 * 24 * 60;

/// Exposures by bar and by what is counted together.
#[derive(Debug, Default)]
pub(super) struct Tally {
    exposures: HashMap<(i64, CountKey), u64>,
    /// The first minute that was read, if those before it took too long.
    pub(super) cut_at: Option<Minute>,
    /// Whether that is because the exposure log failed, and not because time was up.
    pub(super) has_failed: bool,
}

impl Tally {
    /// Reads counts, the newest first, into bars of this many minutes; an error if not even those were read in time.
    pub(super) async fn read(
        log: &dyn ExposureLog,
        flag: &FlagKey,
        within: Range<Minute>,
        bar: i64,
    ) -> Result<Self, Option<StoreError>> {
        let ends = Instant::now() + BUDGET;
        let (mut tally, mut until) = (Self::default(), within.end);
        while until > within.start {
            let since = until.plus(-AT_ONCE).max(within.start);
            match timeout_at(ends, log.counts(flag, since..until)).await {
                Ok(Ok(counts)) => tally.add_all(&counts, within.start, bar),
                Ok(Err(error)) if until == within.end => return Err(Some(error)),
                Err(_) if until == within.end => return Err(None),
                cut => {
                    tally.cut_at = Some(until);
                    tally.has_failed = cut.is_ok();
                    break;
                }
            }
            until = since;
        }
        Ok(tally)
    }

    fn add_all(&mut self, counts: &[MinuteCounts], since: Minute, bar: i64) {
        for counts in counts {
            let bar = (counts.minute.number() - since.number()).div_euclid(bar.max(1));
            for (count_key, count) in counts.entries() {
                self.add(bar, count_key, *count);
            }
        }
    }

    /// Adds exposures to a bar.
    pub(super) fn add(&mut self, bar: i64, count_key: &CountKey, count: u64) {
        let total = self.exposures.entry((bar, count_key.clone())).or_default();
        *total = total.saturating_add(count);
    }

    /// All exposures, with the bars that they are in.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &CountKey, u64)> {
        let exposures = self.exposures.iter();
        exposures.map(|((bar, count_key), count)| (*bar, count_key, *count))
    }
}

#[cfg(test)]
mod tests {
    use flag_store::CountsWriterId;
    use flag_store::scripted::{ScriptedLog, Step};
    use tokio::time::sleep;

    use super::*;

    /// A log with one exposure in each hour of 30 days, each read of which takes this long.
    async fn log(flag: &FlagKey, takes: Duration) -> ScriptedLog {
        let log = ScriptedLog::default();
        let counts = (0..30 * 24).map(|hour| {
            let mut counts = MinuteCounts::new(flag.clone(), Minute::from_number(hour * 60));
            counts.add(&CountKey::Others, 1);
            counts
        });
        let counts: Vec<_> = counts.collect();
        log.write_counts(CountsWriterId(1), &counts).await.unwrap();
        log.script(move |_| async move {
            sleep(takes).await;
            Step::Pass
        });
        log
    }

    async fn read(takes: Duration) -> Result<Tally, Option<StoreError>> {
        let flag: FlagKey = "p/feature/f".parse().unwrap();
        let log = log(&flag, takes).await;
        let month = Minute::from_number(0)..Minute::from_number(30 * 24 * 60);
        Tally::read(&log, &flag, month, 8 * 60).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_month_is_added_up_by_bar() {
        let tally = read(Duration::from_millis(10)).await.unwrap();
        assert_eq!(tally.cut_at, None);
        let mut bars: Vec<_> = tally.iter().map(|(bar, _, count)| (bar, count)).collect();
        bars.sort_unstable();
        assert_eq!(bars, (0..90).map(|bar| (bar, 8)).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_left_out_and_the_newest_is_shown() {
        let tally = read(Duration::from_millis(500)).await.unwrap();
        // Two reads of two days each.
        assert_eq!(tally.cut_at, Some(Minute::from_number(26 * 24 * 60)));
        assert_eq!(tally.iter().map(|(.., count)| count).sum::<u64>(), 4 * 24);
        assert!(matches!(read(Duration::from_secs(2)).await, Err(None)));
    }
}
