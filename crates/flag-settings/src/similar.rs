//! Finds the name that was probably meant.

use strsim::levenshtein;

/// The name that is closest to the one that was typed, or the one that was shortened to it, unless all are too far away.
pub fn closest<'n>(typed: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let candidates = names.into_iter().filter_map(|name| {
        let distance = levenshtein(typed, name);
        let is_shortened = is_shortened(typed, name) && distance <= typed.chars().count() / 2;
        let is_close = is_shortened || distance <= max_distance(typed);
        is_close.then_some((!is_shortened, distance, name))
    });
    candidates.min().map(|(_, _, name)| name)
}

/// Whether characters were only left out, as in `CERT` for `CERTIFICATE`.
fn is_shortened(typed: &str, name: &str) -> bool {
    let mut rest = name.chars();
    typed
        .chars()
        .all(|typed| rest.any(|character| character == typed))
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

    #[test]
    fn a_shortened_name_is_completed_even_if_another_is_closer() {
        let names = ["FLAG_TLS_KEY_FILE", "FLAG_TLS_CERTIFICATE_FILE"];
        let suggested = closest("FLAG_TLS_CERT_FILE", names);
        assert_eq!(suggested, Some("FLAG_TLS_CERTIFICATE_FILE"));
        assert_eq!(closest("F", names), None);
    }
}
