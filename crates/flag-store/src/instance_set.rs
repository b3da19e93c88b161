//! Tells instances apart in bounded memory.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

/// Instances that were met. Of each 128 bits are kept, with keys of this process: two ids that share them will not be met. Takes up
/// to 35 bytes for each, however long the ids are.
#[derive(Debug)]
pub struct InstanceSet {
    known: HashSet<u128>,
    keys: [RandomState; 2],
    max: usize,
}

/// An instance is not in an [`InstanceSet`], and has no room in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl InstanceSet {
    /// Holds this many at most.
    pub fn with_max(max: usize) -> Self {
        Self {
            known: HashSet::new(),
            keys: Default::default(),
            max,
        }
    }

    /// Adds an id, or its hash in the log; whether it is new.
    pub fn insert(&mut self, instance: &str) -> Result<bool, Full> {
        let halves = self.keys.each_ref();
        let [high, low] = halves.map(|key| u128::from(key.hash_one(instance)));
        let hash = (high << u64::BITS) | low;
        if self.known.contains(&hash) {
            return Ok(false);
        }
        if self.known.len() >= self.max {
            return Err(Full);
        }
        Ok(self.known.insert(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instance_is_new_once_and_a_full_set_knows_those_it_has() {
        let mut set = InstanceSet::with_max(2);
        let ids = ["A", "B", "A", "C", "B"];
        let found = ids.map(|id| set.insert(id));
        assert_eq!(found, [Ok(true), Ok(true), Ok(false), Err(Full), Ok(false)]);
    }
}
