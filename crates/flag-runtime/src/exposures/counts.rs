//! Counts of exposures by flag and minute, in memory until they are written and can change no more.
//!
//! The writer of exposures counts each batch before its first attempt. A minute counts what was served in it; an exposure
//! that is taken more than [`LATE`] after it was served, such as after an outage, counts in the minute in which it is
//! taken, so that no minute changes for longer.
//!
//! A write of a minute replaces what the same writer wrote of it before. So when the clock was set back to minutes that are no
//! longer in memory, new counts get a new writer id.

mod metrics;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_store::{CountKey, CountsWriterId, ExposureBatch, ExposureTemplate, Minute, MinuteCounts};

pub(crate) use self::metrics::CountsMetrics;
pub(crate) use self::writer::CountsWriter;

/// How long counts are kept by a store without a rule for its table: 30 days, but no longer than exposures; for ever if those are.
pub const COUNTS_RETENTION: Duration = Duration::from_hours(720);

/// How many minutes after a minute its exposures may be taken and still count in it.
const LATE: i64 = 60;

/// The most entries in memory, about 200 bytes each, besides those of the latest minute. Beyond that the oldest minutes
/// are given up.
const MAX_ENTRIES_IN_MEMORY: usize = 50_000;

/// Counts that the writers of exposures add to, and the writer of counts takes from.
#[derive(Debug)]
pub(crate) struct MinuteCounter(Mutex<State>);

#[derive(Debug)]
struct State {
    minutes: BTreeMap<Minute, HashMap<FlagKey, FlagMinute>>,
    /// No earlier minute changes any more.
    floor: Minute,
    /// The writer id of counts that are new; random, so that it overwrites no earlier run.
    writer_id: CountsWriterId,
    entries: usize,
    /// How many exposures were given up since they were taken last.
    lost: u64,
}

/// The counts of a flag in a minute.
#[derive(Debug)]
struct FlagMinute {
    writer_id: CountsWriterId,
    counts: MinuteCounts,
    state: WriteState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteState {
    /// They are to be written.
    Changed,
    /// They are being written as they are.
    Taken,
    /// They are written as they are.
    Written,
}

/// Whether the store has taken counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteResult {
    /// It has.
    Yes,
    /// It has not, as far as is known.
    No,
}

impl MinuteCounter {
    /// No counts yet.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            minutes: BTreeMap::new(),
            floor: Minute::from_number(i64::MIN),
            writer_id: new_writer_id(),
            entries: 0,
            lost: 0,
        }))
    }

    /// Counts the exposures of a batch that is taken now.
    pub(crate) fn add(&self, batch: &ExposureBatch, now: Timestamp) {
        let templates = batch.templates();
        let mut tally = vec![0_u64; templates.len()];
        let mut state = self.state();
        state.restart_if_clock_went_back(now);
        let mut current = None;
        for (template, created) in batch.templates_and_times() {
            let minute = state.minute_of(created, now);
            // Nearly all exposures of a batch were served in one minute.
            if current != Some(minute) {
                state.add_all(current, templates, &mut tally);
                current = Some(minute);
            }
            if let Some(count) = tally.get_mut(template.get()) {
                *count += 1;
            }
        }
        state.add_all(current, templates, &mut tally);
        state.make_room();
    }

    /// Counts an exposure of a flag that somebody else served.
    pub(crate) fn add_one(
        &self,
        flag: &FlagKey,
        count_key: &CountKey,
        served: Timestamp,
        now: Timestamp,
    ) {
        let mut state = self.state();
        state.restart_if_clock_went_back(now);
        let minute = state.minute_of(served, now);
        state.add(minute, flag, count_key, 1);
        state.make_room();
    }

    /// Takes at most this many counts of a writer that are not written; each must be finished. `None` if all are written.
    pub(crate) fn take(&self, max: usize) -> Option<(CountsWriterId, Vec<MinuteCounts>)> {
        let mut state = self.state();
        let flag_minutes = state.minutes.values_mut().flat_map(HashMap::values_mut);
        let mut changed =
            flag_minutes.filter(|flag_minute| flag_minute.state == WriteState::Changed);
        let first = changed.next()?;
        let writer_id = first.writer_id;
        let same = changed.filter(|flag_minute| flag_minute.writer_id == writer_id);
        let taken = std::iter::once(first)
            .chain(same)
            .take(max)
            .map(|flag_minute| {
                flag_minute.state = WriteState::Taken;
                flag_minute.counts.clone()
            });
        Some((writer_id, taken.collect()))
    }

    /// Notes whether counts that were taken are written. What was counted meanwhile is to be written in any case.
    pub(crate) fn finish(&self, taken: &[MinuteCounts], result: WriteResult) {
        let mut state = self.state();
        for counts in taken {
            let flags = state.minutes.get_mut(&counts.minute);
            let flag_minute = flags.and_then(|flags| flags.get_mut(&counts.flag));
            if let Some(flag_minute) =
                flag_minute.filter(|flag_minute| flag_minute.state == WriteState::Taken)
            {
                flag_minute.state = match result {
                    WriteResult::Yes => WriteState::Written,
                    WriteResult::No => WriteState::Changed,
                };
            }
        }
    }

    /// Forgets minutes that are written and can change no more.
    pub(crate) fn forget(&self, now: Timestamp) {
        let mut state = self.state();
        let floor = state.floor.max(Minute::of(now).plus(-LATE));
        state.floor = floor;
        state.minutes.retain(|minute, flags| {
            *minute >= floor
                || flags
                    .values()
                    .any(|flag_minute| flag_minute.state != WriteState::Written)
        });
        let flag_minutes = state.minutes.values().flat_map(HashMap::values);
        state.entries = flag_minutes
            .map(|flag_minute| flag_minute.counts.entries().len())
            .sum();
    }

    /// How many exposures are in counts that are not written.
    pub(crate) fn unwritten(&self) -> u64 {
        let state = self.state();
        let flag_minutes = state.minutes.values().flat_map(HashMap::values);
        let unwritten = flag_minutes.filter(|flag_minute| flag_minute.state != WriteState::Written);
        unwritten
            .map(|flag_minute| flag_minute.counts.total())
            .sum()
    }

    /// How many exposures were given up since the last call.
    pub(crate) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.state().lost)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_writer_id() -> CountsWriterId {
    CountsWriterId(fastrand::u128(..))
}

