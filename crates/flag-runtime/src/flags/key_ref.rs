//! A borrowed flag key, which may be invalid.

use flag_model::{FlagKey, FlagType};
use quick_cache::Equivalent;

/// Looks up a [`FlagKey`] without allocating one. It needs no validation: only valid keys are in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlagKeyRef<'a> {
    // In the order of `FlagKey`, as the hash must be the same.
    /// The project.
    pub project: &'a str,
    /// The flag type.
    pub flag_type: FlagType,
    /// The name of the flag.
    pub name: &'a str,
}

impl<'a> From<&'a FlagKey> for FlagKeyRef<'a> {
    fn from(flag: &'a FlagKey) -> Self {
        Self {
            project: flag.project.as_str(),
            flag_type: flag.flag_type,
            name: flag.name.as_str(),
        }
    }
}

impl Equivalent<FlagKey> for FlagKeyRef<'_> {
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
            let borrowed = FlagKeyRef::from(&flag);
            assert_eq!(hashes.hash_one(borrowed), hashes.hash_one(&flag), "{flag}");
            let found: Vec<FlagKey> = keys().filter(|key| borrowed.equivalent(key)).collect();
            assert_eq!(found, [flag]);
        }
    }
}
