//! Rows out of the pieces that they arrive in.
//!
//! Bigtable may break a row, and even a cell, across messages; `bigtable_rs` decodes each message alone. Pieces
//! are therefore kept until their row is committed, and decoded then.

use std::cmp::Ordering;

use bigtable_rs::bigtable::read_rows::decode_read_rows_response_to_vec;
use bigtable_rs::google::bigtable::v2::read_rows_response::CellChunk;
use bigtable_rs::google::bigtable::v2::read_rows_response::cell_chunk::RowStatus;
use flag_model::Timestamp;
use flag_store::{Order, Row, TimestampedRow};

use crate::status::Failure;

/// Puts rows together.
#[derive(Debug)]
pub(crate) struct Merger {
    order: Order,
    carry: Vec<CellChunk>,
    rows: Vec<TimestampedRow>,
}

impl Merger {
    /// Nothing yet; rows must come in this order.
    pub(crate) fn new(order: Order) -> Self {
        Self {
            order,
            carry: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Takes the pieces of one message.
    pub(crate) fn push(&mut self, chunks: Vec<CellChunk>) -> Result<(), Failure> {
        for chunk in chunks {
            match chunk.row_status {
                Some(RowStatus::CommitRow(true)) => {
                    self.carry.push(chunk);
                    let row = decode(std::mem::take(&mut self.carry))?;
                    self.add(row)?;
                }
                // The store begins the row again.
                Some(RowStatus::ResetRow(true)) => self.carry.clear(),
                _ => self.carry.push(chunk),
            }
        }
        Ok(())
    }

    /// The rows that have come, each once; the order of later ones is not compared with theirs.
    pub(crate) fn take_rows(&mut self) -> Vec<Row> {
        let rows = std::mem::take(&mut self.rows).into_iter();
        rows.map(|row| row.row).collect()
    }

    /// The rows, once all messages have come, and when the store wrote the newest of their cells that were read.
    pub(crate) fn finish(self) -> Result<Vec<TimestampedRow>, Failure> {
        if self.carry.is_empty() {
            Ok(self.rows)
        } else {
            Err(garbled("the last row is not complete"))
        }
    }

    fn add(&mut self, row: TimestampedRow) -> Result<(), Failure> {
        let expected = match self.order {
            Order::Ascending => Ordering::Less,
            Order::Descending => Ordering::Greater,
        };
        if let Some(last) = self.rows.last()
            && last.row.key.cmp(&row.row.key) != expected
        {
            return Err(garbled("the rows came in the wrong order"));
        }
        self.rows.push(row);
        Ok(())
    }
}

fn decode(chunks: Vec<CellChunk>) -> Result<TimestampedRow, Failure> {
    let newest = chunks.iter().map(|chunk| chunk.timestamp_micros).max();
    let mut decoded = decode_read_rows_response_to_vec(chunks);
    match (decoded.pop(), decoded.is_empty()) {
        (Some(Ok((key, cells))), true) => {
            let cells = cells.into_iter();
            let cells = cells.map(|cell| (cell.qualifier, cell.value)).collect();
            Ok(TimestampedRow {
                row: Row { key, cells },
                written: newest.and_then(Timestamp::from_unix_micros),
            })
        }
        (Some(Err(bigtable_rs::bigtable::Error::ChunkError(what))), _) => Err(garbled(what)),
        _ => Err(garbled("a row could not be put together")),
    }
}

fn garbled(what: impl Into<String>) -> Failure {
    Failure::Garbled(what.into())
}

#[cfg(test)]
mod tests {
    use flag_store::Cells;

    use super::*;

    /// A piece of a cell; `size` is that of the whole cell, or zero in its last piece.
    fn chunk(key: &str, column: Option<&str>, value: &str, size: i32) -> CellChunk {
        CellChunk {
            row_key: key.into(),
            family_name: column.map(|_| "metadata".to_owned()),
            qualifier: column.map(Into::into),
            value: value.into(),
            value_size: size,
            ..CellChunk::default()
        }
    }

    fn ended(chunk: CellChunk, status: RowStatus) -> CellChunk {
        CellChunk {
            row_status: Some(status),
            ..chunk
        }
    }

    fn committed(chunk: CellChunk) -> CellChunk {
        ended(chunk, RowStatus::CommitRow(true))
    }

    fn row(key: &str, cells: &[(&str, &str)]) -> Row {
        Row {
            key: key.into(),
            cells: cells.iter().copied().collect::<Cells>(),
        }
    }

    #[track_caller]
    fn check(messages: Vec<Vec<CellChunk>>, expected: Result<Vec<Row>, &str>) {
        let mut merger = Merger::new(Order::Ascending);
        let result = messages
            .into_iter()
            .try_for_each(|chunks| merger.push(chunks))
            .and_then(|()| merger.finish());
        match (result, expected) {
            (Ok(found), Ok(expected)) => {
                let rows: Vec<_> = found.into_iter().map(|found| found.row).collect();
                assert_eq!(rows, expected);
            }
            (Err(Failure::Garbled(what)), Err(expected)) => assert_eq!(what, expected),
            (result, expected) => panic!("{result:?} is not {expected:?}"),
        }
    }

    #[test]
    fn a_row_may_be_split_between_cells() {
        check(
            vec![
                vec![chunk("k", Some("a"), "1", 0)],
                vec![],
                vec![committed(chunk("", Some("b"), "2", 0))],
            ],
            Ok(vec![row("k", &[("a", "1"), ("b", "2")])]),
        );
    }

    #[test]
    fn a_cell_may_be_split() {
        check(
            vec![
                vec![chunk("k", Some("a"), "one ", 9)],
                vec![chunk("", None, "two ", 9)],
                vec![committed(chunk("", None, "3", 0))],
            ],
            Ok(vec![row("k", &[("a", "one two 3")])]),
        );
    }

    #[test]
    fn a_message_may_end_one_row_and_begin_another() {
        check(
            vec![
                vec![chunk("k", Some("a"), "1", 0)],
                vec![
                    committed(chunk("", Some("b"), "2", 0)),
                    chunk("l", Some("a"), "3", 0),
                ],
                vec![committed(chunk("", Some("b"), "4", 0))],
            ],
            Ok(vec![
                row("k", &[("a", "1"), ("b", "2")]),
                row("l", &[("a", "3"), ("b", "4")]),
            ]),
        );
    }

    #[test]
    fn a_row_that_is_reset_begins_again() {
        check(
            vec![
                vec![chunk("k", Some("a"), "old", 0)],
                vec![ended(CellChunk::default(), RowStatus::ResetRow(true))],
                vec![committed(chunk("k", Some("b"), "new", 0))],
            ],
            Ok(vec![row("k", &[("b", "new")])]),
        );
    }

    #[test]
    fn a_row_that_never_ends_is_an_error() {
        check(
            vec![vec![chunk("k", Some("a"), "1", 0)]],
            Err("the last row is not complete"),
        );
    }

    #[test]
    fn a_row_without_a_key_is_an_error() {
        check(
            vec![vec![committed(chunk("", Some("a"), "1", 0))]],
            Err("Invalid - new row missing row key"),
        );
    }

    #[test]
    fn a_row_that_comes_twice_is_an_error() {
        let k = || committed(chunk("k", Some("a"), "1", 0));
        check(
            vec![vec![k()], vec![k()]],
            Err("the rows came in the wrong order"),
        );
    }
}
