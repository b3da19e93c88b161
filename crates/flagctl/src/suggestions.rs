//! Suggestions for misspelt names.

use flag_model::FlagKey;
pub(crate) use flag_settings::similar::closest;
use flag_settings::similar::max_distance;
use strsim::levenshtein;

/// How many names are suggested at most.
const MAX_SUGGESTIONS: usize = 3;

/// The flags with the most similar names, the most similar first.
pub(crate) fn similar_flags<'f>(
    wanted: &FlagKey,
    flags: impl IntoIterator<Item = &'f FlagKey>,
) -> Vec<&'f FlagKey> {
    let name = wanted.name.as_str();
    let mut similar: Vec<(usize, &FlagKey)> = flags
        .into_iter()
        .map(|flag| (levenshtein(name, flag.name.as_str()), flag))
        .filter(|&(distance, _)| distance <= max_distance(name))
        .collect();
    similar.sort_by_key(|&(distance, flag)| (distance, flag.flag_type != wanted.flag_type));
    similar.truncate(MAX_SUGGESTIONS);
    similar.into_iter().map(|(_, flag)| flag).collect()
}

#[cfg(test)]
mod tests {
    use flag_model::FlagType;

    use super::*;

    fn flag(flag_type: FlagType, name: &str) -> FlagKey {
        format!("p/{flag_type}/{name}").parse().unwrap()
    }

    #[test]
    fn the_nearest_flags_are_suggested_the_nearest_first() {
        let flags = ["router", "routers", "greeting"].map(|name| flag(FlagType::Feature, name));
        let wanted = flag(FlagType::Feature, "routes");
        let names: Vec<&str> = similar_flags(&wanted, &flags)
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
        let wanted = flag(FlagType::Data, "ruter");
        assert_eq!(similar_flags(&wanted, &flags), [&flags[1], &flags[0]]);
    }

    #[test]
    fn a_name_that_differs_in_more_than_a_third_is_not_suggested() {
        assert_eq!(closest("kitten", ["sitting", "kitchen"]), Some("kitchen"));
        assert_eq!(closest("kitten", ["sitting"]), None);
        assert_eq!(closest("ab", ["xy"]), Some("xy"));
    }
}
