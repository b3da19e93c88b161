//! A store that is named in one word: `embedded:DIR` or `bigtable:PROJECT/INSTANCE[/FLAG_TABLE[/LOG_TABLE]]`.

use flag_model::quoted;

use crate::reader::{Reader, SettingErrors};
use crate::setting::Setting;
use crate::sources::Sources;
use crate::store::StoreSettings;
use crate::table;

/// How a store is spelled, for messages.
const EXPECTED: &str = "embedded:DIR or bigtable:PROJECT/INSTANCE[/FLAG_TABLE[/LOG_TABLE]]";

/// A store by name; what the name leaves out, the settings say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreName(Vec<(Setting, String)>);

impl StoreName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("found {}, expected {EXPECTED}", quoted(text));
        let (kind, location) = text.split_once(':').ok_or_else(refused)?;
        let parts: Vec<&str> = location.split('/').collect();
        let named: &[Setting] = match kind {
            "embedded" if !location.is_empty() => {
                return Ok(Self::of([
                    (table::STORE, kind),
                    (table::DATA_DIR, location),
                ]));
            }
            "bigtable" if (2..=4).contains(&parts.len()) => &[
                table::BIGTABLE_PROJECT,
                table::BIGTABLE_INSTANCE,
                table::FLAG_TABLE,
                table::LOG_TABLE,
            ],
            _ => return Err(refused()),
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(refused());
        }
        let settings = named.iter().copied().zip(parts);
        Ok(Self::of([(table::STORE, kind)].into_iter().chain(settings)))
    }

    fn of<'t>(settings: impl IntoIterator<Item = (Setting, &'t str)>) -> Self {
        let settings = settings.into_iter();
        Self(
            settings
                .map(|(setting, text)| (setting, text.to_owned()))
                .collect(),
        )
    }

    /// The settings of the store: those that the name sets, and the configured ones for the rest.
    pub fn settings(&self, sources: &Sources) -> Result<StoreSettings, SettingErrors> {
        let named = self.0.iter();
        let sources = named.fold(sources.clone(), |sources, (setting, text)| {
            sources.with(setting, text)
        });
        let mut reader = Reader::new(sources);
        let settings = StoreSettings::read(&mut reader);
        reader.finish(settings)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn display_name(text: &str) -> String {
        let name = StoreName::parse(text).unwrap();
        let matches = clap::Command::new("test").get_matches_from(["test"]);
        let environment = [("BIGTABLE_EMULATOR_HOST", "h:1"), ("BT_TABLE_ID", "flags")];
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        let sources = Sources::new(&matches, environment);
        name.settings(&sources).unwrap().display_name()
    }

    #[test]
    fn what_a_name_leaves_out_the_settings_say() {
        assert_eq!(display_name("embedded:a/b:c"), "embedded store in a/b:c");
        let flags = "Bigtable table flags in p/i, emulator at h:1";
        assert_eq!(display_name("bigtable:p/i"), flags);
        let named = "Bigtable table t in p/i, emulator at h:1";
        assert_eq!(display_name("bigtable:p/i/t"), named);
        let name = StoreName::parse("bigtable:p/i/t/l").unwrap();
        assert_eq!(name.0.last(), Some(&(table::LOG_TABLE, "l".to_owned())));
    }

    #[test]
    fn what_is_no_store_is_refused() {
        for text in [
            "",
            "embedded",
            "embedded:",
            "bigtable:p",
            "bigtable:p/",
            "bigtable:p/i/t/l/x",
            "sqlite:x",
            "p/i",
        ] {
            let refused = StoreName::parse(text).unwrap_err();
            assert_eq!(refused, format!("found {text:?}, expected {EXPECTED}"));
        }
    }

    #[test]
    fn a_name_that_bigtable_would_refuse_is_a_mistake() {
        let name = StoreName::parse("bigtable:p q/i").unwrap();
        let refused = name.settings(&Sources::default()).unwrap_err();
        assert!(refused.to_string().contains("found \"p q\""), "{refused}");
        let settings = StoreName::parse("embedded:x").unwrap();
        let settings = settings.settings(&Sources::default()).unwrap();
        assert!(matches!(settings, StoreSettings::Embedded(path) if path == Path::new("x")));
    }
}
