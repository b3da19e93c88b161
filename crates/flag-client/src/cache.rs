//! The answers of the service, in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bounded_map::BoundedMap;
use crate::detail::{Freshness, KnownValue};
use crate::failure::Failure;
use crate::question::{Question, QuestionKey};

/// How long a negative entry counts, and a value that the service itself could not renew; unless the lifetime is shorter.
const SHORT: Duration = Duration::from_secs(5);

/// How many negative entries there are at most.
const NEGATIVE_ENTRIES: usize = 1_000;

/// The answers of the service, by question.
#[derive(Debug)]
pub(crate) struct Cache {
    lifetime: Duration,
    entries: BoundedMap<Entry>,
    /// Kept apart, so that questions about unknown flags evict no value.
    negative_entries: BoundedMap<NegativeEntry>,
}

/// What the cache holds about a question at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CacheLookup {
    /// A value that has not expired.
    Unexpired(Arc<KnownValue>),
    /// The service lately gave no value, for this reason; the last value before that.
    Negative(Failure, Option<Arc<KnownValue>>),
    /// No unexpired value; the expired one, if there is one.
    Miss(Option<Arc<KnownValue>>),
}

#[derive(Clone, Debug)]
struct Entry {
    known: Arc<KnownValue>,
    until: Instant,
}

/// The service gave no value, for this reason.
#[derive(Clone, Debug)]
struct NegativeEntry {
    failure: Failure,
    until: Instant,
}

impl Cache {
    /// An empty cache for at most `entries` values.
    pub(crate) fn new(entries: usize, lifetime: Duration) -> Self {
        Self {
            lifetime,
            entries: BoundedMap::new(entries),
            negative_entries: BoundedMap::new(NEGATIVE_ENTRIES),
        }
    }

    /// A copy with locks of its own, for a forked process. Parts that are locked at the moment are left out.
    pub(crate) fn after_fork(&self) -> Self {
        Self {
            lifetime: self.lifetime,
            entries: self.entries.after_fork(),
            negative_entries: self.negative_entries.after_fork(),
        }
    }

    /// The value, if it has not expired and no other thread is writing. Waits for no lock and allocates nothing.
    pub(crate) fn unexpired(
        &self,
        question: Question<'_>,
        now: Instant,
    ) -> Option<Arc<KnownValue>> {
        let entry = self.entries.get_at_once(&question)?;
        (now < entry.until).then_some(entry.known)
    }

    /// What the cache holds about a question at this time.
    pub(crate) fn look_up(&self, question: Question<'_>, now: Instant) -> CacheLookup {
        let entry = self.entries.get(&question);
        if let Some(entry) = &entry
            && now < entry.until
        {
            return CacheLookup::Unexpired(Arc::clone(&entry.known));
        }
        let last_known = entry.map(|entry| entry.known);
        match self.negative(question, now) {
            Some(failure) => CacheLookup::Negative(failure, last_known),
            None => CacheLookup::Miss(last_known),
        }
    }

    /// Stores a value, for a time of at most `max_lifetime` if there is one.
    pub(crate) fn remember(
        &self,
        question: Question<'_>,
        known: Arc<KnownValue>,
        max_lifetime: Option<Duration>,
        now: Instant,
    ) {
        let lifetime = match known.freshness {
            Freshness::Current => self.lifetime,
            Freshness::LastKnownAtService => self.lifetime.min(SHORT),
        };
        let lifetime = max_lifetime.map_or(lifetime, |max_lifetime| lifetime.min(max_lifetime));
        if let Some(until) = now.checked_add(lifetime) {
            self.entries.insert(question.into(), Entry { known, until });
        }
    }

