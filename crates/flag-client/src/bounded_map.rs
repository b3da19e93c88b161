//! A bounded map that a forked process can copy: its lock can be tried without waiting.

use std::fmt;
use std::sync::{PoisonError, RwLock, TryLockError};

use quick_cache::unsync::Cache;

use crate::question::{Question, QuestionKey};

/// At most `capacity` values by question; the least used ones are evicted.
pub(crate) struct BoundedMap<V> {
    capacity: usize,
    values: RwLock<Cache<QuestionKey, V>>,
}

impl<V: Clone> BoundedMap<V> {
    /// An empty map.
    pub(crate) fn new(capacity: usize) -> Self {
        let values = RwLock::new(Cache::new(capacity));
        Self { capacity, values }
    }

    /// A copy with a lock of its own; empty if this one is locked for writing, as it may be forever in a child.
    pub(crate) fn after_fork(&self) -> Self {
        let values = match self.values.try_read() {
            Ok(values) => values.clone(),
            Err(_) => Cache::new(self.capacity),
        };
        Self {
            capacity: self.capacity,
            values: RwLock::new(values),
        }
    }

    pub(crate) fn get(&self, question: &Question<'_>) -> Option<V> {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        values.get(question).cloned()
    }

    /// Like [`Self::get`], but finds nothing while another thread writes. Allocates nothing.
    pub(crate) fn get_at_once(&self, question: &Question<'_>) -> Option<V> {
        let values = match self.values.try_read() {
            Ok(values) => values,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        values.get(question).cloned()
    }

    pub(crate) fn insert(&self, key: QuestionKey, value: V) {
        self.write(|values| values.insert(key, value));
    }

    pub(crate) fn remove(&self, question: &Question<'_>) {
        self.write(|values| drop(values.remove(question)));
    }

    /// Removes the values for which `is_kept` is false.
    pub(crate) fn retain(&self, is_kept: impl Fn(&QuestionKey) -> bool) {
        self.write(|values| values.retain(|key, _| is_kept(key)));
    }

    /// Changes the values for which `change` returns another one.
    pub(crate) fn replace(&self, change: impl Fn(&QuestionKey, &V) -> Option<V>) {
        self.write(|values| {
            let changed = values.iter();
            let changed =
                changed.filter_map(|(key, value)| Some((key.clone(), change(key, value)?)));
            for (key, value) in changed.collect::<Vec<_>>() {
                if let Some(mut held) = values.peek_mut(&key) {
                    *held = value;
                }
            }
        });
    }

    /// The keys for which `is_meant` is true.
    pub(crate) fn keys(&self, is_meant: impl Fn(&QuestionKey) -> bool) -> Vec<QuestionKey> {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        let keys = values.iter().map(|(key, _)| key);
        keys.filter(|key| is_meant(key)).cloned().collect()
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        values.len()
    }

    /// Holds the lock.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Drop + '_ {
        self.values.write().unwrap()
    }

    fn write(&self, change: impl FnOnce(&mut Cache<QuestionKey, V>)) {
        change(&mut self.values.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<V> fmt::Debug for BoundedMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedMap")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
