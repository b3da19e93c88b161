//! Rows as the file keeps them.

use flag_store::Cells;

use crate::cells;
use crate::failure::Refusal;

/// A row as the file keeps it.
#[derive(Clone, Debug)]
pub(crate) struct StoredRow {
    pub(crate) key: Vec<u8>,
    pub(crate) cells: Vec<u8>,
}

impl StoredRow {
    /// Refuses some of what Bigtable refuses.
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

/// Refuses some of what Bigtable refuses.
fn check(key: &[u8], cells: &Cells) -> Result<(), Refusal> {
    if key.is_empty() {
        return Err(Refusal::NoKey);
    }
    if cells.is_empty() {
        return Err(Refusal::NoCells);
    }
    Ok(())
}
