//! What is unusual about a row that is served all the same.

use std::fmt;

/// Something in a row that differs from what this release writes, and is read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// The column; `row key` if it is the key.
    pub column: String,
    /// The field in it, for instance `Treatments[0].OverrideList`; the column if it is the whole cell.
    pub field: String,
    /// What was found, shortened.
    pub found: String,
    /// What it is read as.
    pub read_as: String,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            found,
            read_as,
            ..
        } = self;
        write!(f, "{field}: found {found}, read as {read_as}")
    }
}
