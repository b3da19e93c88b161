//! Rows that cannot be read.

use flag_model::{Invalid, InvalidPercent, Timestamp};

use crate::literal::LiteralError;
use crate::row_key::{FlagRowKey, flag_prefix};
use crate::rows::Row;

/// A row that cannot be read, written by other tooling. Only its flag is affected.
///
/// Its text quotes the row: it is for those who maintain the flags. Everybody else gets [`Self::location`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnreadableRow {
    /// The key is invalid in its table.
    #[error("row {key}, {problem}")]
    Key {
        /// The row.
        key: String,
        /// What is wrong with its key.
        problem: Invalid,
    },
    /// A percentage is invalid.
    #[error("row {key}, column Treatments: {problem}")]
    Percent {
        /// The row.
        key: String,
        /// What is wrong with the percentage.
        problem: InvalidPercent,
    },
    /// The total of all percentages is invalid.
    #[error("row {key}, column Treatments: {problem} {} is the total of all treatments.", problem.found)]
    Total {
        /// The row.
        key: String,
        /// What is wrong with the total.
        problem: InvalidPercent,
    },
    /// A cell is not a plain value.
    #[error("row {key}, column {column}: {problem}")]
    Syntax {
        /// The row.
        key: String,
        /// The column.
        column: String,
        /// Where it stops being one.
        problem: LiteralError,
    },
    /// A cell holds something invalid, or is missing.
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
    pub(crate) fn key_of(row: &Row, problem: Invalid) -> Self {
        let key = row.key_text();
        Self::Key { key, problem }
    }

    /// The key of the row.
    pub fn key(&self) -> &str {
        match self {
            Self::Key { key, .. }
            | Self::Percent { key, .. }
            | Self::Total { key, .. }
            | Self::Syntax { key, .. }
            | Self::Cell { key, .. } => key,
        }
    }

    /// The column that cannot be read; none if it is the key.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Key { .. } => None,
            Self::Percent { .. } | Self::Total { .. } => Some("Treatments"),
            Self::Syntax { column, .. } | Self::Cell { column, .. } => Some(column),
        }
    }

    /// The time in the key, if it is valid: the base of a revision that replaces it.
    pub fn created(&self) -> Option<Timestamp> {
        let key = FlagRowKey::decode(self.key().as_bytes()).ok()?;
        Some(key.created)
    }

    /// What is wrong, without the location.
    pub fn problem(&self) -> String {
        match self {
            Self::Key { problem, .. } => problem.to_string(),
            Self::Percent { problem, .. } => problem.to_string(),
            Self::Total { problem, .. } => {
                format!(
                    "{problem} {} is the total of all treatments.",
                    problem.found
                )
            }
            Self::Syntax { problem, .. } => problem.to_string(),
            Self::Cell { problem, .. } => problem.clone(),
        }
    }

    /// The row and the column without their contents: for callers.
    pub fn location(&self) -> String {
        match self.column() {
            Some(column) => format!("row {}, column {column}", self.key()),
            None => match FlagRowKey::subject_of(self.key().as_bytes()) {
                Some((row_type, flag)) => {
                    format!("row {}…, row key", flag_prefix(row_type, &flag))
                }
                None => "a row with an invalid key".to_owned(),
            },
        }
    }

    /// What is wrong, for a log, in which no instance id may stand: what stops a reader may be one.
    pub fn for_log(&self) -> String {
        match self {
            Self::Syntax { problem, .. } => format!(
                "{}: line {}, column {}: expected {}",
                self.location(),
                problem.line(),
                problem.column(),
                problem.expected()
            ),
            other => other.to_string(),
        }
    }
}
