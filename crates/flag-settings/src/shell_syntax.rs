//! Finds syntax in values that only a shell interprets: quotes, `~`, `$HOME`, and line ends of Windows.
//!
//! Environment files, manifests and systemd units pass values on unchanged. A directory named `"/data"`, quotes
//! included, can be created, and would be a new and empty store.

use crate::setting::{Origin, Setting};

/// What a shell would have changed in a value, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShellSyntax {
    pub(crate) why: &'static str,
    pub(crate) instead: String,
}

impl ShellSyntax {
    /// What is wrong and what to write; `found` is the value, if it may be shown.
    pub(crate) fn error(&self, setting: &Setting, origin: &Origin, found: Option<&str>) -> String {
        let (option, Self { why, instead }) = (setting.option(), self);
        match found {
            Some(text) => {
                format!("{option} ({origin}): found {text:?}, but {why}: write {instead}")
            }
            None => format!("{option} ({origin}): {why}: leave them out"),
        }
    }
}

/// Changes to any text, each with what is wrong.
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

/// Further changes to a path.
const OF_PATH: &[(Change, &str)] = &[
    (without_scheme, "it takes a path and no URL"),
    (without_tilde, "only a shell knows what `~` is"),
    (without_variable, "variables in it are not looked up"),
];

/// Finds what is wrong with any text.
pub(crate) fn of_text(text: &str) -> Option<ShellSyntax> {
    first_change(text, OF_TEXT.iter(), &|_| None)
}

/// Finds what is wrong with a path; `find` looks up its variables.
pub(crate) fn of_path(text: &str, find: &dyn Fn(&str) -> Option<String>) -> Option<ShellSyntax> {
    first_change(text, OF_TEXT.iter().chain(OF_PATH), find)
}

type Find<'a> = &'a dyn Fn(&str) -> Option<String>;
type Change = fn(&str, Find<'_>) -> String;

/// Applies all changes; says what is wrong for the first one that changes something.
fn first_change<'c>(
    text: &str,
    changes: impl Iterator<Item = &'c (Change, &'static str)>,
    find: Find<'_>,
) -> Option<ShellSyntax> {
    let mut found = None;
    let mut instead = text.to_owned();
    for &(change, why) in changes {
        let better = change(&instead, find);
        if better != instead {
            found = found.or(Some(why));
            instead = better;
        }
    }
    found.map(|why| ShellSyntax { why, instead })
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
        let found = of_path(text, &home).map(|syntax| syntax.instead);
        assert_eq!(found.as_deref(), instead, "{text:?}");
    }

    #[test]
    fn what_a_shell_removes_is_found() {
        check("\"/x\"", Some("/x"));
        check("'/x y'", Some("/x y"));
        check("/x\r", Some("/x"));
        check(" /x\t", Some("/x"));
        check("\"~/x\"\r\n", Some("/home/ann/x"));
        check("file:///x", Some("/x"));
    }

    #[test]
    fn what_a_shell_inserts_is_found() {
        check("~/x", Some("/home/ann/x"));
        check("~", Some("/home/ann"));
        check("$HOME/x", Some("/home/ann/x"));
        check("${HOME}/x", Some("/home/ann/x"));
        check("$DATA/x", Some("/VALUE-OF-DATA/x"));
    }

    #[test]
    fn a_plain_path_is_accepted() {
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
    fn text_may_hold_what_a_path_may_not() {
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
