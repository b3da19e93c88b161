//! Flags whose change was announced recently. The replicas of a service learn of a change one after the other, within a
//! second; so a replica other than the announcing one may still answer with the old value.
//!
//! An answer requested `t` after the announcement is therefore cached for `t/2` only, but at least 250 ms. An old answer of a
//! replica that is late by `t` lives until `1.5 t` at most; the cost is about ten more requests per value.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flag_model::FlagType;

use crate::push::change::Change;
use crate::question::FlagRef;

/// After this every replica knows of a change.
const RECENT: Duration = Duration::from_secs(10);

/// The shortest time that an answer is kept.
const SHORTEST: Duration = Duration::from_millis(250);

/// How many flags are remembered; if more change, all count as changed.
const FLAGS: usize = 1_000;

/// The flags whose change was announced lately.
#[derive(Debug, Default)]
pub(crate) struct RecentChanges {
    announced: Mutex<Announced>,
}

#[derive(Clone, Debug, Default)]
struct Announced {
    /// That of all flags.
    of_all: Option<Instant>,
    of_flags: HashMap<(FlagType, Box<str>), Instant>,
}

impl RecentChanges {
    /// A copy with a lock of its own, for a forked process; empty if this one is locked.
    pub(crate) fn after_fork(&self) -> Self {
        let announced = self.announced.try_lock();
        let announced = announced
            .map(|announced| announced.clone())
            .unwrap_or_default();
        Self {
            announced: Mutex::new(announced),
        }
    }

    /// Records that a change was announced.
    pub(crate) fn note_changed(&self, change: &Change, now: Instant) {
        let mut announced = self.announced();
        announced
            .of_flags
            .retain(|_, announced_at| !is_old(*announced_at, now));
        match change {
            Change::Flags(flags) if announced.of_flags.len() + flags.len() <= FLAGS => {
                let flags = flags.iter().map(|flag| (flag.clone(), now));
                announced.of_flags.extend(flags);
            }
            Change::Flags(_) | Change::Everything => {
                announced.of_flags.clear();
                announced.of_all = Some(now);
            }
        }
    }

    /// The longest time for which an answer about a flag may be kept, if it was asked for at this time; `None` if there is no
    /// limit.
    pub(crate) fn max_lifetime(&self, flag: FlagRef<'_>, asked: Instant) -> Option<Duration> {
        let latest = self.announced().latest(flag)?;
        let age = asked.saturating_duration_since(latest);
        (!is_old(latest, asked)).then(|| (age / 2).max(SHORTEST))
    }

    /// Whether a change was announced after this time.
    pub(crate) fn is_overtaken(&self, flag: FlagRef<'_>, asked: Instant) -> bool {
        let latest = self.announced().latest(flag);
        latest.is_some_and(|latest| latest > asked)
    }

    /// Holds the lock.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Sized + '_ {
        self.announced()
    }

    fn announced(&self) -> MutexGuard<'_, Announced> {
        self.announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Announced {
    fn latest(&self, flag: FlagRef<'_>) -> Option<Instant> {
        if self.of_flags.is_empty() {
            return self.of_all;
        }
        let key = (flag.flag_type, flag.name.into());
        self.of_flags.get(&key).copied().max(self.of_all)
    }
}

fn is_old(announced: Instant, now: Instant) -> bool {
    now.saturating_duration_since(announced) >= RECENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(names: &[&str]) -> Change {
        Change::Flags(
            names
                .iter()
                .map(|name| (FlagType::Feature, (*name).into()))
                .collect(),
        )
    }

    #[test]
    fn an_answer_is_kept_half_as_long_as_the_announcement_is_old() {
        let (recent_changes, now) = (RecentChanges::default(), Instant::now());
        recent_changes.note_changed(&change(&["f"]), now);
        let max_lifetime = |name, millis| {
            let max_lifetime = recent_changes
                .max_lifetime(FlagRef::boolean(name), now + Duration::from_millis(millis));
            max_lifetime.map(|max_lifetime| max_lifetime.as_millis())
        };
        assert_eq!(max_lifetime("f", 0), Some(250));
        assert_eq!(max_lifetime("f", 600), Some(300));
        assert_eq!(max_lifetime("f", 9_998), Some(4_999));
        assert_eq!(max_lifetime("f", 10_000), None);
        assert_eq!(max_lifetime("g", 0), None);
        assert_eq!(recent_changes.max_lifetime(FlagRef::string("f"), now), None);
    }

    #[test]
    fn the_latest_announcement_counts() {
        let (recent_changes, now) = (RecentChanges::default(), Instant::now());
        let second = Duration::from_secs(1);
        recent_changes.note_changed(&change(&["f"]), now);
        recent_changes.note_changed(&change(&["f"]), now + second);
        let max_lifetime = |name, seconds| {
            recent_changes.max_lifetime(FlagRef::boolean(name), now + second * seconds)
        };
        assert_eq!(max_lifetime("f", 3), Some(second));
        recent_changes.note_changed(&Change::Everything, now + second * 2);
        assert_eq!(max_lifetime("f", 4), Some(second));
        assert_eq!(max_lifetime("g", 4), Some(second));
        recent_changes.note_changed(&change(&["f"]), now + second * 3);
        assert_eq!(max_lifetime("f", 5), Some(second));
        assert_eq!(max_lifetime("g", 6), Some(second * 2));
    }

    #[test]
    fn a_question_is_overtaken_by_what_is_announced_after_it() {
        let (recent_changes, now) = (RecentChanges::default(), Instant::now());
        let is_overtaken = |by| recent_changes.is_overtaken(FlagRef::boolean("f"), by);
        assert!(!is_overtaken(now));
        recent_changes.note_changed(&change(&["f"]), now);
        assert!(is_overtaken(now.checked_sub(SHORTEST).unwrap()));
        assert!(!is_overtaken(now));
        assert!(
            !recent_changes.is_overtaken(FlagRef::boolean("g"), now.checked_sub(SHORTEST).unwrap())
        );
    }

    #[test]
    fn many_flags_count_as_all() {
        let (recent_changes, now) = (RecentChanges::default(), Instant::now());
        for number in 0..=FLAGS {
            recent_changes.note_changed(&change(&[&number.to_string()]), now);
        }
        assert!(recent_changes.announced().of_flags.is_empty());
        assert!(
            recent_changes
                .max_lifetime(FlagRef::boolean("f"), now)
                .is_some()
        );
    }
}
