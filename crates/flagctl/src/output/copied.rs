//! The result of `flagctl copy`.

use serde::Serialize;

use super::text::{Columns, Text, Tone};
use super::view::View;
use crate::copy::CopyCounts;

/// The results for the rows of a project.
#[derive(Serialize)]
pub(crate) struct CopiedRows {
    pub(crate) project: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// Whether nothing was written.
    pub(crate) dry_run: bool,
    pub(crate) flags: CountsAsJson,
    pub(crate) exposures: Option<CountsAsJson>,
}

/// The results for the rows of a table.
#[derive(Serialize)]
pub(crate) struct CountsAsJson {
    copied: u64,
    already_there: u64,
    differing: u64,
    /// Exposures that cannot be read, and were not copied.
    unreadable: u64,
    /// The keys of those that differ.
    conflicts: Vec<String>,
}

impl From<&CopyCounts> for CountsAsJson {
    fn from(copied: &CopyCounts) -> Self {
        Self {
            copied: copied.written,
            already_there: copied.already_there,
            differing: copied.differing,
            unreadable: copied.unreadable(),
            conflicts: copied.conflicts.clone(),
        }
    }
}

impl CopiedRows {
    fn tables(&self) -> impl Iterator<Item = (&'static str, &CountsAsJson)> {
        let exposures = self.exposures.iter().map(|counts| ("exposures", counts));
        [("flags", &self.flags)].into_iter().chain(exposures)
    }

    fn conflicts(&self) -> impl Iterator<Item = &String> {
        self.tables().flat_map(|(_, counts)| &counts.conflicts)
    }
}

impl View for CopiedRows {
    fn data(&self) -> impl Serialize {
        self
    }

    fn text(&self) -> Text {
        let copied = if self.dry_run { "TO COPY" } else { "COPIED" };
        let mut columns =
            Columns::headed(["ROWS", copied, "ALREADY THERE", "THERE WITH OTHER CELLS"]);
        for (name, counts) in self.tables() {
            let numbers = [counts.copied, counts.already_there, counts.differing];
            let numbers = numbers.iter().map(u64::to_string);
            let line: Vec<String> = [name.to_owned()].into_iter().chain(numbers).collect();
            columns.line(Tone::Plain, line);
        }
        if self.conflicts().next().is_none() {
            return columns.text();
        }
        let mut conflicts = Columns::headed(["Rows that exist with other cells, not changed:"]);
        for key in self.conflicts() {
            conflicts.line(Tone::Problem, [key.clone()]);
        }
        columns.text().and(conflicts.text())
    }

    fn names(&self) -> Vec<String> {
        self.conflicts().cloned().collect()
    }
}
