//! Encodes and decodes rows; the only place that spells their columns, except those of flags in the head row (`head.rs`) and
//! those of minutes in counts (`row_key/counts.rs`).
//!
//! Cells are UTF-8 text. Rows are written in one form per format version: Python's literals in version 1, which the
//! Python framework reads, JSON in version 2. Reading is tolerant: a row that the Python framework would have served is served, and
//! everything odd about it can be reported.
mod carried;
mod cell_format;
mod exposure;
mod exposure_parts;
mod link;
mod metadata;
mod oddity;
mod replica;
mod revision;
mod treatments;
mod unreadable;

use std::cell::RefCell;

use flag_model::{FlagType, Invalid, InvalidPercent, InvalidRevision, Timestamp, quoted};

pub use self::exposure::check_exposure;
pub(crate) use self::exposure::{
    bucket_cell, created_cell, decode_exposure, encode_exposure, group_cell, instance_cell,
    read_exposure,
};
pub use self::exposure_parts::EntryEncoder;
pub use self::link::Link;
pub(crate) use self::link::{MAX_LINKED, covers_rows_below};
pub(crate) use self::metadata::read_metadata;
pub use self::metadata::{decode_metadata, encode_metadata};
pub use self::oddity::Oddity;
pub(crate) use self::replica::{decode_replica, decode_served, encode_replica, encode_served};
pub use self::revision::{decode_revision, encode_revision};
pub(crate) use self::revision::{encode_rollback, read_bucket_scheme, read_revision};
pub use self::unreadable::UnreadableRow;
use crate::row_key::{FlagRowKey, RowType};
use crate::rows::Row;

/// The only column family.
pub const FAMILY: &str = "metadata";

/// The column of a head row that every append in the project sets to the time of its row, and the publishing of copied rows
/// to the present time. It says *that* something changed, and neither in order nor always with a new value: clocks differ
/// between writers.
pub(crate) const LATEST_CHANGE: &str = "LatestChange";

/// The column of a head row that gets another value, drawn at random, with every change that readers should notice.
/// Releases that do not know it change only [`LATEST_CHANGE`].
pub(crate) const CHANGE_ID: &str = "ChangeId";

/// What is odd about a row, noted while it is read.
pub(crate) type Oddities = RefCell<Vec<Oddity>>;

/// A row that is being read: its decoded key and its cells.
struct Reader<'a, K = FlagRowKey> {
    row: &'a Row,
    key: K,
    /// Collects oddities; `None` on the serving path, which doesn't pay for that.
    oddities: Option<&'a Oddities>,
}

impl<'a> Reader<'a> {
    /// Decodes the key, and checks that the Name and Type columns agree with it if they are there.
    fn open(
        row: &'a Row,
        row_type: RowType,
        oddities: Option<&'a Oddities>,
    ) -> Result<Self, UnreadableRow> {
        let key = FlagRowKey::decode(&row.key);
        let key = key.map_err(|problem| UnreadableRow::key_of(row, problem))?;
        if key.row_type != row_type {
            let found = quoted(&String::from_utf8_lossy(&row.key));
            let expected = format!("ROWTYPE#{}", row_type.as_str());
            let problem = Invalid::new("row key", found, expected);
            return Err(UnreadableRow::key_of(row, problem));
        }
        let reader = Self { row, key, oddities };
        reader.check_name()?;
        reader.check_type()?;
        reader.look_at_times();
        Ok(reader)
    }

    fn check_name(&self) -> Result<(), UnreadableRow> {
        let name = self.key.flag.name.as_str();
        let Some(found) = self.filled("Name")? else {
            self.odd("Name", || (MISSING.to_owned(), quoted(name)));
            return Ok(());
        };
        self.is_as_in_key("Name", found, name, found == name)
    }

    fn check_type(&self) -> Result<(), UnreadableRow> {
        let expected = cell_type(self.key.flag.flag_type);
        match self.filled("Type")? {
            Some(found) if found == expected => Ok(()),
            Some(found) if found.eq_ignore_ascii_case(expected) => {
                self.odd("Type", || (quoted(found), expected.to_owned()));
                Ok(())
            }
            Some(found) => self.is_as_in_key("Type", found, expected, false),
            None => {
                self.odd("Type", || (MISSING.to_owned(), expected.to_owned()));
                Ok(())
            }
        }
    }

