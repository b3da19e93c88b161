//! The exposure log: a row for each exposure, in a file of its own.

use std::path::Path;
use std::time::Duration;

use flag_store::{BoxFuture, ExposureRows, Row, RowStore, StoreError};
use rusqlite::TransactionBehavior;

use crate::database::Database;
use crate::failure::Failure;
use crate::open_error::OpenError;
use crate::schema::Contents;
use crate::store::EmbeddedStore;
use crate::stored::Batch;

/// How many times the timeout of other calls a batch gets: its thread runs at idle priority, and a retry would only
/// lengthen the queue.
const BATCH_WAIT: u32 = 6;

const DELETE: &str = "DELETE FROM rows WHERE key = ?1";

/// Exposures in a local file.
///
/// Like [`EmbeddedStore`], with two differences: an acknowledged exposure survives the end of the process, but not always
/// a power loss; and the writing thread runs at idle priority.
#[derive(Clone, Debug)]
pub struct EmbeddedLog(EmbeddedStore);

impl EmbeddedLog {
    /// Opens the file `exposures.db` in a directory; creates it if it never existed. Blocks.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        EmbeddedStore::open_file(directory, Contents::Exposures).map(Self)
    }

    /// Opens the existing file in a directory. Blocks.
    pub fn existing(directory: &Path) -> Result<Self, OpenError> {
        EmbeddedStore::existing_file(directory, Contents::Exposures).map(Self)
    }

    /// Whether there is an `exposures.db` in a directory. An error if it is gone and its write-ahead log is left.
    pub fn is_there(directory: &Path) -> Result<bool, OpenError> {
        EmbeddedStore::is_file_there(directory, Contents::Exposures)
    }

    /// Sets the timeout of each call of this handle, which includes waiting for threads and locks.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self(self.0.with_timeout(timeout))
    }

    /// Runs a job that writes.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.file.write(self.0.timeout, work).await
    }
}

impl ExposureRows for EmbeddedLog {
    fn rows(&self) -> &dyn RowStore {
        &self.0
    }

    /// One transaction for all rows: they are written together, except those that can never be written.
    fn write_rows<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Vec<Result<(), StoreError>>> {
        Box::pin(async move {
            if rows.is_empty() {
                return Vec::new();
            }
            let limit = self.0.timeout * BATCH_WAIT;
            self.0.file.write_batch(limit, Batch::new(rows)).await
        })
    }

    /// One transaction for all rows, which are overwritten in the file.
    ///
    /// `SQLite` may have left copies where it moved rows from page to page; those go when the pages are used again.
    fn delete_rows<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>> {
        let keys = keys.to_vec();
        Box::pin(self.write(move |database| delete(database, &keys)))
    }
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
    use flag_store::Cells;
    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn what_was_deleted_is_overwritten() {
        let directory = TempDir::new().unwrap();
        let log = EmbeddedLog::open(directory.path()).unwrap();
        let row = Row {
            key: b"I".to_vec(),
            cells: Cells::default().with("InstanceID", "somebody-who-wants-to-go"),
        };
        let written = log.write_rows(&[row]).await;
        assert!(written.iter().all(Result::is_ok));
        log.delete_rows(&[b"I".to_vec()]).await.unwrap();
        log.rows().close().await;
        for file in std::fs::read_dir(&directory).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let mut found = bytes.windows(8).filter(|part| part == b"somebody");
            assert_eq!(found.next(), None);
        }
    }
}