    /// Stores for a short time that the service refused the question, as there is no such flag, none that can be read, or a
    /// parameter is invalid; other failures are not stored. If the failure is about the flag, it counts for every instance. If it
    /// says that there is no value, the last known one is removed.
    pub(crate) fn remember_refusal(&self, question: Question<'_>, failure: &Failure, now: Instant) {
        if failure.says_no_value_exists() {
            self.entries.remove(&question);
        }
        let question = match failure {
            Failure::FlagNotFound(_) | Failure::FlagUnreadable(_) => question.of_any_instance(),
            Failure::InvalidRequest(_) => question,
            _ => return,
        };
        let entry = NegativeEntry {
            failure: failure.clone(),
            until: now + self.lifetime.min(SHORT),
        };
        self.negative_entries.insert(question.into(), entry);
    }

    /// These flags have changed: their values have expired, and are outdated as last known ones.
    pub(crate) fn expire(&self, is_meant: impl Fn(&QuestionKey) -> bool, now: Instant) {
        self.entries.replace(|key, entry| {
            is_meant(key).then(|| Entry {
                known: Arc::new(entry.known.outdated()),
                until: now,
            })
        });
        self.negative_entries.retain(|key| !is_meant(key));
    }

    /// How many values it holds.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Removes these flags, with their last known values.
    pub(crate) fn forget(&self, is_meant: impl Fn(&QuestionKey) -> bool) {
        self.entries.retain(|key| !is_meant(key));
        self.negative_entries.retain(|key| !is_meant(key));
    }

    /// Holds the locks.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Sized + '_ {
        (self.entries.hold(), self.negative_entries.hold())
    }

    fn negative(&self, question: Question<'_>, now: Instant) -> Option<Failure> {
        let counts = |entry: &NegativeEntry| now < entry.until;
        let of_any = || self.negative_entries.get(&question.of_any_instance());
        let entry = self.negative_entries.get(&question).filter(counts);
        let entry = entry.or_else(|| of_any().filter(counts));
        entry.map(|entry| entry.failure)
    }
}

#[cfg(test)]
mod tests {
    use flag_model::FlagValue;

    use super::*;
    use crate::question::FlagRef;

    const LIFETIME: Duration = Duration::from_mins(5);

