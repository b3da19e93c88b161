//! What a deployment sets about rows that are ambiguous by themselves.

use std::time::Duration;

use flag_model::HashAlgorithm;

/// How rows are read and written where a deployment may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowOptions {
    /// The hash algorithm of revisions of version 1 whose row names none.
    pub v1_algorithm: HashAlgorithm,
    /// How cells of version 1 are written; they are read either way.
    pub v1_cells: CellFormat,
    /// How far ahead of the clock a row may be and still be in force.
    pub max_future: Duration,
}

/// How values are written in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellFormat {
    /// As Python's `str` writes them: `False`, `[{'PercentRollout': 40}]`.
    Python,
    /// As JSON: `false`, `[{"PercentRollout":40}]`.
    Json,
}

impl Default for RowOptions {
    /// As the Python framework's own tooling has it, and a day for clocks that differ.
    fn default() -> Self {
        Self {
            v1_algorithm: HashAlgorithm::Md5,
            v1_cells: CellFormat::Python,
            max_future: Duration::from_hours(24),
        }
    }
}
