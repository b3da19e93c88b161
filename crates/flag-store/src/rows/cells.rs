//! The cells of a row, in one buffer.

use std::cmp::Ordering;
use std::fmt;
use std::io::Write as _;

/// A buffer of more bytes grows by an eighth instead of doubling.
const LARGE: usize = 4 << 10;

/// The cells of a row by column, bytes as stored.
///
/// Two allocations however many cells there are. Cheapest to build in ascending order of columns.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Cells {
    /// Column and value of each cell, one after the other, in ascending order of columns.
    bytes: Vec<u8>,
    /// Where in `bytes` each cell ends.
    ends: Vec<End>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct End {
    column: usize,
    value: usize,
}

impl Cells {
    /// No cells, with capacity for this many cells and this many bytes in columns and values.
    pub fn with_capacity(cells: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(cells),
        }
    }

    /// The value of a column.
    pub fn get(&self, column: &str) -> Option<&[u8]> {
        let at = self.position(column.as_bytes()).ok()?;
        Some(self.cell(at).1)
    }

    /// Sets the value of a column.
    pub fn set(&mut self, column: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (column, value) = (column.as_ref(), value.as_ref());
        self.reserve(column.len() + value.len());
        self.put(column, |bytes| bytes.extend_from_slice(value));
    }

    /// Sets the value of a column to a text, which is short.
    pub fn set_text(&mut self, column: impl AsRef<[u8]>, value: impl fmt::Display) {
        self.put(column.as_ref(), |bytes| {
            // Fails only where the value itself does.
            let _ = write!(bytes, "{value}");
        });
    }

    /// Adds a cell; for building a row in one expression.
    #[must_use]
    pub fn with(mut self, column: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.set(column, value);
        self
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of all columns and values.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Columns and values, ordered by the bytes of the column.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.bytes.as_slice();
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let (column, after) = split(rest, end.column - start);
            let (value, after) = split(after, end.value - end.column);
            (rest, start) = (after, end.value);
            (column, value)
        })
    }

    /// Where the cell of a column is, or else where it would be.
    fn position(&self, column: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        // Cells are set in ascending order as a rule, so the last one is asked first.
        let mut middle = high.saturating_sub(1);
        while low < high {
            match self.cell(middle).0.cmp(column) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
            middle = low.midpoint(high);
        }
        Err(low)
    }

    fn cell(&self, at: usize) -> (&[u8], &[u8]) {
        let start = self.start(at);
        let end = self.ends.get(at).copied().unwrap_or(End {
            column: start,
            value: start,
        });
        let column = self.bytes.get(start..end.column);
        let value = self.bytes.get(end.column..end.value);
        (column.unwrap_or_default(), value.unwrap_or_default())
    }

    /// Where a cell begins.
    fn start(&self, at: usize) -> usize {
        let before = at.checked_sub(1).and_then(|before| self.ends.get(before));
        before.map_or(0, |end| end.value)
    }

    /// Reserves this many more bytes; hardly more than that if the cells are large.
    fn reserve(&mut self, more: usize) {
        let length = self.bytes.len();
        if self.bytes.capacity() - length < more {
            let spare = if length < LARGE { length } else { length / 8 };
            self.bytes.reserve_exact(more.max(spare));
        }
    }

    /// Sets a cell, whose value is written by `write`.
    fn put(&mut self, column: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let at = match self.position(column) {
            Ok(at) => {
                self.remove(at);
                at
            }
            Err(at) => at,
        };
        self.bytes.extend_from_slice(column);
        let end = self.bytes.len();
        write(&mut self.bytes);
        self.ends.push(End {
            column: end,
            value: self.bytes.len(),
        });
        if at + 1 < self.len() {
            self.move_last_to(at);
        }
    }

    fn remove(&mut self, at: usize) {
        let (start, end) = (self.start(at), self.start(at + 1));
        self.bytes.drain(start..end);
        self.ends.remove(at);
        for moved in self.ends.iter_mut().skip(at) {
            moved.column -= end - start;
            moved.value -= end - start;
        }
    }

    fn move_last_to(&mut self, at: usize) {
        let start = self.start(at);
        let (column, value) = self.cell(self.len() - 1);
        let (column, length) = (column.len(), column.len() + value.len());
        if let Some(moved) = self.bytes.get_mut(start..) {
            moved.rotate_right(length);
        }
        self.ends.pop();
        for moved in self.ends.iter_mut().skip(at) {
            moved.column += length;
            moved.value += length;
        }
        self.ends.insert(
            at,
            End {
                column: start + column,
                value: start + length,
            },
        );
    }
}

/// The first bytes, and those after them.
fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = |(column, value): (&[u8], &[u8])| {
            (
                column.escape_ascii().to_string(),
                value.escape_ascii().to_string(),
            )
        };
        f.debug_map().entries(self.iter().map(texts)).finish()
    }
}

impl<C: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(C, V)> for Cells {
    fn from_iter<I: IntoIterator<Item = (C, V)>>(cells: I) -> Self {
        let mut all = Self::default();
        for (column, value) in cells {
            all.set(column, value);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    fn any_pairs() -> impl Strategy<Value = Pairs> {
        vec((vec(0..3_u8, 0..3), vec(any::<u8>(), 0..6)), 0..30)
    }

    fn pairs(cells: &Cells) -> Pairs {
        let pairs = cells.iter();
        pairs
            .map(|(column, value)| (column.to_vec(), value.to_vec()))
            .collect()
    }

    proptest! {
        #[test]
        fn cells_are_a_map(set in any_pairs()) {
            let cells: Cells = set.iter().cloned().collect();
            let map: BTreeMap<_, _> = set.into_iter().collect();
            prop_assert_eq!(cells.len(), map.len());
            prop_assert_eq!(cells.is_empty(), map.is_empty());
            let bytes = |(column, value): (&Vec<u8>, &Vec<u8>)| column.len() + value.len();
            prop_assert_eq!(cells.byte_len(), map.iter().map(bytes).sum::<usize>());
            for (column, value) in &map {
                let column = str::from_utf8(column).unwrap();
                prop_assert_eq!(cells.get(column), Some(value.as_slice()));
            }
            prop_assert_eq!(cells.get("x"), None);
            prop_assert_eq!(pairs(&cells), map.into_iter().collect::<Pairs>());
        }

        #[test]
        fn cells_are_equal_however_they_were_set(set in any_pairs()) {
            let cells: Cells = set.into_iter().collect();
            let mut reversed = pairs(&cells);
            reversed.reverse();
            prop_assert_eq!(reversed.into_iter().collect::<Cells>(), cells);
        }
    }

    #[test]
    fn a_text_is_a_value_like_any_other() {
        let mut cells = Cells::default().with("b", "old").with("c", "3");
        cells.set_text("b", 2);
        cells.set_text("a", "one");
        let expected = [("a", "one"), ("b", "2"), ("c", "3")];
        assert_eq!(cells, expected.into_iter().collect());
        assert_eq!(format!("{cells:?}"), r#"{"a": "one", "b": "2", "c": "3"}"#);
    }

    #[test]
    fn a_large_cell_takes_hardly_more_than_its_bytes() {
        let mut cells = Cells::default().with("Treatments", vec![b'x'; 200_000]);
        for small in 0..100_u8 {
            cells.set([small], "small");
        }
        assert!(cells.bytes.capacity() < 230_000);
    }
}
