//! The hash of a row.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::rows::Row;

/// The SHA-256 of a row: of its key, then of the column and the value of each cell, ordered by the bytes of the column.
///
/// Each of these texts follows its length in bytes, as 8 bytes with the highest first, so no two rows have the same input.
/// Timestamps of cells, which belong to the store, do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowHash([u8; 32]);

impl RowHash {
    /// Hashes a row.
    pub fn of(row: &Row) -> Self {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        add(&row.key);
        for (column, value) in row.cells.iter() {
            add(column);
            add(value);
        }
        Self(hash.finalize().into())
    }

    /// Reads 64 hexadecimal digits, as [`Display`](fmt::Display) writes them.
    pub fn parse(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        let digits = text.as_bytes().chunks_exact(2);
        for (byte, digits) in hash.iter_mut().zip(digits) {
            *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        }
        let hash = Self(hash);
        (hash.to_string() == text).then_some(hash)
    }
}

/// Writes 64 hexadecimal digits.
impl fmt::Display for RowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Cells;

    fn hash(key: &str, cells: &[(&str, &str)]) -> RowHash {
        let cells: Cells = cells.iter().copied().collect();
        let key = key.into();
        RowHash::of(&Row { key, cells })
    }

    #[test]
    fn rows_that_differ_in_a_byte_or_in_where_it_stands_have_different_hashes() {
        let rows = [
            hash("k", &[("a", "1")]),
            hash("k", &[("a", "2")]),
            hash("k2", &[("a", "1")]),
            hash("k", &[("a1", "")]),
            hash("k", &[("", "a1")]),
            hash("ka", &[("1", "")]),
            hash("k", &[("a", "1"), ("b", "")]),
            hash("k", &[]),
        ];
        for (at, row) in rows.iter().enumerate() {
            assert!(!rows.iter().skip(at + 1).any(|other| other == row), "{at}");
        }
        let one = hash("k", &[("a", "1"), ("b", "2")]);
        assert_eq!(one, hash("k", &[("b", "2"), ("a", "1")]));
    }

    #[test]
    fn only_a_hash_is_read_as_one() {
        let text = hash("k", &[("a", "1")]).to_string();
        assert_eq!(RowHash::parse(&text).unwrap().to_string(), text);
        let plus = format!("+{}", text.get(1..).unwrap());
        let upper = text.to_uppercase();
        for other in ["", "7", &text[1..], &format!("{text}0"), &plus, &upper] {
            assert_eq!(RowHash::parse(other), None, "{other}");
        }
    }
}
