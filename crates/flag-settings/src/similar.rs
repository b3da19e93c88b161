//! Finds the name that was probably meant.

use strsim::levenshtein;

/// The name that is closest to the one that was typed, unless all are too far away.
pub fn closest<'n>(typed: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let names = names.into_iter();
    names
        .map(|name| (levenshtein(typed, name), name))
        .filter(|&(distance, _)| distance <= max_distance(typed))
        .min()
        .map(|(_, name)| name)
}

/// How many characters may differ from the name that was typed.
pub fn max_distance(typed: &str) -> usize {
    (typed.chars().count() / 3).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_far_from_all_others_has_no_suggestion() {
        let names = ["listen", "workers"];
        assert_eq!(closest("listne", names), Some("listen"));
        assert_eq!(closest("colour", names), None);
        assert_eq!(closest("listen", []), None);
    }
}
