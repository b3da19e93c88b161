//! Names that look like settings but are not, such as misspelt ones.

use std::fmt;

use crate::similar::closest;
use crate::table;

/// Prefixes of the variables of this project.
const PREFIXES: [&str; 3] = ["FLAG_", "FEATURE_FLAG_", "PARTIAL_ROLLOUT_"];

/// Variables of this project that are no settings: those of `flagctl` and of the client.
const NO_SETTINGS: [&str; 4] = [
    "FLAG_OWNER",
    "FLAG_PROJECT",
    "FLAG_API_KEY",
    "FLAG_SERVICE_URL",
];

/// A variable with a prefix of this project that no setting has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    /// The variable that was probably meant.
    pub similar: Option<&'static str>,
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no setting has this variable")?;
        match self.similar {
            Some(similar) => write!(f, "; did you mean {similar}?"),
            None => Ok(()),
        }
    }
}

/// The unknown ones among these variables.
pub(crate) fn unknown_variables<'n>(
    names: impl Iterator<Item = &'n str>,
) -> impl Iterator<Item = UnknownVariable> {
    names.filter(|name| is_unknown(name)).map(|name| {
        let known = table::ALL.iter().flat_map(|setting| setting.variables);
        UnknownVariable {
            similar: closest(name, known.copied()),
            name: name.to_owned(),
        }
    })
}

fn is_unknown(name: &str) -> bool {
    let has_prefix = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    // Kubernetes sets FLAG_…_SERVICE_HOST and the like where a Service is called so.
    let is_foreign = ["_SERVICE_", "_PORT", "FLAG_TEST_"]
        .iter()
        .any(|part| name.contains(part));
    let is_known = table::ALL
        .iter()
        .any(|setting| setting.variables.contains(&name));
    has_prefix && !is_foreign && !is_known && !NO_SETTINGS.contains(&name)
}

/// The error of a key in a configuration file that no setting has.
pub(crate) fn key_error(key: &str) -> String {
    let keys = table::ALL.iter().filter(|known| **known != table::CONFIG);
    match closest(key, keys.map(|setting| setting.key)) {
        Some(similar) => format!("{key} is no setting; did you mean {similar}?"),
        None => format!("{key} is no setting"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_variable_names_the_one_that_was_probably_meant() {
        let names = ["FLAG_LISTNE", "FLAG_LISTEN", "FLAG_OWNER", "LISTNE"];
        let unknown: Vec<UnknownVariable> = unknown_variables(names.into_iter()).collect();
        let [unknown] = unknown.as_slice() else {
            panic!("{unknown:?}");
        };
        assert_eq!(unknown.name, "FLAG_LISTNE");
        let shown = unknown.to_string();
        assert_eq!(
            shown,
            "no setting has this variable; did you mean FLAG_LISTEN?"
        );
    }

    #[test]
    fn a_key_unlike_all_others_has_no_suggestion() {
        assert_eq!(
            key_error("worker"),
            "worker is no setting; did you mean workers?"
        );
        assert_eq!(
            key_error("background_colour"),
            "background_colour is no setting"
        );
    }
}
