//! What the filters of a list suggest.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::FlagSummary;

/// The most owners and tags that a filter suggests.
const MAX: usize = 200;

/// What the filters of a list suggest, each in order of the text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::dashboard) struct Suggestions {
    /// The owners that most flags have.
    pub(in crate::dashboard) owners: Vec<String>,
    /// The tags that most flags have.
    pub(in crate::dashboard) tags: Vec<String>,
}

impl Suggestions {
    /// Those for these flags.
    pub(super) fn of(flags: &[Arc<FlagSummary>]) -> Self {
        let owners = flags.iter().map(|flag| flag.owner.as_str());
        let tags = flags.iter().flat_map(|flag| &flag.tags);
        Self {
            owners: most_frequent(owners.filter(|owner| !owner.is_empty())),
            tags: most_frequent(tags.map(String::as_str)),
        }
    }
}

fn most_frequent<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    let frequent = counts.into_iter().take(MAX);
    let mut words: Vec<String> = frequent.map(|(word, _)| word.to_owned()).collect();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_owners_are_suggested_in_order() {
        let owners = (0..MAX + 50).map(|n| format!("owner{n:03}"));
        let mut flags: Vec<_> = owners
            .map(|owner| Arc::new(FlagSummary::for_tests("f", &owner)))
            .collect();
        flags.push(Arc::new(FlagSummary::for_tests("g", "owner249")));
        flags.push(Arc::new(FlagSummary::new(
            "p/feature/h".parse().unwrap(),
            None,
            None,
        )));
        let Suggestions { owners, tags } = Suggestions::of(&flags);
        assert_eq!((owners.len(), tags.len()), (MAX, 0));
        assert_eq!(owners.first().unwrap(), "owner000");
        assert_eq!(owners.last().unwrap(), "owner249");
        assert!(owners.is_sorted());
    }
}
