//! Removes exposures by age, a few rows at a time, so that no writer waits for long.
//!
//! Bigtable does this by a rule of the table; files need somebody who does it.

use std::path::Path;
use std::time::Duration;

use flag_store::{RowStore as _, StoreError};
use rusqlite::{TransactionBehavior, params};
use tokio::time::sleep;

use crate::database::Database;
use crate::failure::Failure;
use crate::store::EmbeddedStore;

/// How many rows are looked at in one transaction: a few milliseconds' worth.
const SLICE: u32 = 1_000;

/// The pause after a transaction, so that others come to write.
const PAUSE: Duration = Duration::from_millis(20);

/// The last key of the next rows after a key.
const LAST_OF_SLICE: &str = "SELECT max(key) FROM
    (SELECT key FROM rows WHERE key > ?1 ORDER BY key LIMIT ?2)";
const REMOVE: &str = "DELETE FROM rows WHERE key > ?1 AND key <= ?2
    AND length(key) >= length(?3) AND substr(key, -length(?3)) < ?3";

/// Removes every exposure whose key ends with a time before `time`, text of the same width; how many there were.
///
/// Reads all keys once, and shares the file with whoever else has it open. Makes no store where there is none.
pub async fn remove_exposures_before(directory: &Path, time: &str) -> Result<usize, StoreError> {
    let directory = directory.to_owned();
    let opening = tokio::task::spawn_blocking(move || EmbeddedStore::existing(&directory));
    let unavailable = |source: flag_store::BoxError| StoreError::Unavailable { source };
    let store = opening
        .await
        .map_err(|error| unavailable(error.into()))?
        .map_err(|error| unavailable(error.into()))?;
    let mut from = Vec::new();
    let mut removed = 0;
    loop {
        let (after, time) = (from, time.as_bytes().to_vec());
        let slice = store
            .write_exposures(move |database| remove_slice(database, &after, &time))
            .await?;
        let Some((to, rows)) = slice else { break };
        removed += rows;
        from = to;
        sleep(PAUSE).await;
    }
    store.close().await;
    Ok(removed)
}

/// Looks at the next rows after a key: the last of them, and how many were removed.
fn remove_slice(
    database: &mut Database,
    after: &[u8],
    time: &[u8],
) -> Result<Option<(Vec<u8>, usize)>, Failure> {
    let connection = database.connection_mut();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last: Option<Vec<u8>> = transaction
        .prepare_cached(LAST_OF_SLICE)?
        .query_row(params![after, SLICE], |row| row.get(0))?;
    let Some(last) = last else { return Ok(None) };
    let removed = transaction
        .prepare_cached(REMOVE)?
        .execute(params![after, last, time])?;
    transaction.commit()?;
    Ok(Some((last, removed)))
}

#[cfg(test)]
mod tests {
    use flag_store::{Cells, Row, RowStore as _, Scan, Table};
    use tempfile::TempDir;

    use super::*;

    const OLD: &str = "2026-08-01 00:00:00.000000";
    const NEW: &str = "2026-11-01 00:00:00.000000";

    fn row(key: String) -> Row {
        let cells = Cells::default().with("Name", "f");
        Row {
            key: key.into(),
            cells,
        }
    }

    #[tokio::test]
    async fn what_is_old_goes_and_nothing_else() {
        let directory = TempDir::new().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let rows: Vec<Row> = (0..=2 * SLICE)
            .map(|at| {
                row(format!(
                    "I#{at:06}#TIME#{}",
                    if at % 3 == 0 { OLD } else { NEW }
                ))
            })
            .chain([row("short".to_owned())])
            .collect();
        for table in [Table::Exposures, Table::Flags] {
            assert!(
                store
                    .write_batch(table, &rows)
                    .await
                    .iter()
                    .all(Result::is_ok)
            );
        }
        let removed = remove_exposures_before(directory.path(), "2026-10-01 00:00:00.000000").await;
        assert_eq!(removed.unwrap(), 667);
        let left = store
            .scan(Table::Exposures, Scan::prefix(""))
            .await
            .unwrap();
        assert_eq!(left.len(), rows.len() - 667);
        assert!(!left.iter().any(|row| row.key.ends_with(OLD.as_bytes())));
        let flags = store.scan(Table::Flags, Scan::prefix("")).await.unwrap();
        assert_eq!(flags.len(), rows.len());
        let again = remove_exposures_before(directory.path(), OLD).await;
        assert_eq!(again.unwrap(), 0);
    }

    #[tokio::test]
    async fn no_store_is_made_where_there_is_none() {
        let parent = TempDir::new().unwrap();
        let missing = parent.path().join("flag-data");
        remove_exposures_before(&missing, OLD).await.unwrap_err();
        assert!(!missing.exists());
    }
}
