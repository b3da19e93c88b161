//! The store of another environment: `NAME=STORE`.

use crate::reader::Reader;
use crate::store::{StoreSettings, name};
use crate::store_name::StoreName;
use crate::table::{self, OTHER_STORE};

/// The store of another environment.
#[derive(Clone, Debug)]
pub struct OtherStoreSettings {
    /// The name of the environment.
    pub environment: String,
    /// The store; what its name leaves out is as in our own settings.
    pub store: StoreSettings,
}

impl OtherStoreSettings {
    /// Reads it; the outer `None` is an error. It must be another store than `own`.
    pub fn read(reader: &mut Reader, own: Option<&StoreSettings>) -> Option<Option<Self>> {
        let named = reader.parse(&OTHER_STORE, |text| match text.split_once('=') {
            _ if text.is_empty() => Some(None),
            Some((environment, store)) => {
                let store = StoreName::parse(store).ok()?;
                Some(Some((name(environment)?, store)))
            }
            None => None,
        });
        let Some((environment, store)) = named? else {
            return Some(None);
        };
        let sources = reader.sources().clone();
        // Its names may be made of the name of its environment, and what is refused in production is refused here.
        let sources = sources.with(&table::ENVIRONMENT, environment.as_str());
        let problem = match store.settings(&sources) {
            Ok(store) if own.is_none_or(|own| own.identity("") != store.identity("")) => {
                return Some(Some(Self { environment, store }));
            }
            Ok(_) => "this is the store of the service itself".to_owned(),
            Err(errors) => errors.to_string(),
        };
        let (option, origin) = (OTHER_STORE.option(), reader.origin(&OTHER_STORE));
        reader.add_error(&format!("{option} ({origin}): {problem}"));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Sources;

    fn read(text: &str) -> Result<Option<(String, String)>, String> {
        let sources = Sources::default()
            .with(&table::DATA_DIR, "/own")
            .with(&table::EMULATOR, "h:1")
            .with(&OTHER_STORE, text);
        let mut reader = Reader::new(sources);
        let own = StoreSettings::Embedded("/own".into());
        let other = OtherStoreSettings::read(&mut reader, Some(&own));
        let other = reader.finish(other).map_err(|errors| errors.to_string())?;
        Ok(other.map(|other| (other.environment, other.store.display_name())))
    }

    #[test]
    fn it_has_a_name_and_a_store() {
        assert_eq!(read(""), Ok(None));
        let found = |environment: &str, store: &str| Ok(Some((environment.into(), store.into())));
        assert_eq!(
            read("test=embedded:/a=b"),
            found("test", "embedded store in /a=b")
        );
        assert_eq!(
            read("hcb-test=bigtable:anbc-{environment}/i/t"),
            found(
                "hcb-test",
                "Bigtable table t in anbc-hcb-test/i, emulator at h:1"
            )
        );
    }

    #[test]
    fn what_is_no_other_store_is_an_error_that_names_the_setting() {
        for (text, says) in [
            ("test", "expected NAME=STORE"),
            ("test=/a", "expected NAME=STORE"),
            ("=embedded:/a", "expected NAME=STORE"),
            ("a b=embedded:/a", "expected NAME=STORE"),
            (
                "test=embedded:/own",
                "this is the store of the service itself",
            ),
            ("test=bigtable:p q/i", "found \"p q\""),
            ("prod=bigtable:p/i", "which is production"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("dashboard-other-store ("), "{error}");
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
