//! Values that a shell would have changed, and nobody else does: quotes, `~`, `$HOME`, line ends of Windows.
//!
//! Files of variables, manifests and units hand values over as they are. A directory `"/data"`, quotes and all, can be
//! made, and is then a new and empty store.

use crate::setting::{Origin, Setting};

/// Why a text was hardly meant as it is, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) why: &'static str,
    pub(crate) instead: String,
}

impl Literal {
    /// What is wrong with what was found, if that may be shown, and what to do.
    pub(crate) fn mistake(
        &self,
        setting: &Setting,
        origin: &Origin,
        found: Option<&str>,
    ) -> String {
        let (option, Self { why, instead }) = (setting.option(), self);
        match found {
            Some(text) => {
                format!("{option} ({origin}): found {text:?}, but {why}: write {instead}")
            }
            None => format!("{option} ({origin}): {why}: leave them out"),
        }
    }
}

/// What is changed in any text, and why that matters.
const OF_TEXT: &[(Change, &str)] = &[
    (
        without_controls,
        "line breaks and other control characters are taken as they are",
    ),
    (
        |text, _| text.trim().to_owned(),
        "spaces at its ends are taken as they are",
    ),
    (without_quotes, "quotes are taken as they are"),
];

/// What is changed in a path besides.
const OF_PATH: &[(Change, &str)] = &[
    (without_scheme, "it takes a path and no URL"),
    (without_tilde, "only a shell knows what `~` is"),
    (without_variable, "variables in it are not looked up"),
];

/// What any text may suffer on its way through a file of variables.
pub(crate) fn of_text(text: &str) -> Option<Literal> {
    first_change(text, OF_TEXT.iter(), &|_| None)
}

/// The same of a path, whose variables `find` knows.
pub(crate) fn of_path(text: &str, find: &dyn Fn(&str) -> Option<String>) -> Option<Literal> {
    first_change(text, OF_TEXT.iter().chain(OF_PATH), find)
}

type Find<'a> = &'a dyn Fn(&str) -> Option<String>;
type Change = fn(&str, Find<'_>) -> String;

/// Says why of the first change that changes something, and applies them all.
fn first_change<'c>(
    text: &str,
    changes: impl Iterator<Item = &'c (Change, &'static str)>,
    find: Find<'_>,
) -> Option<Literal> {
    let mut found = None;
    let mut instead = text.to_owned();
    for &(change, why) in changes {
        let better = change(&instead, find);
        if better != instead {
            found = found.or(Some(why));
            instead = better;
        }
    }
    found.map(|why| Literal { why, instead })
}

fn without_controls(text: &str, _: Find<'_>) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .collect()
}

fn without_quotes(text: &str, _: Find<'_>) -> String {
    text.trim_matches(['"', '\'']).to_owned()
}

fn without_scheme(text: &str, _: Find<'_>) -> String {
    text.split_once("://")
        .map_or(text, |(_, path)| path)
        .to_owned()
}

fn without_tilde(text: &str, find: Find<'_>) -> String {
    match text.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            find("HOME").unwrap_or_else(|| "/home/NAME".to_owned()) + rest
        }
        _ => text.to_owned(),
    }
}

/// `$NAME` or `${NAME}` at its start.
fn without_variable(text: &str, find: Find<'_>) -> String {
    let Some(rest) = text.strip_prefix('$') else {
        return text.to_owned();
    };
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let (name, rest) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some(parts) => parts,
        None => rest.split_at(rest.find(|next| !is_part(next)).unwrap_or(rest.len())),
    };
    find(name).unwrap_or_else(|| format!("/VALUE-OF-{name}")) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/ann".to_owned())
    }

    #[track_caller]
    fn check(text: &str, instead: Option<&str>) {
        let found = of_path(text, &home).map(|literal| literal.instead);
        assert_eq!(found.as_deref(), instead, "{text:?}");
    }

    #[test]
    fn what_a_shell_would_have_taken_away_is_found() {
        check("\"/x\"", Some("/x"));
        check("'/x y'", Some("/x y"));
        check("/x\r", Some("/x"));
        check(" /x\t", Some("/x"));
        check("\"~/x\"\r\n", Some("/home/ann/x"));
        check("file:///x", Some("/x"));
    }

    #[test]
    fn what_a_shell_would_have_put_in_is_found() {
        check("~/x", Some("/home/ann/x"));
        check("~", Some("/home/ann"));
        check("$HOME/x", Some("/home/ann/x"));
        check("${HOME}/x", Some("/home/ann/x"));
        check("$DATA/x", Some("/VALUE-OF-DATA/x"));
    }

    #[test]
    fn a_path_is_a_path() {
        for path in [
            "/x",
            "./flag-data",
            "x y",
            "../~x",
            "~x",
            "./~",
            "./$x",
            "a\"b",
            "ä/ö",
            "",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn a_text_may_be_what_no_path_may() {
        for text in ["~/x", "$HOME", "http://x"] {
            assert_eq!(of_text(text), None);
        }
        let found = of_text("\"x\"").unwrap();
        assert_eq!(
            (found.why, &*found.instead),
            ("quotes are taken as they are", "x")
        );
    }
}
