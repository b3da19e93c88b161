//! Deduplicates exposures: equal answers are logged once per window.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::{InstanceId, Timestamp};
use flag_rollout::Plan;
use prometheus_client::metrics::counter::Counter;

use super::queue::Pushed;

/// The number of locks, so that workers rarely contend.
const SHARDS: usize = 16;

/// Settings of the deduplication of exposures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DedupSettings {
    /// How long an equal answer is not logged again; zero logs every answer.
    pub window: Duration,
    /// The most answers in memory; half of them at least are remembered for the whole window.
    pub entries: usize,
}

/// Answers that were logged recently. Bounded: the oldest are forgotten early if there are too many, and counted.
#[derive(Debug)]
pub(crate) struct Dedup {
    window: i64,
    /// Answers per generation of a shard; there are two generations.
    generation_capacity: usize,
    /// Answers that were forgotten within the window.
    forgotten: Counter,
    hashes: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// When answers were logged, by their hash.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u64, i64>,
    old: HashMap<u64, i64>,
}

impl Dedup {
    /// Creates it; `None` if the window is zero. `forgotten` counts answers that are forgotten early.
    pub(crate) fn new(settings: DedupSettings, forgotten: Counter) -> Option<Self> {
        (!settings.window.is_zero()).then(|| Self {
            window: i64::try_from(settings.window.as_micros()).unwrap_or(i64::MAX),
            generation_capacity: (settings.entries / 2 / SHARDS).max(1),
            forgotten,
            hashes: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// Hands an answer to the queue, unless the queue has accepted the same treatment of the same revision for the instance within the
    /// window. Of what waits for room, call [`remember`](Self::remember) once it is accepted.
    ///
    /// Answers are compared by 64 bits of a keyed hash. Of two equal concurrent answers one waits for the other, except
    /// while the queue is full.
    pub(crate) fn push_once(
        &self,
        plan: &Plan,
        instance: &InstanceId<'_>,
        treatment: Option<usize>,
        now: Timestamp,
        push: impl FnOnce() -> Pushed,
    ) -> DedupOutcome {
        let content = (plan.flag(), plan.created(), treatment, instance.as_str());
        let entry = DedupEntry {
            hash: self.hashes.hash_one(content),
            at: now.unix_micros(),
        };
        let mut shard = self.shard(entry);
        if shard
            .accepted_at(entry.hash)
            .is_some_and(|at| self.is_within_window(at, entry.at))
        {
            return DedupOutcome::Duplicate;
        }
        match push() {
            Pushed::Accepted => {
                self.insert(&mut shard, entry);
                DedupOutcome::New
            }
            Pushed::Dropped => DedupOutcome::Dropped,
            Pushed::NoRoom => DedupOutcome::NoRoom(entry),
        }
    }

    /// Remembers an answer that the queue has accepted after a wait.
    pub(crate) fn remember(&self, entry: DedupEntry) {
        self.insert(&mut self.shard(entry), entry);
    }

    fn insert(&self, shard: &mut Shard, entry: DedupEntry) {
        if shard.young.len() >= self.generation_capacity {
            let forgotten = shard.start_generation(|at| self.is_within_window(at, entry.at));
            self.forgotten.inc_by(forgotten as u64);
        }
        shard.young.insert(entry.hash, entry.at);
    }

    fn shard(&self, entry: DedupEntry) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        let index = usize::try_from(entry.hash % SHARDS as u64).unwrap_or(0);
        let shard = self.shards.get(index).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `at` is within the window. After a clock went back, every answer is new.
    fn is_within_window(&self, at: i64, now: i64) -> bool {
        (0..self.window).contains(&now.saturating_sub(at))
    }
}

/// An answer as it is remembered: what is compared of it, and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DedupEntry {
    hash: u64,
    at: i64,
}

/// What happened to the exposure of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DedupOutcome {
    /// The queue has accepted an equal one within the window; this one is left out.
    Duplicate,
    /// It was new, and the queue has accepted it.
    New,
    /// It was new, and dropped.
    Dropped,
    /// It is new, and must wait for room.
    NoRoom(DedupEntry),
}

impl Shard {
    fn accepted_at(&self, hash: u64) -> Option<i64> {
        self.young
            .get(&hash)
            .or_else(|| self.old.get(&hash))
            .copied()
    }

