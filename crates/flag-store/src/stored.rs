//! Between cells and what they mean; the only place that spells columns.
//!
//! Cells are UTF-8 text. What is written has one spelling (`true`, JSON, six digits of a fraction); what is read may
//! have the reference's (`True`, Python literals, a whole second without a fraction).
mod exposure;
mod metadata;
mod revision;
mod treatments;

use flag_model::{FlagType, Invalid, InvalidPercent, InvalidRevision};

pub use self::exposure::check_exposure;
pub(crate) use self::exposure::{decode_exposure, encode_exposure};
pub use self::metadata::{decode_metadata, encode_metadata};
pub use self::revision::{decode_revision, encode_revision};
use crate::port::Row;
use crate::row_key::{FlagRowKey, RowType};

/// The only column family.
pub const FAMILY: &str = "metadata";

/// The column of a head row that every append in the project sets to the time of its row. It says *that* something
/// changed, and neither in order nor always with a new value: clocks differ between writers.
pub(crate) const LATEST_CHANGE: &str = "LatestChange";

/// The column of a head row that gets another value, drawn at random, with every change that readers should notice.
/// Releases before it set [`LATEST_CHANGE`] alone, and leave this as it is.
pub(crate) const CHANGE_ID: &str = "ChangeId";

/// A row that cannot be read; whoever wrote it, it isn't ours. Only its flag is affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnreadableRow {
    /// The key is none of a row in its table.
    #[error(transparent)]
    Key(Invalid),
    /// A percentage cannot be.
    #[error("row {key}, column Treatments: {problem}")]
    Percent {
        /// The row.
        key: String,
        /// What is wrong with the percentage.
        problem: InvalidPercent,
    },
    /// The total of all percentages cannot be.
    #[error("row {key}, column Treatments: {problem} {} is the total of all treatments.", problem.found)]
    Total {
        /// The row.
        key: String,
        /// What is wrong with the total.
        problem: InvalidPercent,
    },
    /// A cell holds what it cannot, or is missing.
    #[error("row {key}, column {column}: {problem}")]
    Cell {
        /// The row.
        key: String,
        /// The column.
        column: String,
        /// What was found, and what was expected.
        problem: String,
    },
}

impl UnreadableRow {
    /// Which row and which column, and nothing of what they hold: for logs, as a cell may hold instance ids.
    pub fn place(&self) -> String {
        match self {
            Self::Key(_) => "a row whose key is none".to_owned(),
            Self::Percent { key, .. } | Self::Total { key, .. } => {
                format!("row {key}, column Treatments")
            }
            Self::Cell { key, column, .. } => format!("row {key}, column {column}"),
        }
    }
}

/// A row on its way to be read: its key, understood, and its cells.
struct Reader<'a, K = FlagRowKey> {
    row: &'a Row,
    key: K,
}

impl<'a> Reader<'a> {
    /// Understands the key, and checks that the Name and Type columns agree with it.
    fn open(row: &'a Row, row_type: RowType) -> Result<Self, UnreadableRow> {
        let key = FlagRowKey::decode(&row.key).map_err(UnreadableRow::Key)?;
        if key.row_type != row_type {
            let found = String::from_utf8_lossy(&row.key);
            let expected = format!("ROWTYPE#{}", row_type.as_str());
            return Err(UnreadableRow::Key(Invalid::new("row key", found, expected)));
        }
        let reader = Self { row, key };
        reader.agrees("Name", reader.key.flag.name.as_str())?;
        reader.agrees("Type", cell_type(reader.key.flag.flag_type))?;
        Ok(reader)
    }
}

impl<'a, K> Reader<'a, K> {
    fn agrees(&self, column: &'static str, expected: &str) -> Result<(), UnreadableRow> {
        let found = self.required(column)?;
        if found == expected {
            return Ok(());
        }
        Err(self.problem(
            column,
            format!(
                "found {}, expected {expected}, as in the row key",
                flag_model::quoted(found)
            ),
        ))
    }

    fn optional(&self, column: &'static str) -> Result<Option<&'a str>, UnreadableRow> {
        let Some(bytes) = self.row.cells.get(column) else {
            return Ok(None);
        };
        match str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(self.problem(column, format!("found {error}, expected UTF-8"))),
        }
    }

    fn required(&self, column: &'static str) -> Result<&'a str, UnreadableRow> {
        let cell = self.optional(column)?;
        cell.ok_or_else(|| self.problem(column, "found no such cell, expected one".to_owned()))
    }

    fn problem(&self, column: &str, problem: String) -> UnreadableRow {
        let key = String::from_utf8_lossy(&self.row.key).into_owned();
        UnreadableRow::Cell {
            key,
            column: column.to_owned(),
            problem,
        }
    }

    /// An [`Invalid`] whose field begins with its column, as `Treatments[0].Value` does.
    fn invalid(&self, column: &str, invalid: Invalid) -> UnreadableRow {
        let Invalid {
            field,
            found,
            expected,
        } = invalid;
        let place = if field.starts_with("Treatments[") {
            format!("{field}: ")
        } else {
            String::new()
        };
        self.problem(column, format!("{place}found {found}, expected {expected}"))
    }

    fn percent(&self, problem: InvalidPercent) -> UnreadableRow {
        let key = String::from_utf8_lossy(&self.row.key).into_owned();
        UnreadableRow::Percent { key, problem }
    }

    fn invalid_revision(&self, invalid: InvalidRevision) -> UnreadableRow {
        match invalid {
            InvalidRevision::Percent(problem) => self.percent(problem),
            InvalidRevision::Total(problem) => UnreadableRow::Total {
                key: String::from_utf8_lossy(&self.row.key).into_owned(),
                problem,
            },
            InvalidRevision::Field(invalid) => {
                let column = if invalid.field.starts_with("Treatments") {
                    "Treatments".to_owned()
                } else {
                    invalid.field.clone()
                };
                self.invalid(&column, invalid)
            }
        }
    }
}

/// The spelling of a flag type in cells.
fn cell_type(flag_type: FlagType) -> &'static str {
    match flag_type {
        FlagType::Feature => "FEATURE",
        FlagType::Data => "DATA",
    }
}
