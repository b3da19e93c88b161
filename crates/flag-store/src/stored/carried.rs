//! Unknown columns and fields of a row, which are copied when a rollback brings the row into force again.

use std::borrow::Cow;

use flag_model::Revision;

use super::Reader;
use super::revision::{columns as revision_columns, decode_revision};
use super::treatments::{fields, parse_treatments};
use crate::literal::{Literal, Node};
use crate::options::RowOptions;
use crate::row_key::RowType;
use crate::rows::Row;

/// Unknown columns, and unknown fields of treatments.
#[derive(Default)]
pub(super) struct Carried<'a> {
    columns: Vec<(&'a [u8], &'a [u8])>,
    /// The entries of each treatment.
    treatments: Vec<Vec<(Cow<'a, str>, Node<'a>)>>,
}

impl<'a> Carried<'a> {
    /// The unknown columns and fields of `old`; none if `revision` is not a copy of its known ones.
    pub(super) fn from_row(old: &'a Row, revision: &Revision, options: &RowOptions) -> Self {
        let Ok(read) = decode_revision(old, options) else {
            return Self::default();
        };
        let is_copy = read.scheme == revision.scheme
            && read.control == revision.control
            && read.treatments == revision.treatments;
        if !is_copy {
            return Self::default();
        }
        let version = revision.scheme.version();
        let is_unknown = |known: &[&str], name: &[u8]| known.iter().all(|k| k.as_bytes() != name);
        let columns = old.cells.iter();
        let columns = columns.filter(|(column, _)| is_unknown(revision_columns(version), column));
        let reader = Reader::open(old, RowType::Revision, None).ok();
        let treatments = reader.and_then(|reader| parse_treatments(&reader).ok());
        let treatments = treatments.unwrap_or_default().into_iter();
        let treatments = treatments.map(|treatment| {
            let mut unknown = match treatment.literal {
                Literal::Dict(entries) => entries,
                _ => Vec::new(),
            };
            unknown.retain(|(name, _)| is_unknown(fields(version), name.as_bytes()));
            unknown
        });
        Self {
            columns: columns.collect(),
            treatments: treatments.collect(),
        }
    }

    /// Columns and cells.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.columns.iter().copied()
    }

    /// Names and values of the fields of one treatment.
    pub(super) fn fields(&self, treatment: usize) -> impl Iterator<Item = (&str, &Literal<'a>)> {
        let entries = self.treatments.get(treatment).into_iter().flatten();
        entries.map(|(name, value)| (&**name, &value.literal))
    }
}
