//! The link of a revision to the rows before it, in its column `PrevHash`.

use std::fmt;

use super::revision::is_rollback;
use crate::row_hash::RowHash;
use crate::rows::{Cells, Row};

/// The column of a link.
pub(super) const PREV_HASH: &str = "PrevHash";

/// What the column has in the first revision of a flag.
const FIRST: &str = "first";

/// The most rows that a link names.
pub(crate) const MAX_LINKED: usize = 100;

/// What a revision says of the rows before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing: the row is of version 1, of the Python framework, or of a release before links.
    None,
    /// There was no row before it.
    First,
    /// The hashes of the rows before it, the newest first.
    To(Vec<RowHash>),
    /// The cell cannot be read.
    Unreadable,
}

impl Link {
    /// The link of a row that follows these, the newest first.
    ///
    /// It names the first of them. If that has no link of its own, it also names those below, up to one with a link, at most
    /// a hundred in all. A rollback made by an earlier release has a copy of the link of the row that it restored, so
    /// those below a rollback are named, too.
    pub fn following(rows: &[Row]) -> Self {
        Self::naming(
            rows.iter()
                .map(|row| (RowHash::of(row), covers_rows_below(row))),
        )
    }

    /// The same for the hashes of the rows, and whether a link to them covers the rows below.
    pub(crate) fn naming(rows: impl Iterator<Item = (RowHash, bool)>) -> Self {
        let mut hashes = Vec::new();
        for (hash, covers_rows_below) in rows.take(MAX_LINKED) {
            hashes.push(hash);
            if covers_rows_below {
                break;
            }
        }
        if hashes.is_empty() {
            Self::First
        } else {
            Self::To(hashes)
        }
    }

    /// The link of a row.
    pub fn of(row: &Row) -> Self {
        let Some(cell) = row.cells.get(PREV_HASH) else {
            return Self::None;
        };
        match str::from_utf8(cell) {
            Ok(FIRST) => Self::First,
            Ok(text) => {
                let hashes: Option<Vec<RowHash>> = text.split(' ').map(RowHash::parse).collect();
                hashes.map_or(Self::Unreadable, Self::To)
            }
            Err(_) => Self::Unreadable,
        }
    }

    /// The hashes of the rows that it names.
    pub fn hashes(&self) -> &[RowHash] {
        match self {
            Self::To(hashes) => hashes,
            Self::None | Self::First | Self::Unreadable => &[],
        }
    }

    /// Puts it into a row.
    pub(crate) fn write(&self, cells: &mut Cells) {
        cells.set_text(PREV_HASH, self);
    }
}

/// Whether a link to this row covers all rows below it.
pub(crate) fn covers_rows_below(row: &Row) -> bool {
    matches!(Link::of(row), Link::First | Link::To(_)) && !is_rollback(row)
}

/// Writes it as its cell.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str(FIRST),
            Self::None | Self::Unreadable | Self::To(_) => {
                for (at, hash) in self.hashes().iter().enumerate() {
                    let space = if at > 0 { " " } else { "" };
                    write!(f, "{space}{hash}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(time: &str, cells: &[(&str, &str)]) -> Row {
        Row {
            key: time.into(),
            cells: cells.iter().copied().collect(),
        }
    }

    fn linked(rows: &[Row]) -> usize {
        Link::following(rows).hashes().len()
    }

    #[test]
    fn a_link_names_the_row_before_and_all_that_no_other_link_names() {
        let first = row("1", &[("PrevHash", "first")]);
        let foreign = row("2", &[("FormatVersion", "1")]);
        let rows = [foreign.clone(), foreign, first.clone(), first.clone()];
        assert_eq!(Link::following(&[]), Link::First);
        assert_eq!(linked(&rows[2..]), 1);
        assert_eq!(linked(&rows[1..]), 2);
        assert_eq!(linked(&rows), 3);
        // The link of a rollback may be a copy.
        let hash = RowHash::of(&first).to_string();
        let rollback = row("3", &[("PrevHash", &hash), ("RollbackOf", "1")]);
        assert_eq!(linked(&[rollback, first]), 2);
    }

    #[test]
    fn a_link_names_at_most_a_hundred_rows() {
        let rows = vec![row("1", &[]); MAX_LINKED + 1];
        assert_eq!(linked(&rows), MAX_LINKED);
    }

    #[test]
    fn a_link_is_read_back_and_nothing_else_is_one() {
        let rows = [row("2", &[]), row("1", &[])];
        for rows in [&rows[..], &rows[1..], &[]] {
            let link = Link::following(rows);
            let mut cells = Cells::default();
            link.write(&mut cells);
            let key = b"3".to_vec();
            assert_eq!(Link::of(&Row { key, cells }), link);
        }
        assert_eq!(Link::of(&row("1", &[])), Link::None);
        for text in ["", "First", "0", "first first"] {
            let link = Link::of(&row("1", &[("PrevHash", text)]));
            assert_eq!(link, Link::Unreadable, "{text}");
        }
    }
}
