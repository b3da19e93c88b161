//! CSV by RFC 4180, for spreadsheets: no cell is run as a formula.

use std::fmt::Write as _;

use super::escape::escaped;
use super::tree::Tree;

/// Rows of cells.
#[derive(Debug, Default)]
pub(super) struct Csv {
    /// The lines so far.
    pub(super) lines: String,
    /// How many cells got an apostrophe.
    pub(super) escaped_cells: u64,
}

impl Csv {
    /// Appends a line.
    pub(super) fn push<'c>(&mut self, cells: impl IntoIterator<Item = &'c str>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.lines.push(',');
            }
            self.push_cell(&escaped(cell));
        }
        self.lines.push_str("\r\n");
    }

    /// A spreadsheet would run a cell that begins like a formula; the apostrophe makes it a text.
    fn push_cell(&mut self, cell: &str) {
        let is_formula = cell.starts_with(['=', '+', '-', '@']);
        self.escaped_cells += u64::from(is_formula);
        let apostrophe = if is_formula { "'" } else { "" };
        if cell.contains(['"', ',', '\n', '\r']) || cell.trim() != cell {
            let cell = cell.replace('"', "\"\"");
            let _ = write!(self.lines, "\"{apostrophe}{cell}\"");
        } else {
            self.lines.push_str(apostrophe);
            self.lines.push_str(cell);
        }
    }

    /// A result as a table: a row for each item of its list, or one for all of it. Columns are the fields of JSON, those of
    /// fields with a point between; a list in a cell is JSON.
    pub(super) fn of(result: &Tree) -> Self {
        let rows: Vec<Vec<(String, String)>> = rows(result).iter().map(cells).collect();
        let mut columns: Vec<&str> = Vec::new();
        for (column, _) in rows.iter().flatten() {
            if !columns.contains(&column.as_str()) {
                columns.push(column);
            }
        }
        let mut csv = Self::default();
        if columns.is_empty() {
            return csv;
        }
        csv.push(columns.iter().copied());
        for row in &rows {
            let cell = |column: &&str| {
                let cell = row.iter().find(|(name, _)| name == column);
                cell.map_or("", |(_, cell)| cell.as_str())
            };
            csv.push(columns.iter().map(cell));
        }
        csv
    }
}

/// The first list of objects, each with the fields that stand beside the list; the whole result if it has none.
fn rows(result: &Tree) -> Vec<Tree> {
    let Tree::Fields(fields) = result else {
        return vec![result.clone()];
    };
    // An empty list has no items that could tell; beside an object it is one of the fields of a single row.
    let is_single = (fields.iter()).any(|(_, value)| matches!(value, Tree::Fields(_)));
    let is_table = |value: &Tree| match value {
        Tree::List(items) if items.is_empty() => !is_single,
        Tree::List(items) => items.iter().all(|item| matches!(item, Tree::Fields(_))),
        _ => false,
    };
    let Some((list, Tree::List(items))) = fields.iter().find(|(_, value)| is_table(value)) else {
        return vec![result.clone()];
    };
    let items = items.iter().map(|item| {
        let Tree::Fields(of_item) = item else {
            return item.clone();
        };
        let is_beside = |(name, value): &&(String, Tree)| {
            let is_scalar = !matches!(value, Tree::List(_) | Tree::Fields(_));
            name != list && is_scalar && of_item.iter().all(|(known, _)| known != name)
        };
        let beside = fields.iter().filter(is_beside);
        Tree::Fields(beside.chain(of_item).cloned().collect())
    });
    items.collect()
}

/// The cells of a row, each with its column.
fn cells(row: &Tree) -> Vec<(String, String)> {
    let mut cells = Vec::new();
    add_cells(&mut cells, "", row);
    cells
}

fn add_cells(cells: &mut Vec<(String, String)>, column: &str, value: &Tree) {
    match value {
        Tree::Fields(fields) => {
            for (name, value) in fields {
                let separator = if column.is_empty() { "" } else { "." };
                add_cells(cells, &format!("{column}{separator}{name}"), value);
            }
        }
        other => cells.push((column.to_owned(), other.plain())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(result: &Value, lines: &str) {
        // Its maps are sorted by name.
        let csv = Csv::of(&Tree::of(result).unwrap());
        assert_eq!(csv.lines, lines);
    }

    #[test]
    fn a_list_of_objects_has_a_row_for_each() {
        let result = json!({"a": "p", "flags": [
            {"name": "f", "z": {"owner": null, "tags": ["x", "y,"]}},
            {"name": "g", "value": true}
        ]});
        let lines =
            "a,name,z.owner,z.tags,value\r\np,f,,\"[\"\"x\"\",\"\"y,\"\"]\",\r\np,g,,,true\r\n";
        check(&result, lines);
        check(&json!({"flags": []}), "");
    }

    #[test]
    fn a_result_without_a_list_is_one_row() {
        check(&json!({"a": 1, "b": ["x"]}), "a,b\r\n1,\"[\"\"x\"\"]\"\r\n");
        check(&json!({"a": [], "b": {"c": 1}}), "a,b.c\r\n[],1\r\n");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)"] {
            check(&json!({"a": formula}), &format!("a\r\n'{formula}\r\n"));
        }
        check(&json!({"a": "=A1,B1"}), "a\r\n\"'=A1,B1\"\r\n");
    }
}
