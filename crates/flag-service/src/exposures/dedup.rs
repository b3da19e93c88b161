//! Which answers were logged lately, so that each is logged once in a while only.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flag_model::{InstanceId, Timestamp};
use flag_rollout::Plan;

/// How many answers are remembered in one generation; there are two.
const GENERATION: usize = 100_000;

/// How many locks there are, so that workers seldom meet.
const SHARDS: usize = 16;

/// Which answers were logged lately. Bounded: of too many answers the oldest are forgotten, and logged again.
#[derive(Debug)]
pub(crate) struct Dedup {
    window: i64,
    hashes: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// When answers were logged, by the hash of what they say.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u64, i64>,
    old: HashMap<u64, i64>,
}

impl Dedup {
    /// Remembers answers for so long.
    pub(crate) fn new(window: Duration) -> Self {
        Self {
            window: i64::try_from(window.as_micros()).unwrap_or(i64::MAX),
            hashes: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Whether the same treatment of the same revision was logged for the instance within the window; if not, it is
    /// now. Two answers are taken for the same by 64 bits of a keyed hash.
    pub(crate) fn is_repeated(
        &self,
        plan: &Plan,
        instance: &InstanceId<'_>,
        treatment: Option<usize>,
        now: Timestamp,
    ) -> bool {
        let says = (plan.flag(), plan.created(), treatment, instance.as_str());
        let answer = self.hashes.hash_one(says);
        let shard = usize::try_from(answer % SHARDS as u64).unwrap_or(0);
        let Some(shard) = self.shards.get(shard) else {
            return false;
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.unix_micros();
        if shard
            .logged(answer)
            .is_some_and(|at| (0..self.window).contains(&(now - at)))
        {
            return true;
        }
        shard.log(answer, now);
        false
    }
}

impl Shard {
    fn logged(&self, answer: u64) -> Option<i64> {
        self.young
            .get(&answer)
            .or_else(|| self.old.get(&answer))
            .copied()
    }

    fn log(&mut self, answer: u64, now: i64) {
        if self.young.len() >= GENERATION / SHARDS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(answer, now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use super::*;
    use crate::cache::Entry;
    use crate::exposures::tests::decided;

    static DECIDED: LazyLock<Arc<Entry>> = LazyLock::new(decided);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    #[track_caller]
    fn check(
        dedup: &Dedup,
        instance: &str,
        treatment: Option<usize>,
        seconds: i64,
        repeated: bool,
    ) {
        let instance = InstanceId::new(instance).unwrap();
        let found = dedup.is_repeated(DECIDED.plan(), &instance, treatment, at(seconds));
        assert_eq!(found, repeated, "{instance} at {seconds}");
    }

    #[test]
    fn an_answer_is_new_again_after_the_window() {
        let dedup = Dedup::new(Duration::from_secs(10));
        check(&dedup, "A", None, 100, false);
        check(&dedup, "A", None, 109, true);
        check(&dedup, "A", None, 110, false);
        check(&dedup, "A", None, 111, true);
    }

    #[test]
    fn another_instance_or_treatment_is_another_answer() {
        let dedup = Dedup::new(Duration::from_secs(10));
        check(&dedup, "A", None, 100, false);
        check(&dedup, "B", None, 100, false);
        check(&dedup, "A", Some(0), 100, false);
    }

    #[test]
    fn a_clock_that_goes_back_makes_every_answer_new() {
        let dedup = Dedup::new(Duration::from_secs(10));
        check(&dedup, "A", None, 100, false);
        check(&dedup, "A", None, 50, false);
    }

    #[test]
    fn memory_is_bounded() {
        let dedup = Dedup::new(Duration::from_secs(10));
        for instance in 0..3 * GENERATION {
            check(&dedup, &instance.to_string(), None, 100, false);
        }
        let entries = dedup.shards.iter().map(|shard| {
            let shard = shard.lock().unwrap();
            shard.young.len() + shard.old.len()
        });
        assert!(entries.sum::<usize>() <= 2 * GENERATION);
    }
}
