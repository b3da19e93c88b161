//! Reads the fields of a tree, and collects all errors.

use std::fmt::Display;

use flag_model::{Invalid, quoted};

use super::node::{Kind, Node};
use super::{FileError, FileErrors};
use crate::suggestions::closest;

/// The errors so far. A reader that gets `None` continues with the rest, as the error is recorded.
#[derive(Debug, Default)]
pub(super) struct Reading {
    mistakes: Vec<FileError>,
}

/// A value and its path, `flags[0].revision.control`.
#[derive(Clone, Debug)]
pub(super) struct At<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
}

/// The fields of a map.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    at: At<'n>,
    entries: &'n [(Node, Node)],
    /// Known fields that were probably meant by unknown ones, which are recorded.
    mistyped: Vec<&'n str>,
}

impl<'n> At<'n> {
    /// The whole file.
    pub(super) fn root(node: &'n Node) -> Self {
        Self {
            node,
            path: String::new(),
        }
    }
}

impl<'n> Fields<'n> {
    /// A field, unless it is missing or null.
    pub(super) fn get(&self, name: &str) -> Option<At<'n>> {
        let is_named = |key: &Node| matches!(&key.kind, Kind::Text(text) if text == name);
        let (_, node) = self.entries.iter().find(|(key, _)| is_named(key))?;
        let path = self.path(name);
        (!matches!(node.kind, Kind::Null)).then_some(At { node, path })
    }

    fn path(&self, name: &str) -> String {
        if self.at.path.is_empty() {
            return name.to_owned();
        }
        format!("{}.{name}", self.at.path)
    }
}

impl Reading {
    /// What was built, or every error.
    pub(super) fn finish<T>(mut self, built: Option<T>) -> Result<T, FileErrors> {
        match built {
            Some(built) if self.mistakes.is_empty() => Ok(built),
            _ => {
                let place = |mistake: &FileError| (mistake.position.line, mistake.position.column);
                self.mistakes.sort_by_key(place);
                Err(FileErrors(self.mistakes))
            }
        }
    }

    /// Whether there are errors.
    pub(super) fn has_mistakes(&self) -> bool {
        !self.mistakes.is_empty()
    }

    /// Records an error that no field shows.
    pub(super) fn add(&mut self, mistake: FileError) {
        self.mistakes.push(mistake);
    }

    /// Records an error.
    pub(super) fn refuse<T>(&mut self, at: &At<'_>, problem: impl Display) -> Option<T> {
        let separator = if at.path.is_empty() { "" } else { ": " };
        self.mistakes.push(FileError {
            position: at.node.position,
            message: format!("{}{separator}{problem}", at.path),
        });
        None
    }

    /// Records that something else was expected.
    fn expected<T>(&mut self, at: &At<'_>, expected: &str) -> Option<T> {
        let problem = format!("found {}, expected {expected}", at.node.found());
        self.refuse(at, problem)
    }

    /// The fields of a map, which may have only these; others are recorded, and the known ones are read.
    pub(super) fn fields<'n>(&mut self, at: &At<'n>, known: &[&'static str]) -> Option<Fields<'n>> {
        let Kind::Map(entries) = &at.node.kind else {
            return self.expected(at, &format!("the fields {}", known.join(", ")));
        };
        let at = at.clone();
        let mut fields = Fields {
            at,
            entries,
            mistyped: Vec::new(),
        };
        for (key, _) in entries {
            match &key.kind {
                Kind::Text(name) if known.contains(&name.as_str()) => {}
                Kind::Text(name) => {
                    let meant = self.unknown(&fields, key, name, known);
                    fields.mistyped.extend(meant);
                }
                _ => {
                    let node = key;
                    let path = fields.at.path.clone();
                    let _: Option<()> = self.expected(&At { node, path }, "the name of a field");
                }
            }
        }
        Some(fields)
    }

    /// Records an unknown field; returns the one that was probably meant.
    fn unknown(
        &mut self,
        fields: &Fields<'_>,
        key: &Node,
        name: &str,
        known: &[&'static str],
    ) -> Option<&'static str> {
        let shown = quoted(name);
        let shown = shown.trim_matches('"');
        let meant = closest(name, known.iter().copied());
        let meant = meant.and_then(|meant| known.iter().copied().find(|name| *name == meant));
        let near = meant.map_or_else(
            || format!("expected {}", known.join(", ")),
            |near| format!("did you mean {near}?"),
        );
        let at = At {
            node: key,
            path: fields.path(shown),
        };
        let _: Option<()> = self.refuse(&at, format!("there is no such field; {near}"));
        meant
    }

    /// A field that must be there.
    pub(super) fn required<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Option<At<'n>> {
        let found = fields.get(name);
        if found.is_none() && !fields.mistyped.contains(&name) {
            let at = At {
                node: fields.at.node,
                path: fields.path(name),
            };
            return self.refuse(&at, "found nothing, expected a value");
        }
        found
    }

    /// An optional field, read by a function; the outer `None` is an error.
    #[expect(clippy::option_option, reason = "a missing field is no error")]
    pub(super) fn optional<'n, T>(
        &mut self,
        fields: &Fields<'n>,
        name: &str,
        read: impl FnOnce(&mut Self, &At<'n>) -> Option<T>,
    ) -> Option<Option<T>> {
        match fields.get(name) {
            Some(at) => read(self, &at).map(Some),
            None => Some(None),
        }
    }

    /// Text.
    pub(super) fn text<'n>(&mut self, at: &At<'n>) -> Option<&'n str> {
        match &at.node.kind {
            Kind::Text(text) => Some(text),
            Kind::Boolean(_) | Kind::Number(_) => self.expected(at, "text; put it into quotes"),
            _ => self.expected(at, "text"),
        }
    }

    /// A boolean.
    pub(super) fn boolean(&mut self, at: &At<'_>) -> Option<bool> {
        match &at.node.kind {
            Kind::Boolean(value) => Some(*value),
            _ => self.expected(at, "true or false"),
        }
    }

    /// The digits of a number.
    pub(super) fn number<'n>(&mut self, at: &At<'n>) -> Option<&'n str> {
        match &at.node.kind {
            Kind::Number(digits) => Some(digits),
            _ => self.expected(at, "a number"),
        }
    }

    /// Text that is not blank.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        at: &At<'_>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(at)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(refused) => self.refuse(at, refused),
        }
    }

    /// Text for a type whose own error names the field once more.
    pub(super) fn valid<T>(
        &mut self,
        at: &At<'_>,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        self.parsed(at, |text| {
            parse(text).map_err(
                |Invalid {
                     found, expected, ..
                 }| { format!("found {found}, expected {expected}") },
            )
        })
    }

    /// Each item of a list, read by a function.
    pub(super) fn list<'n, T>(
        &mut self,
        at: &At<'n>,
        mut read: impl FnMut(&mut Self, &At<'n>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Kind::List(items) = &at.node.kind else {
            return self.expected(at, "a list");
        };
        let items = items.iter().enumerate().map(|(index, node)| {
            let path = format!("{}[{index}]", at.path);
            read(self, &At { node, path })
        });
        // Reads all of them, so that the errors of all are reported.
        let read: Vec<Option<T>> = items.collect();
        read.into_iter().collect()
    }
}
