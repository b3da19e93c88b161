//! Repeated keys of a dict.

use std::borrow::Cow;
use std::collections::HashMap;

use super::value::{Node, RepeatedKey};

/// The most keys that are compared one by one, which is faster than hashing a few.
const FEW: usize = 8;

type Entry<'a> = (Cow<'a, str>, Node<'a>);

/// Keeps the last value of a repeated key, at the index of its first entry; returns the first repeated key.
pub(super) fn keep_last(entries: Vec<Entry<'_>>) -> (Vec<Entry<'_>>, Option<RepeatedKey>) {
    if entries.len() <= FEW && are_distinct(&entries) {
        return (entries, None);
    }
    let indices = indices(&entries);
    let mut kept: Vec<Entry<'_>> = Vec::with_capacity(entries.len());
    let mut repeated = None;
    for (entry, index) in entries.into_iter().zip(indices) {
        let Some(earlier) = kept.get_mut(index) else {
            kept.push(entry);
            continue;
        };
        let (key, node) = &entry;
        repeated.get_or_insert_with(|| RepeatedKey {
            key: key.clone().into_owned(),
            at: node.at,
        });
        *earlier = entry;
    }
    (kept, repeated)
}

fn are_distinct(entries: &[Entry<'_>]) -> bool {
    let mut keys = entries.iter().map(|(key, _)| key).enumerate();
    keys.all(|(at, key)| entries.iter().take(at).all(|(earlier, _)| earlier != key))
}

/// For each entry, how many other keys were there before its own was first.
fn indices(entries: &[Entry<'_>]) -> Vec<usize> {
    // Its hasher is keyed at random, so that an attacker cannot choose keys that collide.
    let mut indices = HashMap::with_capacity(entries.len());
    let keys = entries.iter().map(|(key, _)| &**key);
    keys.map(|key| {
        let next = indices.len();
        *indices.entry(key).or_insert(next)
    })
    .collect()
}
