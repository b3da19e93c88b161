//! Counts of logged exposures by flag and minute, in memory until they are written and can change no more.
//!
//! The writer of exposures counts each batch before its first attempt. A minute counts what was served in it; an exposure
//! that is taken more than [`LATE`] after it was served, such as after an outage, counts in the minute in which it is
//! taken, so that no minute changes for longer.

mod metrics;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_store::{Counted, ExposureBatch, Minute, MinuteCounts, Outcome};

pub(crate) use self::metrics::CountsMetrics;
pub(crate) use self::writer::CountsWriter;

/// How long counts are kept by a store without a rule for its table.
pub const COUNTS_RETENTION: Duration = Duration::from_hours(30 * 24);

/// How many minutes after a minute its exposures may be taken and still count in it.
const LATE: i64 = 60;

/// The most entries in memory, about 200 bytes each, besides those of the latest minute. Beyond that the oldest minutes
/// are given up.
const MAX_ENTRIES: usize = 50_000;

/// Counts that the writer of exposures adds to, and the writer of counts takes from.
#[derive(Debug)]
pub(crate) struct Counts(Mutex<State>);

#[derive(Debug)]
struct State {
    minutes: BTreeMap<Minute, HashMap<FlagKey, Cell>>,
    /// No earlier minute changes any more.
    floor: Minute,
    entries: usize,
    /// How many exposures were given up since they were taken last.
    lost: u64,
}

/// The counts of a flag in a minute.
#[derive(Debug)]
struct Cell {
    counts: MinuteCounts,
    state: CellState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CellState {
    /// They are to be written.
    Changed,
    /// They are being written as they are.
    Taken,
    /// They are written as they are.
    Written,
}

/// Whether the store has taken counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It has.
    Yes,
    /// It has not, as far as is known.
    No,
}

impl Counts {
    /// No counts yet.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            minutes: BTreeMap::new(),
            floor: Minute::from_number(i64::MIN),
            entries: 0,
            lost: 0,
        }))
    }

    /// Counts the exposures of a batch that is taken now.
    pub(crate) fn add(&self, batch: &ExposureBatch, now: Timestamp) {
        let outcomes = batch.outcomes();
        let mut tally = vec![0_u64; outcomes.len()];
        let mut state = self.state();
        let earliest = state.floor.max(Minute::of(now).plus(-LATE));
        let taken = earliest.max(Minute::of(now));
        let mut current = None;
        for (outcome, created) in batch.served() {
            let served = Minute::of(created);
            let minute = if served < earliest { taken } else { served };
            // Nearly all exposures of a batch were served in one minute.
            if current != Some(minute) {
                state.add(current, outcomes, &mut tally);
                current = Some(minute);
            }
            if let Some(count) = tally.get_mut(outcome.get()) {
                *count += 1;
            }
        }
        state.add(current, outcomes, &mut tally);
        state.make_room();
    }

    /// Takes at most this many counts that are not written; each must be finished.
    pub(crate) fn take(&self, most: usize) -> Vec<MinuteCounts> {
        let mut state = self.state();
        let cells = state.minutes.values_mut().flat_map(HashMap::values_mut);
        let changed = cells.filter(|cell| cell.state == CellState::Changed);
        let taken = changed.take(most).map(|cell| {
            cell.state = CellState::Taken;
            cell.counts.clone()
        });
        taken.collect()
    }

    /// Notes whether counts that were taken are written. What was counted meanwhile is to be written in any case.
    pub(crate) fn finish(&self, taken: &[MinuteCounts], written: Written) {
        let mut state = self.state();
        for counts in taken {
            let flags = state.minutes.get_mut(&counts.minute);
            let cell = flags.and_then(|flags| flags.get_mut(&counts.flag));
            if let Some(cell) = cell.filter(|cell| cell.state == CellState::Taken) {
                cell.state = match written {
                    Written::Yes => CellState::Written,
                    Written::No => CellState::Changed,
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
            *minute >= floor || flags.values().any(|cell| cell.state != CellState::Written)
        });
        let cells = state.minutes.values().flat_map(HashMap::values);
        state.entries = cells.map(|cell| cell.counts.entries().len()).sum();
    }

    /// How many exposures are in counts that are not written.
    pub(crate) fn unwritten(&self) -> u64 {
        let state = self.state();
        let cells = state.minutes.values().flat_map(HashMap::values);
        let unwritten = cells.filter(|cell| cell.state != CellState::Written);
        unwritten.map(|cell| cell.counts.total()).sum()
    }

    /// How many exposures were given up since the last call.
    pub(crate) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.state().lost)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds what was tallied of each outcome in a minute, and begins the tally anew.
    fn add(&mut self, minute: Option<Minute>, outcomes: &[Outcome], tally: &mut [u64]) {
        let Some(minute) = minute else { return };
        let flags = self.minutes.entry(minute).or_default();
        for (outcome, count) in outcomes.iter().zip(tally) {
            let count = std::mem::take(count);
            if count == 0 {
                continue;
            }
            if !flags.contains_key(&outcome.flag) {
                let counts = MinuteCounts::new(outcome.flag.clone(), minute);
                let state = CellState::Changed;
                flags.insert(outcome.flag.clone(), Cell { counts, state });
            }
            if let Some(cell) = flags.get_mut(&outcome.flag) {
                let before = cell.counts.entries().len();
                cell.counts.add(&Counted::from(outcome), count);
                cell.state = CellState::Changed;
                self.entries += cell.counts.entries().len() - before;
            }
        }
    }

    /// Gives up the oldest minutes while there are too many entries, but never the latest one.
    fn make_room(&mut self) {
        while self.entries > MAX_ENTRIES
            && self.minutes.len() > 1
            && let Some((minute, flags)) = self.minutes.pop_first()
        {
            self.floor = self.floor.max(minute.plus(1));
            for cell in flags.values() {
                self.entries -= cell.counts.entries().len();
                if cell.state != CellState::Written {
                    self.lost += cell.counts.total();
                }
            }
        }
    }
}
