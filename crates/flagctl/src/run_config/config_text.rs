//! A text that is parsed, and errors with positions in it.

use std::borrow::Cow;

use flag_model::{Invalid, InvalidPercent, InvalidRevision, quoted};
use flag_store::UnreadableRow;
use flag_store::literal::{self, Literal, Node, RepeatedKey, line_and_column};

use super::ConfigError;
use super::excerpt::{Excerpt, ExcerptStep, node_at};
use crate::suggestions::closest;

/// A text with its name.
pub(super) struct ConfigText<'a> {
    name: &'static str,
    source: &'a str,
    /// Its content.
    pub(super) root: Node<'a>,
}

impl<'a> ConfigText<'a> {
    /// Reads a text. A key that is there twice is refused, as one of its values would be dropped.
    pub(super) fn read(name: &'static str, source: &'a str) -> Result<Self, ConfigError> {
        let (root, repeated) = literal::parse_and_check(source).map_err(|error| ConfigError {
            text: name,
            excerpt: Excerpt::at(source, error.line(), error.column()),
            problem: format!("found {}, expected {}", error.found(), error.expected()),
        })?;
        let text = Self { name, source, root };
        match repeated {
            Some(RepeatedKey { key, at }) => Err(text.wrong_at(
                at,
                format!("found {} twice, expected it once", quoted(&key)),
            )),
            None => Ok(text),
        }
    }

    /// Something is wrong with the value at this path, or with the last value on it that is there.
    pub(super) fn wrong(&self, path: &[ExcerptStep<'_>], problem: String) -> ConfigError {
        self.wrong_at(node_at(&self.root, path).at, problem)
    }

    fn wrong_at(&self, at: usize, problem: String) -> ConfigError {
        let (line, column) = line_and_column(self.source, at);
        ConfigError {
            text: self.name,
            excerpt: Excerpt::at(self.source, line, column),
            problem,
        }
    }

    /// The error about a blank field.
    pub(super) fn blank(
        &self,
        path: &[ExcerptStep<'_>],
        cells: &Literal<'_>,
        field: &'static str,
    ) -> ConfigError {
        let found = match cells.get(field) {
            Some(Literal::Text(text)) => quoted(text),
            _ => "nothing".to_owned(),
        };
        let problem = format!("{field}: found {found}, expected some text");
        self.wrong(&steps(path, &[ExcerptStep::Key(field)]), problem)
    }

    /// A field of the text.
    pub(super) fn field(&self, field: &str) -> Result<&Literal<'a>, ConfigError> {
        let found = self.root.get(field);
        found.ok_or_else(|| self.wrong(&[], format!("{field}: found no such field, expected one")))
    }

    pub(super) fn text_field(&self, field: &'static str) -> Result<&str, ConfigError> {
        match self.field(field)? {
            Literal::Text(text) => Ok(text),
            other => Err(self.wrong(
                &[ExcerptStep::Key(field)],
                format!("found {}, expected text", other.kind()),
            )),
        }
    }

    /// Refuses unknown fields, whose values would be lost.
    pub(super) fn only(
        &self,
        path: &[ExcerptStep<'_>],
        fields: &[(Cow<'_, str>, Node<'_>)],
        known: &[&str],
    ) -> Result<(), ConfigError> {
        let Some((field, _)) = fields.iter().find(|(field, _)| !known.contains(&&**field)) else {
            return Ok(());
        };
        let problem = format!(
            "{}: no such field{}",
            quoted(field),
            did_you_mean(field, known)
        );
        Err(self.wrong(&steps(path, &[ExcerptStep::Key(field)]), problem))
    }

    /// The error of the row that the cells would be, with its position in the text.
    pub(super) fn unreadable(
        &self,
        path: &[ExcerptStep<'_>],
        cells: &Literal<'_>,
        unreadable: &UnreadableRow,
    ) -> ConfigError {
        let (steps, problem) = match unreadable {
            UnreadableRow::Percent { problem, .. } => {
                (percent_steps(cells, problem), problem.to_string())
            }
            UnreadableRow::Total { problem, .. } => {
                let problem = InvalidRevision::Total(problem.clone());
                (
                    vec![OwnedStep::Key("Treatments".to_owned())],
                    problem.to_string(),
                )
            }
            UnreadableRow::Cell {
                column, problem, ..
            } => cell_steps(column, problem),
            other => (Vec::new(), other.to_string()),
        };
        let path: Vec<ExcerptStep<'_>> = path
            .iter()
            .copied()
            .chain(steps.iter().map(OwnedStep::borrow))
            .collect();
        self.wrong(&path, problem)
    }
}

pub(super) fn steps<'s>(
    path: &[ExcerptStep<'s>],
    more: &[ExcerptStep<'s>],
) -> Vec<ExcerptStep<'s>> {
    path.iter().chain(more).copied().collect()
}

/// A question with the most similar name.
pub(super) fn did_you_mean(found: &str, known: &[&str]) -> String {
    let near = closest(found, known.iter().copied());
    near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

pub(super) fn found_and_expected(invalid: &Invalid) -> String {
    format!("found {}, expected {}", invalid.found, invalid.expected)
}

/// A [`ExcerptStep`] that was read from a message.
enum OwnedStep {
    Key(String),
    Index(usize),
}

impl OwnedStep {
    fn borrow(&self) -> ExcerptStep<'_> {
        match self {
            Self::Key(key) => ExcerptStep::Key(key),
            Self::Index(index) => ExcerptStep::Index(*index),
        }
    }
}

/// The steps to a field that a message names first, as in `Treatments[0].Value: found …`, and the message.
fn cell_steps(column: &str, problem: &str) -> (Vec<OwnedStep>, String) {
    let message = format!("{column}: {problem}");
    let named = problem
        .split_once(": ")
        .map(|(field, _)| field)
        .filter(|field| field.starts_with("Treatments["));
    let Some(field) = named else {
        return (vec![OwnedStep::Key(column.to_owned())], message);
    };
    let parts = field.split(['[', ']', '.']).filter(|part| !part.is_empty());
    let steps = parts.map(|part| {
        part.parse()
            .map_or_else(|_| OwnedStep::Key(part.to_owned()), OwnedStep::Index)
    });
    (steps.collect(), problem.to_owned())
}

/// The steps to the percentage that was found.
fn percent_steps(cells: &Literal<'_>, problem: &InvalidPercent) -> Vec<OwnedStep> {
    let key = |key: &str| OwnedStep::Key(key.to_owned());
    let treatments = match cells.get("Treatments") {
        Some(Literal::List(treatments)) => treatments.as_slice(),
        _ => &[],
    };
    let found = treatments
        .iter()
        .position(|treatment| match treatment.get("PercentRollout") {
            Some(Literal::Number(number)) => number.to_string() == problem.found,
            Some(Literal::Text(text)) => quoted(text) == problem.found,
            Some(other) => other.to_string() == problem.found,
            None => false,
        });
    match found {
        Some(at) => vec![
            key("Treatments"),
            OwnedStep::Index(at),
            key("PercentRollout"),
        ],
        None => vec![key("Treatments")],
    }
}
