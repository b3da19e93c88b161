//! A row that was written: what it says, or its cells as they are stored.

use std::collections::BTreeMap;

use flag_model::{FlagKey, Timestamp};
use flag_store::Row;
use serde::Serialize;

use super::json::Key;
use super::text::{Columns, Text, Tone};
use super::view::View;

/// A row that was written.
pub(crate) struct WrittenRow<'a> {
    pub(crate) flag: &'a FlagKey,
    pub(crate) created: Timestamp,
    /// The number of a revision.
    pub(crate) number: Option<usize>,
    pub(crate) row: &'a Row,
    /// The same in a sentence.
    pub(crate) said: String,
    /// Whether a person wants to see the cells.
    pub(crate) is_verbose: bool,
}

#[derive(Serialize)]
struct Data {
    #[serde(flatten)]
    key: Key,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<usize>,
    row_key: String,
    cells: BTreeMap<String, String>,
}

impl View for WrittenRow<'_> {
    fn data(&self) -> impl Serialize {
        let cells = self.row.cells.iter();
        let cells = cells.map(|(column, value)| (text(column), text(value)));
        Data {
            key: self.flag.into(),
            created: self.created.to_string(),
            number: self.number,
            row_key: text(&self.row.key),
            cells: cells.collect(),
        }
    }

    fn text(&self) -> Text {
        let said = Text::line(Tone::Plain, &self.said);
        if self.is_verbose {
            said.then(cells(self.row))
        } else {
            said
        }
    }

    fn names(&self) -> Vec<String> {
        vec![text(&self.row.key)]
    }
}

/// The key and the cells of a row, as they are stored.
pub(crate) fn cells(row: &Row) -> Text {
    let mut columns = Columns::from([("row key", text(&row.key))]);
    for (column, value) in row.cells.iter() {
        let line = [column, value].map(text);
        columns.line(Tone::Plain, line);
    }
    columns.text()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