    fn question(instance_id: &str) -> Question<'_> {
        Question {
            flag: FlagRef::boolean("f"),
            instance_id,
        }
    }

    fn known(freshness: Freshness) -> Arc<KnownValue> {
        Arc::new(KnownValue {
            value: FlagValue::Boolean(true),
            rollout_group: "control".into(),
            reason: None,
            freshness,
            is_outdated: false,
        })
    }

    #[test]
    fn a_value_counts_until_its_lifetime_ends_and_is_kept_as_the_last_known_one() {
        let (cache, now) = (Cache::new(100, LIFETIME), Instant::now());
        let known = known(Freshness::Current);
        cache.remember(question("a"), Arc::clone(&known), None, now);
        assert_eq!(
            cache.look_up(question("a"), now + LIFETIME.mul_f64(0.999)),
            CacheLookup::Unexpired(Arc::clone(&known))
        );
        assert_eq!(
            cache.look_up(question("a"), now + LIFETIME),
            CacheLookup::Miss(Some(known))
        );
        assert_eq!(cache.look_up(question("b"), now), CacheLookup::Miss(None));
    }

    #[test]
    fn type_name_and_instance_make_a_key() {
        let (cache, now) = (Cache::new(100, LIFETIME), Instant::now());
        cache.remember(question("a"), known(Freshness::Current), None, now);
        for other in [FlagRef::string("f"), FlagRef::boolean("g")] {
            let question = Question {
                flag: other,
                instance_id: "a",
            };
            assert_eq!(cache.look_up(question, now), CacheLookup::Miss(None));
        }
    }

    #[test]
    fn as_many_entries_are_held_as_were_asked_for() {
        let now = Instant::now();
        for entries in [0, 1, 100, 1_000] {
            let cache = Cache::new(entries, LIFETIME);
            let ids: Vec<String> = (0..entries + 5).map(|id| id.to_string()).collect();
            for id in &ids {
                cache.remember(question(id), known(Freshness::Current), None, now);
            }
            let held = |id: &&String| {
                matches!(cache.look_up(question(id), now), CacheLookup::Unexpired(_))
            };
            assert_eq!(ids.iter().filter(held).count(), entries);
        }
    }

    #[test]
    fn what_the_service_could_not_renew_counts_for_a_short_time() {
        let (cache, now) = (Cache::new(100, LIFETIME), Instant::now());
        let known = known(Freshness::LastKnownAtService);
        cache.remember(question("a"), Arc::clone(&known), None, now);
        assert_eq!(
            cache.look_up(question("a"), now + SHORT),
            CacheLookup::Miss(Some(known))
        );
    }

    #[test]
    fn an_unknown_flag_is_remembered_for_every_instance_but_not_for_long() {
        let (cache, now) = (Cache::new(100, LIFETIME), Instant::now());
        let failure = Failure::FlagNotFound("f".into());
        cache.remember_refusal(question("a"), &failure, now);
        assert_eq!(
            cache.look_up(question("b"), now),
            CacheLookup::Negative(failure, None)
        );
        assert_eq!(
            cache.look_up(question("b"), now + SHORT),
            CacheLookup::Miss(None)
        );
    }

    #[test]
    fn a_question_that_cannot_be_is_remembered_for_itself() {
        let (cache, now) = (Cache::new(100, LIFETIME), Instant::now());
        let failure = Failure::InvalidRequest("a".into());
        cache.remember_refusal(question("a"), &failure, now);
        assert_eq!(
            cache.look_up(question("a"), now),
            CacheLookup::Negative(failure, None)
        );
        assert_eq!(cache.look_up(question("b"), now), CacheLookup::Miss(None));
    }

    #[test]
    fn a_failed_service_is_not_remembered_here() {
        let (cache, now) = (Cache::new(100, LIFETIME), Instant::now());
        cache.remember_refusal(question("a"), &Failure::TimedOut, now);
        assert_eq!(cache.look_up(question("a"), now), CacheLookup::Miss(None));
    }

    #[test]
    fn what_has_changed_expires_for_every_instance_and_is_kept_as_outdated() {
        let (cache, now) = (Cache::new(100, LIFETIME), Instant::now());
        let known = known(Freshness::Current);
        for id in ["a", "b"] {
            cache.remember(question(id), Arc::clone(&known), None, now);
        }
        let unknown = Failure::FlagNotFound("g".into());
        let other = Question {
            flag: FlagRef::boolean("g"),
            instance_id: "a",
        };
        cache.remember_refusal(other, &unknown, now);
        cache.expire(|key| key.is_of("f"), now);
        let outdated = Arc::new(known.outdated());
        for id in ["a", "b"] {
            let expected = CacheLookup::Miss(Some(Arc::clone(&outdated)));
            assert_eq!(cache.look_up(question(id), now), expected);
        }
        assert_eq!(
            cache.look_up(other, now),
            CacheLookup::Negative(unknown, None)
        );
        cache.expire(|_| true, now);
        assert_eq!(cache.look_up(other, now), CacheLookup::Miss(None));
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn a_value_may_be_kept_for_less_than_the_lifetime_but_not_for_more() {
        let (cache, now) = (Cache::new(100, LIFETIME), Instant::now());
        let known = known(Freshness::Current);
        let second = Duration::from_secs(1);
        for (max_lifetime, kept) in [(second, second), (LIFETIME * 2, LIFETIME)] {
            cache.remember(question("a"), Arc::clone(&known), Some(max_lifetime), now);
            let at = |time| cache.unexpired(question("a"), time).is_some();
            assert!(at(now + kept.mul_f64(0.999)) && !at(now + kept));
        }
    }

    #[test]
    fn what_is_forgotten_is_gone_in_every_way() {
        let (cache, now) = (Cache::new(100, LIFETIME), Instant::now());
        cache.remember(question("a"), known(Freshness::Current), None, now);
        cache.remember_refusal(question("b"), &Failure::FlagNotFound("f".into()), now);
        cache.forget(|key| key.is_of("f"));
        assert_eq!(cache.look_up(question("a"), now), CacheLookup::Miss(None));
        assert_eq!(cache.look_up(question("b"), now), CacheLookup::Miss(None));
    }
}
