//! Settings as they were told, for people who want to know what counts and why.

use crate::setting::{Origin, Setting};
use crate::sources::Sources;
use crate::table;

/// A setting, its value, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The option of the command line, without its dashes.
    pub option: String,
    /// The value, with the names of other settings in it filled in; empty for none.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

impl Sources {
    /// What counts of these settings, whether it makes sense or not. Not for settings that are secrets.
    pub fn told(&self, settings: &[Setting]) -> Vec<Told> {
        let environment = self.shown(&table::ENVIRONMENT);
        let tenant = self.shown(&table::TENANT);
        let told = settings.iter().map(|setting| {
            let value = self.shown(setting);
            Told {
                option: setting.option(),
                value: value
                    .replace("{environment}", &environment)
                    .replace("{tenant}", &tenant),
                origin: self.find(setting).1,
            }
        });
        told.collect()
    }

    fn shown(&self, setting: &Setting) -> String {
        let value = self.find(setting).0;
        value.unwrap_or_else(|bytes| bytes.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Command;

    use super::*;

    #[test]
    fn what_counts_is_told_with_its_origin() {
        let command = Command::new("test").args(table::OF_STORE.iter().map(Setting::arg));
        let matches = command.get_matches_from(["test", "--store", "bigtable"]);
        let environment = [(OsString::from("ENVIRONMENT"), OsString::from("hcb-uat"))];
        let sources = Sources::new(&matches, environment);
        let told = sources.told(&[table::STORE, table::PROJECT, table::EMULATOR]);
        let shown: Vec<_> = told
            .iter()
            .map(|told| format!("{} = {} ({})", told.option, told.value, told.origin))
            .collect();
        let expected = [
            "store = bigtable (command line)",
            "bigtable-project = anbc-hcb-uat (default)",
            "bigtable-emulator =  (default)",
        ];
        assert_eq!(shown, expected);
    }

    #[track_caller]
    fn check_store(typed: &[&str], environment: &[(&str, &str)], expected: &str) {
        let command = Command::new("test").args(table::OF_STORE.iter().map(Setting::arg));
        let matches = command.get_matches_from([&["test"], typed].concat());
        let environment = environment.iter();
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        let told = Sources::new(&matches, environment).told(&[table::STORE]);
        let told = told
            .first()
            .map(|told| format!("{} ({})", told.value, told.origin));
        assert_eq!(told.as_deref(), Some(expected));
    }

    #[test]
    fn whoever_names_a_part_of_bigtable_means_bigtable() {
        let instance = ("INSTANCE_ID", "i");
        check_store(&[], &[], "embedded (default)");
        check_store(&[], &[("PROJECT_ID", "p")], "embedded (default)");
        check_store(
            &[],
            &[instance],
            "bigtable (because bigtable-instance is set: variable INSTANCE_ID)",
        );
        check_store(
            &[],
            &[("BIGTABLE_EMULATOR_HOST", "h:1")],
            "bigtable (because bigtable-emulator is set: variable BIGTABLE_EMULATOR_HOST)",
        );
        check_store(
            &["--flag-table", "t"],
            &[],
            "bigtable (because flag-table is set: command line)",
        );
        check_store(
            &[],
            &[instance, ("FLAG_STORE", "embedded")],
            "embedded (variable FLAG_STORE)",
        );
    }

    #[test]
    fn the_store_that_is_named_more_strongly_counts() {
        let instance = ("INSTANCE_ID", "i");
        let typed = ["--data-dir", "d"];
        let said = "embedded (because data-dir is set: command line)";
        check_store(&typed, &[instance], said);
        check_store(&typed, &[("BIGTABLE_EMULATOR_HOST", "h:1")], said);
        check_store(&typed, &[], "embedded (default)");
        check_store(
            &["--flag-table", "t"],
            &[instance, ("FLAG_DATA_DIR", "d")],
            "bigtable (because flag-table is set: command line)",
        );
    }

    #[test]
    fn what_is_put_on_top_counts() {
        let matches = Command::new("test").get_matches_from(["test"]);
        let sources = Sources::new(&matches, []).with(&table::DATA_DIR, "elsewhere");
        let told = sources.told(&[table::DATA_DIR]);
        assert_eq!(told.first().map(|told| &*told.value), Some("elsewhere"));
    }
}
