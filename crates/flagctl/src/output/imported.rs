//! The result of `flagctl import`.

use flag_model::{FlagKey, FlagType};
use serde::Serialize;

use super::escape::list_item;
use super::json::Key;
use super::text::{Columns, Text, Tone};
use super::view::View;

/// Something that is said of a flag, or of the whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The name of the flag in the other system.
    pub(crate) flag: Option<String>,
    /// The type of ours that it is about, where a flag of the other system may become one of each.
    pub(crate) of_type: Option<FlagType>,
    pub(crate) text: String,
}

/// The flags that were added, and what was left out.
pub(crate) struct Imported {
    /// The system that wrote the file.
    pub(crate) system: String,
    pub(crate) project: String,
    /// Whether the flags were added.
    pub(crate) written: bool,
    pub(crate) added: Vec<FlagKey>,
    /// How many flags the store has already, all the same.
    pub(crate) unchanged: usize,
    pub(crate) left_out: Vec<Finding>,
    pub(crate) notes: Vec<Finding>,
}

#[derive(Serialize)]
struct Data<'a> {
    system: &'a str,
    project: &'a str,
    written: bool,
    added: Vec<Key>,
    unchanged: usize,
    left_out: Vec<LeftOut<'a>>,
    notes: Vec<Note<'a>>,
}

#[derive(Serialize)]
struct LeftOut<'a> {
    flag: Option<&'a str>,
    reason: &'a str,
}

#[derive(Serialize)]
struct Note<'a> {
    flag: Option<&'a str>,
    note: &'a str,
}

impl Finding {
    /// Something that is said of a flag, or of the whole file.
    pub(crate) fn new(flag: Option<&str>, text: impl Into<String>) -> Self {
        Self {
            flag: flag.map(str::to_owned),
            of_type: None,
            text: text.into(),
        }
    }

    /// The same about the flag of this type.
    pub(crate) fn of_type(self, flag_type: FlagType) -> Self {
        let of_type = Some(flag_type);
        Self { of_type, ..self }
    }
}

impl View for Imported {
    fn data(&self) -> impl Serialize {
        let left_out = self.left_out.iter().map(|finding| LeftOut {
            flag: finding.flag.as_deref(),
            reason: &finding.text,
        });
        let notes = self.notes.iter().map(|finding| Note {
            flag: finding.flag.as_deref(),
            note: &finding.text,
        });
        Data {
            system: &self.system,
            project: &self.project,
            written: self.written,
            added: self.added.iter().map(Key::from).collect(),
            unchanged: self.unchanged,
            left_out: left_out.collect(),
            notes: notes.collect(),
        }
    }

    /// What was left out has been shown already, for the confirmation.
    fn text(&self) -> Text {
        let did = if self.written { "added" } else { "to add" };
        let (added, same, left_out) = (self.added.len(), self.unchanged, self.left_out.len());
        let total = format!("flags: {added} {did}, {same} as in the store; left out: {left_out}");
        Text::line(Tone::Heading, &total)
    }

    fn names(&self) -> Vec<String> {
        self.added
            .iter()
            .map(|flag| flag.name.to_string())
            .collect()
    }
}

/// What cannot be carried over, flag by flag, and what is to be known of the others, each note once.
pub(crate) fn findings(left_out: &[Finding], notes: &[Finding]) -> Text {
    let mut text = Text::default();
    let file = || "(the file)".to_owned();
    if !left_out.is_empty() {
        let mut columns = Columns::headed(["LEFT OUT", "REASON"]);
        for Finding { flag, text, .. } in left_out {
            let flag = flag.as_deref().map_or_else(file, list_item);
            columns.line(Tone::Problem, [flag, text.clone()]);
        }
        text = text.then(columns.text());
    }
    if !notes.is_empty() {
        let mut columns = Columns::headed(["NOTE", "FLAGS"]);
        let mut said: Vec<(&str, Vec<String>)> = Vec::new();
        for Finding { flag, text, .. } in notes {
            let flag = flag.as_deref().map(list_item);
            match said.iter_mut().find(|(known, _)| known == text) {
                Some((_, flags)) => flags.extend(flag),
                None => said.push((text, flag.into_iter().collect())),
            }
        }
        for (note, flags) in said {
            let flags = if flags.is_empty() {
                file()
            } else {
                flags.join(", ")
            };
            columns.line(Tone::Plain, [note.to_owned(), flags]);
        }
        text = text.then(columns.text());
    }
    text
}
