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

/// The unknown ones among these variables, given with their values.
pub(crate) fn unknown_variables<'n>(
    variables: impl Iterator<Item = (&'n str, &'n str)>,
) -> impl Iterator<Item = UnknownVariable> {
    let unknown = variables.filter(|(name, value)| is_unknown(name, value));
    unknown.map(|(name, _)| {
        let known = table::ALL.iter().flat_map(|setting| setting.variables);
        UnknownVariable {
            similar: closest(name, known.copied()),
            name: name.to_owned(),
        }
    })
}

fn is_unknown(name: &str, value: &str) -> bool {
    let has_prefix = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    // Kubernetes sets FLAG_…_SERVICE_HOST, FLAG_…_PORT=tcp://… and the like where a Service is called so.
    let is_foreign = ["_SERVICE_", "_PORT_", "FLAG_TEST_"]
        .iter()
        .any(|part| name.contains(part))
        || (name.ends_with("_PORT") && value.contains("://"));
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
        let variables = names.into_iter().map(|name| (name, ""));
        let unknown: Vec<UnknownVariable> = unknown_variables(variables).collect();
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
    fn variables_that_kubernetes_sets_for_a_service_are_no_mistakes() {
        let variables = [
            ("FLAG_SERVICE_HOST", "10.0.0.1"),
            ("FLAG_PORT_80_TCP_PROTO", "tcp"),
            ("FLAG_PORT", "tcp://10.0.0.1:80"),
            ("FLAG_HTTP_PORT", "8081"),
        ];
        let unknown: Vec<UnknownVariable> = unknown_variables(variables.into_iter()).collect();
        let names: Vec<&str> = unknown
            .iter()
            .map(|unknown| unknown.name.as_str())
            .collect();
        assert_eq!(names, ["FLAG_HTTP_PORT"]);
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