    /// Notes a time with an unusual spelling, or one that differs from that of the key.
    fn look_at_times(&self) {
        let created = self.key.created;
        if self.oddities.is_none() {
            return;
        }
        if self.key.is_spelled_otherwise(&self.row.key) {
            let key = String::from_utf8_lossy(&self.row.key);
            let time = key.rsplit('#').next().unwrap_or_default();
            self.odd("row key", || (quoted(time), created.to_string()));
        }
        let cell = self.row.cells.get("CreatedTime");
        let cell = cell.map(|bytes| String::from_utf8_lossy(bytes));
        if let Some(text) = cell
            && Timestamp::parse(&text) != Ok(created)
        {
            let served = || format!("{created}, as in the row key");
            self.odd("CreatedTime", || (quoted(&text), served()));
        }
    }

    /// Notes unknown columns.
    fn look_at_columns(&self, known: &[&str]) {
        if self.oddities.is_none() {
            return;
        }
        for (column, _) in self.row.cells.iter() {
            let column = String::from_utf8_lossy(column);
            if !known.contains(&&*column) {
                self.odd(&column, || {
                    ("an unknown column".to_owned(), NOTHING.to_owned())
                });
            }
        }
    }
}

/// The finding about a missing cell.
const MISSING: &str = "no such cell";
/// What a cell is read as that is ignored.
const NOTHING: &str = "nothing";

impl<'a, K> Reader<'a, K> {
    fn agrees(&self, column: &'static str, expected: &str) -> Result<(), UnreadableRow> {
        let found = self.required(column)?;
        self.is_as_in_key(column, found, expected, found == expected)
    }

    fn is_as_in_key(
        &self,
        column: &str,
        found: &str,
        expected: &str,
        agrees: bool,
    ) -> Result<(), UnreadableRow> {
        if agrees {
            return Ok(());
        }
        let found = quoted(found);
        let problem = format!("found {found}, expected {expected}, as in the row key");
        Err(self.problem(column, problem))
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

    /// The cell, if it is there and not empty.
    fn filled(&self, column: &'static str) -> Result<Option<&'a str>, UnreadableRow> {
        Ok(self.optional(column)?.filter(|text| !text.is_empty()))
    }

    fn required(&self, column: &'static str) -> Result<&'a str, UnreadableRow> {
        let cell = self.optional(column)?;
        cell.ok_or_else(|| self.problem(column, "found no such cell, expected one".to_owned()))
    }

    /// Notes that a cell is odd: what was found in it, and as what it is read.
    fn odd(&self, column: &str, say: impl FnOnce() -> (String, String)) {
        self.odd_field(column, || column.to_owned(), say);
    }

    /// Notes that a field within a cell is odd.
    fn odd_field(
        &self,
        column: &str,
        field: impl FnOnce() -> String,
        say: impl FnOnce() -> (String, String),
    ) {
        if let Some(oddities) = self.oddities {
            let (found, read_as) = say();
            oddities.borrow_mut().push(Oddity {
                column: column.to_owned(),
                field: field(),
                found,
                read_as,
            });
        }
    }

    fn problem(&self, column: &str, problem: String) -> UnreadableRow {
        UnreadableRow::Cell {
            key: self.row.key_text(),
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
        let treatments = if field.starts_with("Treatments[") {
            format!("{field}: ")
        } else {
            String::new()
        };
        self.problem(
            column,
            format!("{treatments}found {found}, expected {expected}"),
        )
    }

    fn percent(&self, problem: InvalidPercent) -> UnreadableRow {
        let key = self.row.key_text();
        UnreadableRow::Percent { key, problem }
    }

    fn invalid_revision(&self, invalid: InvalidRevision) -> UnreadableRow {
        match invalid {
            InvalidRevision::Percent(problem) => self.percent(problem),
            InvalidRevision::Total(problem) => UnreadableRow::Total {
                key: self.row.key_text(),
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

/// How a flag type is written in cells.
fn cell_type(flag_type: FlagType) -> &'static str {
    match flag_type {
        FlagType::Feature => "FEATURE",
        FlagType::Data => "DATA",
    }
}
