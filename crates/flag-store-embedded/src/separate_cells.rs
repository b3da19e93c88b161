//! Rows whose cells are stored one by one, so that a cell can be compared and set without writing the others.
//!
//! Head rows are stored in this way, as they have one or two cells per flag of a project. In the table `rows` a marker
//! stands for the cells of such a row, which are in the table `cells`.

use flag_store::{Cells, Columns};
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::failure::Failure;
use crate::schema;

/// The marker in `rows`. No encoded cells have these bytes, so a process of an older release that has the file open
/// finds the row damaged, not empty.
const MARK: &[u8] = b"\0";

const ALL: &str = "SELECT name, value FROM cells WHERE key = ?1 ORDER BY name";
const ONE: &str = "SELECT value FROM cells WHERE key = ?1 AND name = ?2";
const SET: &str = "INSERT INTO cells (key, name, value) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET value = excluded.value";
const MARKED: &str = "INSERT INTO rows (key, cells) VALUES (?1, ?2)
    ON CONFLICT DO UPDATE SET cells = excluded.cells";

/// Whether the cells of a row with these bytes are stored separately.
pub(crate) fn is_marker(stored: &[u8]) -> bool {
    stored == MARK
}

/// The cells of a row, as far as they are wanted.
pub(crate) fn read(
    connection: &Connection,
    key: &[u8],
    columns: Columns<'_>,
) -> Result<Cells, Failure> {
    match columns {
        Columns::All => all(connection, key),
        Columns::Only(columns) => {
            // No write may happen between two reads.
            let transaction = connection
                .is_autocommit()
                .then(|| connection.unchecked_transaction());
            let _transaction = transaction.transpose()?;
            let mut cells = Cells::default();
            for column in columns {
                if let Some(value) = read_one(connection, key, column)? {
                    cells.set(column, value);
                }
            }
            Ok(cells)
        }
    }
}

/// One cell of a row.
pub(crate) fn read_one(
    connection: &Connection,
    key: &[u8],
    column: &str,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = connection.prepare_cached(ONE)?;
    let value = statement.query_row((key, column.as_bytes()), |row| row.get(0));
    Ok(value.optional()?)
}

fn all(connection: &Connection, key: &[u8]) -> Result<Cells, Failure> {
    let mut statement = connection.prepare_cached(ALL)?;
    let mut found = statement.query([key])?;
    let mut cells = Cells::default();
    while let Some(row) = found.next()? {
        let bytes =
            |at| Ok::<_, Failure>(row.get_ref(at)?.as_blob().map_err(rusqlite::Error::from)?);
        cells.set(bytes(0)?, bytes(1)?);
    }
    Ok(cells)
}

/// Sets cells of a row whose cells are stored separately.
pub(crate) fn set(transaction: &Transaction<'_>, key: &[u8], cells: &Cells) -> Result<(), Failure> {
    let mut statement = transaction.prepare_cached(SET)?;
    for (column, value) in cells.iter() {
        statement.execute((key, column, value))?;
    }
    Ok(())
}

/// Stores the cells of a row separately, or creates such a row; afterwards [`set`] adds to them.
pub(crate) fn separate(
    transaction: &Transaction<'_>,
    key: &[u8],
    current: &Cells,
) -> Result<(), Failure> {
    schema::ensure_cells_table(transaction)?;
    transaction.prepare_cached(MARKED)?.execute((key, MARK))?;
    set(transaction, key, current)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::database::Database;
    use crate::schema::Contents;

    #[test]
    fn a_release_that_knows_no_mark_takes_it_for_no_cells() {
        assert!(crate::cells::decode(MARK, Columns::All).is_err());
    }

    /// So that neither reading nor setting it looks at the others.
    #[test]
    fn one_cell_is_found_by_its_key() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("flags.db");
        let database = Database::writer(&path, Contents::Flags).unwrap();
        let plan = |sql: &str| -> String {
            let sql = format!("EXPLAIN QUERY PLAN {sql}");
            let mut statement = database.connection().prepare(&sql).unwrap();
            let key: &[u8] = b"key";
            statement
                .query_row((key, key), |row| row.get("detail"))
                .unwrap()
        };
        let expected = "SEARCH cells USING PRIMARY KEY (key=? AND name=?)";
        assert_eq!(plan(ONE), expected);
    }
}
