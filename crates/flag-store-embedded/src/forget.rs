//! Deletes exposures by their keys.

use flag_store::StoreError;
use rusqlite::TransactionBehavior;

use crate::database::Database;
use crate::failure::Failure;
use crate::store::EmbeddedStore;

const DELETE: &str = "DELETE FROM rows WHERE key = ?1";

/// Deletes these rows of the exposure log in one transaction, and overwrites them in the file.
///
/// `SQLite` may have left copies where it moved rows from page to page; those go when the pages are used again.
pub(crate) async fn delete_exposures(
    store: &EmbeddedStore,
    keys: Vec<Vec<u8>>,
) -> Result<(), StoreError> {
    let delete = move |database: &mut Database| delete(database, &keys);
    store.write_exposures(delete).await
}

fn delete(database: &mut Database, keys: &[Vec<u8>]) -> Result<(), Failure> {
    let connection = database.connection_mut();
    // Otherwise it would lie in pages that are free until something else is written there.
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for key in keys {
        transaction.prepare_cached(DELETE)?.execute([key])?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use flag_store::{Cells, Row, RowStore as _, Table};
    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn what_was_deleted_is_overwritten() {
        let directory = TempDir::new().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let row = Row {
            key: b"I".to_vec(),
            cells: Cells::default().with("InstanceID", "somebody-who-wants-to-go"),
        };
        let written = store.write_batch(Table::Exposures, &[row]).await;
        assert!(written.iter().all(Result::is_ok));
        store.delete_exposures(&[b"I".to_vec()]).await.unwrap();
        store.close().await;
        for file in std::fs::read_dir(&directory).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let mut found = bytes.windows(8).filter(|part| part == b"somebody");
            assert_eq!(found.next(), None);
        }
    }
}
