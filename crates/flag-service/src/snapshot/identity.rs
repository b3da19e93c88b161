//! Which store a snapshot is of.
//!
//! Made of settings alone: it has to be known while the store cannot be reached, which is what snapshots are for. Of an
//! embedded store that is its path as it is spelled, links not followed, as they can be followed only while they are there.
//! The same path on other machines is another store, so that the names of the deployment belong to it too.

use std::path;

use flag_settings::StoreSettings;

/// The same text for the same store in the same deployment, and for no other.
pub(super) fn of(store: &StoreSettings, deployment: &str) -> String {
    match store {
        StoreSettings::Embedded(directory) => {
            let absolute = path::absolute(directory);
            let directory = absolute.as_ref().unwrap_or(directory);
            format!("embedded {} of {deployment}", directory.display())
        }
        StoreSettings::Bigtable(settings) => {
            let place = settings.emulator.as_ref();
            let place = place.map_or_else(String::new, |emulator| format!(" emulator {emulator}"));
            let (project, instance) = (&settings.project, &settings.instance);
            format!(
                "bigtable{place} {project}/{instance}/{}",
                settings.flag_table
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use flag_store_bigtable::BigtableSettings;

    use super::*;
    use crate::config::Config;

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
        let identity = |store| of(store, "hcb-dev csr-va anbc-hcb-dev");
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
        let with = |variable, value| {
            let config = Config::of(&[("FLAG_STORE", "embedded"), (variable, value)]);
            of(&config.store, &config.deployment)
        };
        let same = with("FLAG_DATA_DIR", "flag-data");
        assert_eq!(with("FLAG_DATA_DIR", "./flag-data"), same);
        for variable in ["ENVIRONMENT", "TENANT_NAME", "PROJECT_ID"] {
            let other = with(variable, "prod");
            assert!(other != same && other.starts_with("embedded "), "{other}");
        }
    }
}
