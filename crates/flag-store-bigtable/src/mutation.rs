//! Writes of one row: what is sent, and what is refused before it is sent.

use bigtable_rs::google::bigtable::v2::mutation::SetCell;
use bigtable_rs::google::bigtable::v2::{CheckAndMutateRowRequest, Mutation, mutation};
use flag_store::{Cells, Expected, Row};

use crate::{FAMILY, filter};

/// Bigtable's limit for a row key, in bytes; the emulator has none.
const MAX_KEY_BYTES: usize = 4 << 10;
/// Asks the server for the time, so that no client's clock matters.
///
/// Sending such a mutation again may leave a second, equal version of a cell; the tables keep one.
const SERVER_TIME: i64 = -1;

/// Why Bigtable would not take this row; `None` if nothing is wrong with it.
///
/// In a batch Bigtable would refuse the other rows too.
pub(crate) fn refusal_reason(key: &[u8], cells: &Cells) -> Option<&'static str> {
    if key.is_empty() {
        Some("the row key is empty")
    } else if key.len() > MAX_KEY_BYTES {
        Some("the row key is longer than 4 KiB")
    } else if cells.is_empty() {
        Some("the row has no cells")
    } else {
        None
    }
}

/// Sets each of these cells.
pub(crate) fn set(cells: &Cells) -> Vec<Mutation> {
    cells
        .iter()
        .map(|(column, value)| Mutation {
            mutation: Some(mutation::Mutation::SetCell(SetCell {
                family_name: FAMILY.to_owned(),
                column_qualifier: column.to_vec(),
                timestamp_micros: SERVER_TIME,
                value: value.to_vec(),
            })),
        })
        .collect()
}

/// Writes the row unless it has any cell: matched means that it was there.
pub(crate) fn insert_if_absent(row: &Row) -> CheckAndMutateRowRequest {
    CheckAndMutateRowRequest {
        row_key: row.key.clone(),
        predicate_filter: Some(filter::any_cell()),
        false_mutations: set(&row.cells),
        ..CheckAndMutateRowRequest::default()
    }
}

/// Writes `cells` if the cell is as expected: matched means as expected, or there if absence was expected.
pub(crate) fn compare_and_set(
    key: &[u8],
    expected: Expected<'_>,
    cells: &Cells,
) -> CheckAndMutateRowRequest {
    let mutations = set(cells);
    let (true_mutations, false_mutations) = match expected.value {
        Some(_) => (mutations, Vec::new()),
        None => (Vec::new(), mutations),
    };
    CheckAndMutateRowRequest {
        row_key: key.to_vec(),
        predicate_filter: Some(filter::cell(expected)),
        true_mutations,
        false_mutations,
        ..CheckAndMutateRowRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key_length: usize, cells: &Cells, expected: Option<&str>) {
        assert_eq!(refusal_reason(&vec![b'k'; key_length], cells), expected);
    }

    #[test]
    fn keys_have_one_to_4096_bytes() {
        let cells = Cells::default().with("a", "1");
        check(0, &cells, Some("the row key is empty"));
        check(1, &cells, None);
        check(4_096, &cells, None);
        check(4_097, &cells, Some("the row key is longer than 4 KiB"));
    }

    #[test]
    fn a_row_has_cells() {
        check(1, &Cells::default(), Some("the row has no cells"));
    }

    #[test]
    fn a_cell_expected_absent_is_written_when_nothing_matches() {
        let cells = Cells::default().with("a", "1");
        let expected = |value| Expected { column: "a", value };
        let absent = compare_and_set(b"k", expected(None), &cells);
        assert_eq!(
            (absent.true_mutations.len(), absent.false_mutations.len()),
            (0, 1)
        );
        let present = compare_and_set(b"k", expected(Some(b"0")), &cells);
        assert_eq!(
            (present.true_mutations.len(), present.false_mutations.len()),
            (1, 0)
        );
    }
}
