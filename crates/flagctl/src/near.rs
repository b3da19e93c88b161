//! Names that were perhaps meant.

use flag_model::{FlagKey, ProjectName};

/// How many names are suggested at most.
const SUGGESTED: usize = 3;

/// What was perhaps meant instead of a flag that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Near {
    /// These flags of the project.
    Flags(Vec<FlagKey>),
    /// The project has no flags; perhaps this one was meant.
    Project(Option<ProjectName>),
}

/// The flags whose names are nearest to the one that was typed, the nearest first; those too far away are left out.
pub(crate) fn near<'f>(
    typed: &FlagKey,
    flags: impl IntoIterator<Item = &'f FlagKey>,
) -> Vec<&'f FlagKey> {
    let most = (typed.name.as_str().chars().count() / 3).max(2);
    let mut near: Vec<(usize, &FlagKey)> = flags
        .into_iter()
        .map(|flag| (distance(typed.name.as_str(), flag.name.as_str()), flag))
        .filter(|&(distance, _)| distance <= most)
        .collect();
    near.sort_by_key(|&(distance, flag)| (distance, flag.flag_type != typed.flag_type));
    near.truncate(SUGGESTED);
    near.into_iter().map(|(_, flag)| flag).collect()
}

/// The name that is nearest to the one that was typed, unless all are too far away.
pub(crate) fn closest<'n>(
    typed: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let most = (typed.chars().count() / 3).max(2);
    let near = names.into_iter().map(|name| (distance(typed, name), name));
    near.filter(|&(distance, _)| distance <= most)
        .min()
        .map(|(_, name)| name)
}

/// How many characters have to be inserted, removed or replaced to get from one text to the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (passed, wanted) in one.chars().enumerate() {
        let mut diagonal = passed;
        let mut left = passed + 1;
        for (cell, found) in row.iter_mut().skip(1).zip(other.chars()) {
            let replaced = diagonal + usize::from(wanted != found);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = passed + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use flag_model::FlagType;

    use super::*;

    fn flag(flag_type: FlagType, name: &str) -> FlagKey {
        format!("p/{flag_type}/{name}").parse().unwrap()
    }

    #[track_caller]
    fn check(one: &str, other: &str, expected: usize) {
        assert_eq!(distance(one, other), expected);
        assert_eq!(distance(other, one), expected);
    }

    #[test]
    fn a_distance_counts_the_keys_to_press() {
        check("", "", 0);
        check("", "abc", 3);
        check("router", "router", 0);
        check("router", "ruoter", 2);
        check("kitten", "sitting", 3);
    }

    #[test]
    fn the_nearest_flags_are_suggested_the_nearest_first() {
        let flags = ["router", "routers", "greeting"].map(|name| flag(FlagType::Feature, name));
        let typed = flag(FlagType::Feature, "routes");
        let names: Vec<&str> = near(&typed, &flags)
            .iter()
            .map(|flag| flag.name.as_str())
            .collect();
        assert_eq!(names, ["router", "routers"]);
    }

    #[test]
    fn a_flag_of_the_same_type_comes_before_one_of_the_other() {
        let flags = [
            flag(FlagType::Feature, "router"),
            flag(FlagType::Data, "router"),
        ];
        let typed = flag(FlagType::Data, "ruter");
        assert_eq!(near(&typed, &flags), [&flags[1], &flags[0]]);
    }
}
