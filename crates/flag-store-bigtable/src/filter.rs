//! Filters: which cells are read, and what a cell must hold.

use bigtable_rs::google::bigtable::v2::row_filter::{Chain, Filter, Interleave};
use bigtable_rs::google::bigtable::v2::{
    ColumnRange, RowFilter, TimestampRange, ValueRange, column_range, value_range,
};
use flag_model::Timestamp;
use flag_store::{Columns, Expected};

use crate::FAMILY;

/// The newest version of the cells of these columns; `None` if no column is asked for.
pub(crate) fn cells(columns: Columns<'_>) -> Option<RowFilter> {
    let which = match columns {
        Columns::All => family(),
        Columns::Only(columns) => any_of(columns)?,
    };
    Some(chain([which, filter(Filter::CellsPerColumnLimitFilter(1))]))
}

/// The newest version of all cells that were written at a time or later; a row without one is left out.
pub(crate) fn written_since(time: Timestamp) -> RowFilter {
    let range = TimestampRange {
        // The store accepts whole milliseconds only.
        start_timestamp_micros: time.unix_micros().max(0) / 1_000 * 1_000,
        end_timestamp_micros: 0,
    };
    let written = filter(Filter::TimestampRangeFilter(range));
    chain([
        family(),
        written,
        filter(Filter::CellsPerColumnLimitFilter(1)),
    ])
}

/// Matches a row that has a cell.
pub(crate) fn any_cell() -> RowFilter {
    chain([family(), filter(Filter::CellsPerRowLimitFilter(1))])
}

/// One cell of each row, without its value.
pub(crate) fn keys() -> RowFilter {
    chain([any_cell(), filter(Filter::StripValueTransformer(true))])
}

/// Matches a row whose cell has the value that is expected, or has any value if none is expected.
pub(crate) fn cell(expected: Expected<'_>) -> RowFilter {
    let newest = [
        column(expected.column),
        filter(Filter::CellsPerColumnLimitFilter(1)),
    ];
    chain(newest.into_iter().chain(expected.value.map(value)))
}

fn any_of(columns: &[&str]) -> Option<RowFilter> {
    // Interleaving gives a cell once for each filter that lets it through.
    let mut columns = columns.to_vec();
    columns.sort_unstable();
    columns.dedup();
    let mut filters: Vec<RowFilter> = columns.into_iter().map(column).collect();
    if filters.len() > 1 {
        filters = vec![filter(Filter::Interleave(Interleave { filters }))];
    }
    filters.pop()
}

fn family() -> RowFilter {
    filter(Filter::FamilyNameRegexFilter(FAMILY.to_owned()))
}

/// A range of one column: exact for any name, where a regular expression would need escapes.
fn column(name: &str) -> RowFilter {
    filter(Filter::ColumnRangeFilter(ColumnRange {
        family_name: FAMILY.to_owned(),
        start_qualifier: Some(column_range::StartQualifier::StartQualifierClosed(
            name.into(),
        )),
        end_qualifier: Some(column_range::EndQualifier::EndQualifierClosed(name.into())),
    }))
}

fn value(value: &[u8]) -> RowFilter {
    filter(Filter::ValueRangeFilter(ValueRange {
        start_value: Some(value_range::StartValue::StartValueClosed(value.to_vec())),
        end_value: Some(value_range::EndValue::EndValueClosed(value.to_vec())),
    }))
}

fn chain(filters: impl IntoIterator<Item = RowFilter>) -> RowFilter {
    filter(Filter::Chain(Chain {
        filters: filters.into_iter().collect(),
    }))
}

fn filter(filter: Filter) -> RowFilter {
    RowFilter {
        filter: Some(filter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_columns_are_no_filter() {
        assert_eq!(cells(Columns::Only(&[])), None);
    }

    #[test]
    fn a_column_asked_for_twice_is_read_once() {
        assert_eq!(
            cells(Columns::Only(&["b", "a", "b"])),
            cells(Columns::Only(&["a", "b"]))
        );
        assert_eq!(
            cells(Columns::Only(&["a", "a"])),
            cells(Columns::Only(&["a"]))
        );
    }
}
