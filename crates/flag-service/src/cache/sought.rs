//! A flag as it is asked for: its names are borrowed, and perhaps no names at all.

use flag_model::{FlagKey, FlagType};
use quick_cache::Equivalent;

/// Finds a [`FlagKey`] without making one: what is found is valid, as it is equal to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sought<'a> {
    // In the order of `FlagKey`, whose hash this has to have.
    pub(crate) project: &'a str,
    pub(crate) flag_type: FlagType,
    pub(crate) name: &'a str,
}

impl Equivalent<FlagKey> for Sought<'_> {
    fn equivalent(&self, flag: &FlagKey) -> bool {
        self.name == flag.name.as_str()
            && self.project == flag.project.as_str()
            && self.flag_type == flag.flag_type
    }
}

#[cfg(test)]
mod tests {
    use std::collections::hash_map::RandomState;
    use std::hash::BuildHasher as _;

    use super::*;

    const NAMES: [&str; 3] = ["a", "multi_step_api_router", "csr-assistant.2"];

    fn keys() -> impl Iterator<Item = FlagKey> {
        let pairs = NAMES
            .iter()
            .flat_map(|project| NAMES.iter().map(move |name| (project, name)));
        pairs.flat_map(|(project, name)| {
            FlagType::ALL.map(|flag_type| format!("{project}/{flag_type}/{name}").parse().unwrap())
        })
    }

    #[test]
    fn it_finds_its_key_and_no_other() {
        let hashes = RandomState::new();
        for flag in keys() {
            let sought = Sought {
                project: flag.project.as_str(),
                flag_type: flag.flag_type,
                name: flag.name.as_str(),
            };
            assert_eq!(hashes.hash_one(sought), hashes.hash_one(&flag), "{flag}");
            let found: Vec<FlagKey> = keys().filter(|key| sought.equivalent(key)).collect();
            assert_eq!(found, [flag]);
        }
    }
}
