//! The value of each setting and where it came from, as `flag-service --check-config` and `flagctl doctor` show it.

use crate::kind::Kind;
use crate::setting::{Origin, Setting};
use crate::sources::Sources;
use crate::table;

/// What is shown instead of a secret.
const HIDDEN: &str = "(hidden)";

/// A setting, its value, and where the value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// The option of the command line, without its dashes.
    pub option: String,
    /// The value, with the names of other settings in it filled in; empty for none, and not that of a secret.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

impl Sources {
    /// The effective values of these settings, valid or not.
    pub fn effective(&self, settings: &[Setting]) -> Vec<EffectiveSetting> {
        let environment = self.shown(&table::ENVIRONMENT);
        let tenant = self.shown(&table::TENANT);
        let effective = settings.iter().map(|setting| {
            let value = self.shown(setting);
            EffectiveSetting {
                option: setting.option(),
                value: value
                    .replace("{environment}", &environment)
                    .replace("{tenant}", &tenant),
                origin: self.find(setting).1,
            }
        });
        effective.collect()
    }

    fn shown(&self, setting: &Setting) -> String {
        let value = self.find(setting).0;
        if setting.kind == Kind::Secret && value.as_ref().map_or(true, |value| !value.is_empty()) {
            return HIDDEN.to_owned();
        }
        let value = value.unwrap_or_else(|bytes| bytes.display().to_string());
        without_userinfo(&value)
    }
}

/// A URL without user and password; any other text as it is.
pub(crate) fn without_userinfo(text: &str) -> String {
    let hidden = text.split_once("://").and_then(|(scheme, rest)| {
        let (authority, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let userinfo = authority.rfind('@')?;
        Some(format!("{scheme}://{HIDDEN}{}", rest.get(userinfo..)?))
    });
    hidden.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Command;

    use super::*;

    #[test]
    fn an_effective_value_has_an_origin() {
        let command = Command::new("test").args(table::OF_STORE.iter().map(Setting::arg));
        let matches = command.get_matches_from(["test", "--store", "bigtable"]);
        let environment = [(OsString::from("ENVIRONMENT"), OsString::from("hcb-uat"))];
        let sources = Sources::new(&matches, environment);
        let effective =
            sources.effective(&[table::STORE, table::BIGTABLE_PROJECT, table::EMULATOR]);
        let shown: Vec<_> = effective
            .iter()
            .map(|setting| {
                format!(
                    "{} = {} ({})",
                    setting.option, setting.value, setting.origin
                )
            })
            .collect();
        let expected = [
            "store = bigtable (command line)",
            "bigtable-project = anbc-hcb-uat (default)",
            "bigtable-emulator =  (default)",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn user_and_password_of_a_url_are_not_shown() {
        let shown = |text: &str| without_userinfo(text);
        assert_eq!(
            shown("http://u:SECRET@h:4318/v1"),
            "http://(hidden)@h:4318/v1"
        );
        assert_eq!(shown("https://SECRET@x@h"), "https://(hidden)@h");
        for text in ["http://h/a@b", "a@b", "10.0.0.1:80", ""] {
            assert_eq!(shown(text), text);
        }
    }

    #[track_caller]
    fn check_store(options: &[&str], environment: &[(&str, &str)], expected: &str) {
        let command = Command::new("test").args(table::OF_STORE.iter().map(Setting::arg));
        let matches = command.get_matches_from([&["test"], options].concat());
        let environment = environment.iter();
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        let effective = Sources::new(&matches, environment).effective(&[table::STORE]);
        let effective = effective
            .first()
            .map(|setting| format!("{} ({})", setting.value, setting.origin));
        assert_eq!(effective.as_deref(), Some(expected));
    }

    #[test]
    fn a_setting_of_bigtable_implies_bigtable() {
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
    fn the_store_that_is_named_with_more_precedence_wins() {
        let instance = ("INSTANCE_ID", "i");
        let options = ["--data-dir", "d"];
        let expected = "embedded (because data-dir is set: command line)";
        check_store(&options, &[instance], expected);
        check_store(&options, &[("BIGTABLE_EMULATOR_HOST", "h:1")], expected);
        check_store(&options, &[], "embedded (default)");
        check_store(
            &["--flag-table", "t"],
            &[instance, ("FLAG_DATA_DIR", "d")],
            "bigtable (because flag-table is set: command line)",
        );
    }

    #[test]
    fn a_secret_is_not_shown() {
        let matches = Command::new("test").get_matches_from(["test"]);
        let secret = [table::LOG_INSTANCE_ID_KEY];
        let sources = Sources::new(&matches, []);
        assert_eq!(sources.effective(&secret)[0].value, "");
        let sources = sources.with(&table::LOG_INSTANCE_ID_KEY, "hunter2");
        assert_eq!(sources.effective(&secret)[0].value, "(hidden)");
    }

    #[test]
    fn an_added_value_wins() {
        let matches = Command::new("test").get_matches_from(["test"]);
        let sources = Sources::new(&matches, []).with(&table::DATA_DIR, "elsewhere");
        let effective = sources.effective(&[table::DATA_DIR]);
        assert_eq!(
            effective.first().map(|setting| &*setting.value),
            Some("elsewhere")
        );
    }
}