    /// Drops the old generation, and starts a new one; returns how many dropped answers were within the window.
    fn start_generation(&mut self, is_within_window: impl Fn(i64) -> bool) -> usize {
        let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        let mut forgotten = old.iter();
        let is_lost =
            |(answer, at): &(&u64, &i64)| is_within_window(**at) && !self.old.contains_key(answer);
        forgotten.by_ref().filter(is_lost).count()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use super::*;
    use crate::exposures::tests::decided;
    use crate::flags::CacheEntry;

    static DECIDED: LazyLock<Arc<CacheEntry>> = LazyLock::new(decided);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    const SETTINGS: DedupSettings = DedupSettings {
        window: Duration::from_secs(10),
        entries: 3_200,
    };

    fn dedup() -> Dedup {
        Dedup::new(SETTINGS, Counter::default()).unwrap()
    }

    #[track_caller]
    fn check(
        dedup: &Dedup,
        instance: &str,
        treatment: Option<usize>,
        seconds: i64,
        expected: DedupOutcome,
    ) {
        let instance = InstanceId::new(instance).unwrap();
        let pushed = match expected {
            DedupOutcome::Duplicate | DedupOutcome::New => Pushed::Accepted,
            DedupOutcome::Dropped => Pushed::Dropped,
            DedupOutcome::NoRoom(_) => Pushed::NoRoom,
        };
        let (plan, now) = (DECIDED.plan(), at(seconds));
        let found = dedup.push_once(plan, &instance, treatment, now, || pushed);
        assert_eq!(found, expected, "{instance} at {seconds}");
    }

    const NEW: DedupOutcome = DedupOutcome::New;

    #[test]
    fn an_answer_is_new_again_after_the_window() {
        let dedup = dedup();
        check(&dedup, "A", None, 100, NEW);
        check(&dedup, "A", None, 109, DedupOutcome::Duplicate);
        check(&dedup, "A", None, 110, NEW);
        check(&dedup, "A", None, 111, DedupOutcome::Duplicate);
    }

    #[test]
    fn another_instance_or_treatment_is_another_answer() {
        let dedup = dedup();
        check(&dedup, "A", None, 100, NEW);
        check(&dedup, "B", None, 100, NEW);
        check(&dedup, "A", Some(0), 100, NEW);
    }

    #[test]
    fn a_clock_that_goes_back_makes_every_answer_new() {
        let dedup = dedup();
        check(&dedup, "A", None, 100, NEW);
        check(&dedup, "A", None, 50, NEW);
    }

    #[test]
    fn a_dropped_answer_is_logged_the_next_time() {
        let dedup = dedup();
        check(&dedup, "A", None, 100, DedupOutcome::Dropped);
        check(&dedup, "A", None, 101, DedupOutcome::Dropped);
        check(&dedup, "A", None, 102, NEW);
        check(&dedup, "A", None, 103, DedupOutcome::Duplicate);
    }

    #[test]
    fn an_answer_that_waits_is_remembered_once_it_is_accepted() {
        let dedup = dedup();
        let instance = InstanceId::new("A").unwrap();
        let log = |seconds| {
            let (plan, now) = (DECIDED.plan(), at(seconds));
            dedup.push_once(plan, &instance, None, now, || Pushed::NoRoom)
        };
        assert!(matches!(log(100), DedupOutcome::NoRoom(_)));
        let DedupOutcome::NoRoom(entry) = log(101) else {
            panic!("an answer that was not accepted is remembered");
        };
        dedup.remember(entry);
        assert_eq!(log(102), DedupOutcome::Duplicate);
    }

    /// How many answers are remembered, and how many were forgotten within the window.
    fn remembered(dedup: &Dedup) -> (usize, usize) {
        let entries = dedup.shards.iter().map(|shard| {
            let shard = shard.lock().unwrap();
            shard.young.len() + shard.old.len()
        });
        let forgotten = usize::try_from(dedup.forgotten.get()).unwrap();
        (entries.sum(), forgotten)
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_early_is_counted() {
        let dedup = dedup();
        for instance in 0..10_000 {
            check(&dedup, &instance.to_string(), None, 100, NEW);
        }
        let (entries, forgotten) = remembered(&dedup);
        assert!(entries <= SETTINGS.entries, "{entries}");
        assert_eq!(entries + forgotten, 10_000);
    }

    #[test]
    fn what_the_window_has_left_behind_is_not_forgotten_early() {
        let dedup = dedup();
        for instance in 0..10_000 {
            let seconds = 100 + i64::from(instance) / 100;
            check(&dedup, &instance.to_string(), None, seconds, NEW);
        }
        assert_eq!(remembered(&dedup).1, 0);
    }
}
