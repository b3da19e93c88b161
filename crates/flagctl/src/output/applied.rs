//! The result of `flagctl apply`.

use flag_model::FlagKey;
use serde::Serialize;

use super::json::Key;
use super::text::{Columns, Text, Tone};
use super::view::View;

/// The results for the flags of a file.
pub(crate) struct Applied {
    pub(crate) project: String,
    /// Whether the rows were appended.
    pub(crate) written: bool,
    pub(crate) changed: Vec<AppliedFlag>,
    /// How many flags were equal to the file.
    pub(crate) unchanged: usize,
    /// Flags that are not in the file, and not changed.
    pub(crate) not_in_file: Vec<FlagKey>,
}

/// A flag that differs from the file.
pub(crate) struct AppliedFlag {
    pub(crate) flag: FlagKey,
    /// Whether its metadata does.
    pub(crate) metadata: bool,
    /// Whether its revision does.
    pub(crate) revision: bool,
    /// The change, in lines for people.
    pub(crate) change: Vec<String>,
}

#[derive(Serialize)]
struct Data<'a> {
    project: &'a str,
    written: bool,
    changed: Vec<FlagData<'a>>,
    unchanged: usize,
    not_in_file: Vec<Key>,
}

/// A flag that differs, in JSON and YAML.
#[derive(Serialize)]
pub(super) struct FlagData<'a> {
    #[serde(flatten)]
    key: Key,
    metadata: bool,
    revision: bool,
    change: &'a [String],
}

impl<'a> From<&'a AppliedFlag> for FlagData<'a> {
    fn from(flag: &'a AppliedFlag) -> Self {
        Self {
            key: (&flag.flag).into(),
            metadata: flag.metadata,
            revision: flag.revision,
            change: &flag.change,
        }
    }
}

/// The changes in lines, those that differ in their colour.
pub(super) fn change_lines(changed: &[AppliedFlag]) -> impl Iterator<Item = (Tone, &str)> {
    let lines = changed.iter().flat_map(|flag| &flag.change);
    lines.map(|line| (Tone::of_line(line), line.as_str()))
}

impl View for Applied {
    fn data(&self) -> impl Serialize {
        let changed = self.changed.iter().map(FlagData::from);
        Data {
            project: &self.project,
            written: self.written,
            changed: changed.collect(),
            unchanged: self.unchanged,
            not_in_file: self.not_in_file.iter().map(Key::from).collect(),
        }
    }

    fn text(&self) -> Text {
        let mut lines = Columns::default();
        let mut say = |tone, line: &str| lines.line(tone, [line.to_owned()]);
        // Written changes have been shown already, for the confirmation.
        let changes = change_lines(&self.changed).filter(|_| !self.written);
        for (tone, line) in changes {
            say(tone, line);
        }
        let did = if self.written { "changed" } else { "to change" };
        let (differing, same) = (self.changed.len(), self.unchanged);
        let total = format!("flags: {differing} {did}, {same} as in the file");
        say(Tone::Heading, &total);
        for flag in &self.not_in_file {
            say(
                Tone::Plain,
                &format!("not in the file, not changed: {flag}"),
            );
        }
        lines.text()
    }

    fn names(&self) -> Vec<String> {
        let changed = self.changed.iter();
        changed.map(|flag| flag.flag.name.to_string()).collect()
    }
}
