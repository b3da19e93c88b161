//! Rows as the file keeps them.

use flag_store::{Cells, Row};

use crate::cells;
use crate::failure::{Failure, Refusal};

/// A row as the file keeps it.
#[derive(Clone, Debug)]
pub(crate) struct StoredRow {
    pub(crate) key: Vec<u8>,
    pub(crate) cells: Vec<u8>,
}

impl StoredRow {
    /// Refuses what Bigtable would refuse as well.
    pub(crate) fn new(key: &[u8], cells: &Cells) -> Result<Self, Refusal> {
        check(key, cells)?;
        let mut bytes = Vec::with_capacity(cells::encoded_length(cells));
        cells::encode(cells, &mut bytes)?;
        Ok(Self {
            key: key.to_vec(),
            cells: bytes,
        })
    }
}

/// Rows as the file keeps them, to be written together; in one buffer, for they are small and many.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    kept: Vec<Span>,
    /// Of each row, in the caller's order, why it cannot be kept.
    refused: Vec<Result<(), Refusal>>,
}

/// Where in the buffer a row is, and its index in the caller's order.
#[derive(Debug)]
struct Span {
    index: usize,
    key: usize,
    cells: usize,
    end: usize,
}

impl Batch {
    /// Encodes the rows that can be stored.
    pub(crate) fn new(rows: &[Row]) -> Self {
        let length = |row: &Row| row.key.len() + cells::encoded_length(&row.cells);
        let mut batch = Self {
            bytes: Vec::with_capacity(rows.iter().map(length).sum()),
            kept: Vec::with_capacity(rows.len()),
            refused: Vec::with_capacity(rows.len()),
        };
        for (index, row) in rows.iter().enumerate() {
            let pushed = batch.push(index, row);
            batch.refused.push(pushed);
        }
        batch
    }

    fn push(&mut self, index: usize, row: &Row) -> Result<(), Refusal> {
        check(&row.key, &row.cells)?;
        let key = self.bytes.len();
        self.bytes.extend_from_slice(&row.key);
        let cells = self.bytes.len();
        cells::encode(&row.cells, &mut self.bytes)?;
        self.kept.push(Span {
            index,
            key,
            cells,
            end: self.bytes.len(),
        });
        Ok(())
    }

    /// How many rows it was given.
    pub(crate) fn len(&self) -> usize {
        self.refused.len()
    }

    /// Index, key and cells of each row that can be kept; those of the same key in the caller's order.
    ///
    /// Rows that are neighbours in the file come one after the other, so that each of its pages is touched once.
    pub(crate) fn in_order_of_keys(&mut self) -> impl Iterator<Item = (usize, &[u8], &[u8])> {
        let bytes = |from, to| self.bytes.get(from..to).unwrap_or_default();
        self.kept
            .sort_by(|a, b| bytes(a.key, a.cells).cmp(bytes(b.key, b.cells)));
        let kept = self.kept.iter();
        kept.map(move |row| {
            (
                row.index,
                bytes(row.key, row.cells),
                bytes(row.cells, row.end),
            )
        })
    }

    /// What became of each row, in the caller's order, if these failed and the others did not.
    pub(crate) fn results(self, failed: Vec<(usize, Failure)>) -> Vec<Result<(), Failure>> {
        let results = self.refused.into_iter();
        let mut results: Vec<_> = results.map(|row| row.map_err(Failure::from)).collect();
        for (index, failure) in failed {
            if let Some(result) = results.get_mut(index) {
                *result = Err(failure);
            }
        }
        results
    }
}

/// Refuses what Bigtable would refuse as well.
fn check(key: &[u8], cells: &Cells) -> Result<(), Refusal> {
    if key.is_empty() {
        return Err(Refusal::NoKey);
    }
    if cells.is_empty() {
        return Err(Refusal::NoCells);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, value: &str) -> Row {
        Row {
            key: key.into(),
            cells: Cells::default().with("V", value),
        }
    }

    #[test]
    fn rows_come_in_the_order_of_their_keys_and_results_in_the_callers() {
        let mut nothing = row("c", "");
        nothing.cells = Cells::default();
        let rows = [row("b", "1"), nothing, row("a", "2"), row("b", "3")];
        let mut batch = Batch::new(&rows);
        assert_eq!(batch.len(), 4);
        let found = batch.in_order_of_keys();
        let found: Vec<_> = found
            .map(|(index, key, cells)| (index, key.to_vec(), cells.to_vec()))
            .collect();
        let stored = |index: usize| {
            let StoredRow { key, cells } =
                StoredRow::new(&rows[index].key, &rows[index].cells).unwrap();
            (index, key, cells)
        };
        assert_eq!(found, [stored(2), stored(0), stored(3)]);
        let results = batch.results(vec![(2, Failure::Ended)]);
        assert!(matches!(
            results.as_slice(),
            [
                Ok(()),
                Err(Failure::Refused(Refusal::NoCells)),
                Err(Failure::Ended),
                Ok(())
            ]
        ));
    }
}
