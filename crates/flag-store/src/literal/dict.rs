//! What becomes of a key that a dict has twice.

use std::borrow::Cow;
use std::collections::HashMap;

use super::value::Node;

/// How many keys are compared one by one, which is quicker than hashing so few.
const FEW: usize = 8;

type Entry<'a> = (Cow<'a, str>, Node<'a>);

/// Keeps of several entries with one key the last value, at the place where the key was first.
pub(super) fn keep_last(entries: Vec<Entry<'_>>) -> Vec<Entry<'_>> {
    if entries.len() <= FEW && are_distinct(&entries) {
        return entries;
    }
    let places = places(&entries);
    if places.iter().copied().eq(0..entries.len()) {
        return entries;
    }
    let mut kept: Vec<Entry<'_>> = Vec::new();
    for (entry, place) in entries.into_iter().zip(places) {
        match kept.get_mut(place) {
            Some(earlier) => *earlier = entry,
            None => kept.push(entry),
        }
    }
    kept
}

fn are_distinct(entries: &[Entry<'_>]) -> bool {
    let mut keys = entries.iter().map(|(key, _)| key).enumerate();
    keys.all(|(at, key)| entries.iter().take(at).all(|(earlier, _)| earlier != key))
}

/// For each entry, how many other keys were there before its own was first.
fn places(entries: &[Entry<'_>]) -> Vec<usize> {
    // Its hasher is keyed at random, so that nobody can choose keys that collide.
    let mut places = HashMap::with_capacity(entries.len());
    let keys = entries.iter().map(|(key, _)| &**key);
    keys.map(|key| {
        let next = places.len();
        *places.entry(key).or_insert(next)
    })
    .collect()
}
