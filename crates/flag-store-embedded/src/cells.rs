//! The encoding of the cells of a row.
//!
//! The cells follow each other in ascending order of their columns:
//!
//! ```text
//! [column length: u16][column][value length: u32][value]      lengths big-endian, in bytes
//! ```
//!
//! Equal cells have equal bytes; no cells have no bytes. A change of this format is a new schema version.

use std::collections::BTreeSet;

use flag_store::{Cells, Columns};

/// The bytes of the two lengths of a cell.
const LENGTHS: usize = size_of::<u16>() + size_of::<u32>();

/// Why cells cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLong {
    /// A column of more than 65,535 bytes.
    #[error("a column is longer than {} bytes", u16::MAX)]
    Column,
    /// A value of 4 GiB or more.
    #[error("a value is longer than {} bytes", u32::MAX)]
    Value,
}

/// Bytes that are not encoded cells: the file is damaged, or other software wrote to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// A length reaches beyond the end.
    #[error("a cell ends too early")]
    Truncated,
    /// A column is not greater than the one before it.
    #[error("columns are out of order")]
    OutOfOrder,
}

/// The encoded length of cells.
pub(crate) fn encoded_length(cells: &Cells) -> usize {
    cells.byte_len() + cells.len() * LENGTHS
}

/// Appends the encoded cells; after an error a part of them.
pub(crate) fn encode(cells: &Cells, bytes: &mut Vec<u8>) -> Result<(), TooLong> {
    for (column, value) in cells.iter() {
        let column_length = u16::try_from(column.len()).map_err(|_| TooLong::Column)?;
        let value_length = u32::try_from(value.len()).map_err(|_| TooLong::Value)?;
        bytes.extend_from_slice(&column_length.to_be_bytes());
        bytes.extend_from_slice(column);
        bytes.extend_from_slice(&value_length.to_be_bytes());
        bytes.extend_from_slice(value);
    }
    Ok(())
}

/// The cells in these bytes, as far as they are wanted.
pub(crate) fn decode(bytes: &[u8], columns: Columns<'_>) -> Result<Cells, DecodeError> {
    let wanted = Wanted::from(columns);
    let mut cells = match wanted {
        // Enough for most rows.
        Wanted::All => Cells::with_capacity(12, bytes.len()),
        Wanted::Only(_) => Cells::default(),
    };
    let mut rest = bytes;
    let mut previous: Option<&[u8]> = None;
    while !rest.is_empty() {
        let (column, value) = take_cell(&mut rest).ok_or(DecodeError::Truncated)?;
        if previous.is_some_and(|previous| previous >= column) {
            return Err(DecodeError::OutOfOrder);
        }
        previous = Some(column);
        if wanted.contains(column) {
            cells.set(column, value);
        }
    }
    Ok(cells)
}

/// The columns that are kept when decoding.
enum Wanted<'a> {
    All,
    Only(BTreeSet<&'a [u8]>),
}

impl<'a> From<Columns<'a>> for Wanted<'a> {
    fn from(columns: Columns<'a>) -> Self {
        match columns {
            Columns::All => Self::All,
            Columns::Only(columns) => Self::Only(columns.iter().map(|c| c.as_bytes()).collect()),
        }
    }
}

impl Wanted<'_> {
    fn contains(&self, column: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Only(columns) => columns.contains(column),
        }
    }
}

/// Removes a column and its value from the front.
fn take_cell<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let column_length = u16::from_be_bytes(take_array(rest)?);
    let column = rest.split_off(..usize::from(column_length))?;
    let value_length = u32::from_be_bytes(take_array(rest)?);
    let value = rest.split_off(..usize::try_from(value_length).ok()?)?;
    Some((column, value))
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (array, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*array)
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    fn encoded(cells: &Cells) -> Result<Vec<u8>, TooLong> {
        let mut bytes = Vec::new();
        encode(cells, &mut bytes)?;
        assert_eq!(bytes.len(), encoded_length(cells));
        Ok(bytes)
    }

    fn any_cells() -> impl Strategy<Value = Cells> {
        btree_map(vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..50), 0..8).prop_map(Cells::from_iter)
    }

    #[track_caller]
    fn check_garbled(bytes: &[u8], expected: DecodeError) {
        assert_eq!(decode(bytes, Columns::All), Err(expected));
    }

    proptest! {
        #[test]
        fn cells_come_back_as_they_were(cells in any_cells()) {
            prop_assert_eq!(decode(&encoded(&cells).unwrap(), Columns::All), Ok(cells));
        }

        #[test]
        fn whatever_can_be_decoded_is_what_would_be_encoded(bytes in vec(0..6_u8, 0..40)) {
            if let Ok(cells) = decode(&bytes, Columns::All) {
                prop_assert_eq!(encoded(&cells).unwrap(), bytes);
            }
        }

        #[test]
        fn any_bytes_are_cells_or_garbled(bytes in vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes, Columns::All);
        }

        #[test]
        fn cut_off_bytes_give_fewer_cells_or_none(cells in any_cells(), cut in any::<prop::sample::Index>()) {
            let bytes = encoded(&cells).unwrap();
            let cut = cut.index(bytes.len() + 1);
            match decode(&bytes[..cut], Columns::All) {
                Ok(fewer) => prop_assert!(cut == bytes.len() || fewer.len() < cells.len()),
                Err(garbled) => prop_assert_eq!(garbled, DecodeError::Truncated),
            }
        }
    }

    #[test]
    fn the_format_is_as_documented() {
        let cells = Cells::default().with("b", "").with("a", "xyz");
        let bytes = b"\x00\x01a\x00\x00\x00\x03xyz\x00\x01b\x00\x00\x00\x00";
        assert_eq!(encoded(&cells).unwrap(), bytes);
        assert_eq!(decode(bytes, Columns::All), Ok(cells));
    }

    #[test]
    fn a_length_beyond_the_end_is_garbled() {
        check_garbled(b"\x00\x01a\xff\xff\xff\xffx", DecodeError::Truncated);
        check_garbled(b"\xff\xffa", DecodeError::Truncated);
        check_garbled(b"\x00", DecodeError::Truncated);
    }

    #[test]
    fn a_column_that_comes_twice_is_garbled() {
        check_garbled(
            b"\x00\x01a\x00\x00\x00\x00\x00\x01a\x00\x00\x00\x00",
            DecodeError::OutOfOrder,
        );
    }

    #[test]
    fn a_column_of_64_kib_is_too_long() {
        let cells = Cells::default().with(vec![b'x'; 65_536], "");
        assert_eq!(encoded(&cells), Err(TooLong::Column));
    }

    #[test]
    fn columns_that_are_not_wanted_are_left_out() {
        let bytes = encoded(&Cells::default().with("a", "1").with("b", "2")).unwrap();
        assert_eq!(
            decode(&bytes, Columns::Only(&["b", "c"])),
            Ok(Cells::default().with("b", "2"))
        );
    }
}
