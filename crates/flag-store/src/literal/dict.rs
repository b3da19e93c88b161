//! What becomes of a key that a dict has twice.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry, HashTable};

use super::Literal;

/// How many keys are compared one by one, which is quicker than hashing so few.
const FEW: usize = 8;

/// How many keys are likely to have marks of their own.
const MARKED: usize = 16;

/// Keeps of several entries with one key the last value, at the place where the key was first.
pub(super) fn keep_last(entries: &mut Vec<(&str, Literal<'_>)>, start: usize) {
    let all = entries.get_mut(start..).unwrap_or_default();
    let is_distinct =
        (all.len() <= MARKED && have_distinct_marks(all)) || (all.len() <= FEW && is_distinct(all));
    if !is_distinct {
        let kept = move_forward(all);
        entries.truncate(start + kept);
    }
}

/// Whether the keys differ already in their length and their ends.
fn have_distinct_marks(entries: &[(&str, Literal<'_>)]) -> bool {
    let mut seen = 0_u128;
    entries.iter().all(|(key, _)| {
        let (first, last) = match key.as_bytes() {
            [] => (0, 0),
            [first, .., last] => (*first, *last),
            [only] => (*only, 0),
        };
        let sum = usize::from(first) + usize::from(last) * 3 + key.len() * 5;
        let mark = 1 << (sum % 128);
        let is_new = seen & mark == 0;
        seen |= mark;
        is_new
    })
}

fn is_distinct(entries: &[(&str, Literal<'_>)]) -> bool {
    let mut rest = entries;
    while let Some(((key, _), before)) = rest.split_last() {
        if before.iter().any(|(other, _)| other == key) {
            return false;
        }
        rest = before;
    }
    true
}

/// Moves the entries that count to the front, and tells how many they are.
fn move_forward(entries: &mut [(&str, Literal<'_>)]) -> usize {
    // Keyed at random, so that nobody can choose keys that collide.
    let hasher = DefaultHashBuilder::default();
    let mut places: HashTable<usize> = HashTable::with_capacity(entries.len());
    for at in 0..entries.len() {
        let Some(&entry) = entries.get(at) else { break };
        let key_of = |place: usize| entries.get(place).map(|(key, _)| *key);
        let is_same = |&place: &usize| key_of(place) == Some(entry.0);
        let hash_of = |&place: &usize| hasher.hash_one(key_of(place).unwrap_or_default());
        let next = places.len();
        let place = match places.entry(hasher.hash_one(entry.0), is_same, hash_of) {
            Entry::Occupied(first) => *first.get(),
            Entry::Vacant(free) => *free.insert(next).get(),
        };
        if let Some(kept) = entries.get_mut(place) {
            *kept = entry;
        }
    }
    places.len()
}
