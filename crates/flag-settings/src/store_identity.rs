//! The identity of a store, derived from settings alone, as the store may be unreachable.
//!
//! An embedded store is identified by its path, without resolving links (they may be missing), and by the deployment, as
//! the same path on another machine is another store.

use std::path;

use crate::store::StoreSettings;

impl StoreSettings {
    /// Returns a text that is the same for the same store in the same deployment only.
    pub fn identity(&self, deployment: &str) -> String {
        match self {
            Self::Embedded(directory) => {
                let absolute = path::absolute(directory);
                let directory = absolute.as_ref().unwrap_or(directory);
                format!("embedded {} of {deployment}", directory.display())
            }
            Self::Bigtable(settings) => {
                let emulator = settings.emulator.as_ref();
                let emulator =
                    emulator.map_or_else(String::new, |address| format!(" emulator {address}"));
                let (project, instance) = (&settings.project, &settings.instance);
                format!(
                    "bigtable{emulator} {project}/{instance}/{}",
                    settings.flag_table
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use flag_store_bigtable::BigtableSettings;

    use super::*;

    #[test]
    fn stores_that_differ_in_anything_have_other_identities() {
        let bigtable = |project, instance, table, emulator: Option<&str>| {
            let settings = BigtableSettings::new(project, instance, table, "log");
            StoreSettings::Bigtable(Box::new(BigtableSettings {
                emulator: emulator.map(str::to_owned),
                ..settings
            }))
        };
        let stores = [
            bigtable("p", "i", "t", None),
            bigtable("p", "i", "t2", None),
            bigtable("p", "live", "t", None),
            bigtable("q", "i", "t", None),
            bigtable("p", "i", "t", Some("localhost:8086")),
            StoreSettings::Embedded("data".into()),
            StoreSettings::Embedded("/data".into()),
        ];
        let identity = |store: &StoreSettings| store.identity("hcb-dev csr-va anbc-hcb-dev");
        let mut identities: Vec<String> = stores.iter().map(identity).collect();
        identities.sort_unstable();
        identities.dedup();
        assert_eq!(identities.len(), stores.len(), "{identities:?}");
        let same = path::absolute("data").unwrap();
        assert_eq!(
            identity(&StoreSettings::Embedded(same)),
            identity(&stores[5])
        );
    }

    #[test]
    fn the_same_path_in_another_deployment_is_another_store() {
        let identity =
            |path: &str, deployment| StoreSettings::Embedded(path.into()).identity(deployment);
        let same = identity("flag-data", "dev csr-va p");
        assert_eq!(identity("./flag-data", "dev csr-va p"), same);
        for deployment in ["prod csr-va p", "dev prod p", "dev csr-va prod"] {
            let other = identity("flag-data", deployment);
            assert!(other != same && other.starts_with("embedded "), "{other}");
        }
    }
}
