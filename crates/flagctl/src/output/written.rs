//! A row as it was written.

use std::collections::BTreeMap;

use flag_model::{FlagKey, Timestamp};
use flag_store::Row;
use serde::Serialize;

use super::json::Key;
use super::text::{Columns, Text, Tone};
use super::view::View;

/// A row as it was written.
pub(crate) struct WrittenRow<'a> {
    pub(crate) flag: &'a FlagKey,
    pub(crate) created: Timestamp,
    pub(crate) row: &'a Row,
}

#[derive(Serialize)]
struct Data {
    #[serde(flatten)]
    key: Key,
    created: String,
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
            row_key: text(&self.row.key),
            cells: cells.collect(),
        }
    }

    fn text(&self) -> Text {
        let mut columns = Columns::from([("row key", text(&self.row.key))]);
        for (column, value) in self.row.cells.iter() {
            let line = [column, value].map(text);
            columns.line(Tone::Plain, line);
        }
        columns.text()
    }

    fn names(&self) -> Vec<String> {
        vec![text(&self.row.key)]
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