impl State {
    /// Starts again with a new writer id if the clock went back to minutes whose counts are final.
    fn restart_if_clock_went_back(&mut self, now: Timestamp) {
        let now = Minute::of(now);
        if now < self.floor {
            self.writer_id = new_writer_id();
            self.floor = now.plus(-LATE);
        }
    }

    /// The minute in which an exposure counts.
    fn minute_of(&self, served: Timestamp, now: Timestamp) -> Minute {
        let (served, now) = (Minute::of(served), Minute::of(now));
        if served < self.floor.max(now.plus(-LATE)) {
            now
        } else {
            served
        }
    }

    /// Adds what was tallied of each template in a minute, and begins the tally anew.
    fn add_all(
        &mut self,
        minute: Option<Minute>,
        templates: &[ExposureTemplate],
        tally: &mut [u64],
    ) {
        let Some(minute) = minute else { return };
        for (template, count) in templates.iter().zip(tally) {
            let count = std::mem::take(count);
            if count > 0 {
                self.add(minute, &template.flag, &CountKey::from(template), count);
            }
        }
    }

    fn add(&mut self, minute: Minute, flag: &FlagKey, count_key: &CountKey, count: u64) {
        let flags = self.minutes.entry(minute).or_default();
        if !flags.contains_key(flag) {
            let flag_minute = FlagMinute {
                writer_id: self.writer_id,
                counts: MinuteCounts::new(flag.clone(), minute),
                state: WriteState::Changed,
            };
            flags.insert(flag.clone(), flag_minute);
        }
        if let Some(flag_minute) = flags.get_mut(flag) {
            let before = flag_minute.counts.entries().len();
            flag_minute.counts.add(count_key, count);
            flag_minute.state = WriteState::Changed;
            self.entries += flag_minute.counts.entries().len() - before;
        }
    }

    /// Gives up the oldest minutes while there are too many entries, but never the latest one.
    fn make_room(&mut self) {
        while self.entries > MAX_ENTRIES_IN_MEMORY
            && self.minutes.len() > 1
            && let Some((minute, flags)) = self.minutes.pop_first()
        {
            self.floor = self.floor.max(minute.plus(1));
            for flag_minute in flags.values() {
                self.entries -= flag_minute.counts.entries().len();
                if flag_minute.state != WriteState::Written {
                    self.lost += flag_minute.counts.total();
                }
            }
        }
    }
}
