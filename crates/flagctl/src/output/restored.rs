//! The result of `flagctl restore`.

use flag_model::{FlagKey, Timestamp};
use serde::Serialize;

use super::applied::{AppliedFlag, FlagData, change_lines};
use super::json::Key;
use super::text::{Columns, Text, Tone};
use super::view::View;

/// The results for the flags of a project.
pub(crate) struct Restored {
    pub(crate) project: String,
    /// The instant whose state comes back.
    pub(crate) at: Timestamp,
    /// Whether the rows were appended.
    pub(crate) written: bool,
    pub(crate) changed: Vec<AppliedFlag>,
    /// How many flags decide as they did.
    pub(crate) unchanged: usize,
    /// Flags that had no revision yet, and are not changed.
    pub(crate) newer: Vec<FlagKey>,
}

#[derive(Serialize)]
struct Data<'a> {
    project: &'a str,
    at: String,
    written: bool,
    changed: Vec<FlagData<'a>>,
    unchanged: usize,
    newer: Vec<Key>,
}

impl View for Restored {
    fn data(&self) -> impl Serialize {
        Data {
            project: &self.project,
            at: self.at.to_string(),
            written: self.written,
            changed: self.changed.iter().map(FlagData::from).collect(),
            unchanged: self.unchanged,
            newer: self.newer.iter().map(Key::from).collect(),
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
        let did = if self.written {
            "restored"
        } else {
            "to restore"
        };
        let (differing, same) = (self.changed.len(), self.unchanged);
        let total = format!("flags: {differing} {did}, {same} as at {}", self.at);
        say(Tone::Heading, &total);
        for flag in &self.newer {
            let line = format!("had no revision yet, not changed: {flag}");
            say(Tone::Plain, &line);
        }
        lines.text()
    }

    fn names(&self) -> Vec<String> {
        let changed = self.changed.iter();
        changed.map(|flag| flag.flag.name.to_string()).collect()
    }
}
