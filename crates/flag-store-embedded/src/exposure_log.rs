//! The exposure log, in a file of its own: what the service served in blocks, what others send as a row each.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use flag_model::{FlagKey, InstanceId, ProjectName};
use flag_store::{
    AppendResult, BatchPage, Blocks, BoxFuture, Columns, CountsWriterId, Cursor, ExposureBatch,
    ExposureLog, ExposurePage, ExposureQuery, ExposureRecord, ExposureScope, Insert,
    InstanceExposures, Minute, MinuteCounts, NewestExposures, PAGE, Remains, Row, RowStore, Scan,
    StoreError, TimeRange, TimestampedRow, instance_in_rows,
};

use crate::blocks::{self, PageQuery, ScopeOwned};
use crate::counts;
use crate::database::Database;
use crate::failure::Failure;
use crate::idle_priority::WriterPriority;
use crate::open_error::OpenError;
use crate::reports;
use crate::rows::{self, Write};
use crate::schema::Contents;
use crate::store::EmbeddedStore;
use crate::stored::StoredRow;

/// How many times the timeout of other calls a batch gets: its thread may run at idle priority, and a retry would only
/// lengthen the queue.
const BATCH_WAIT: u32 = 6;

/// How many blocks or rows are changed at once where an instance is forgotten.
const FORGOTTEN_AT_ONCE: usize = 100;

const DELETE: &str = "DELETE FROM rows WHERE key = ?1";

/// Exposures in a local file.
///
/// Like [`EmbeddedStore`], with two differences: an acknowledged exposure survives the end of the process, but not always
/// a power loss; and the writing thread can run at idle priority, for writes that nobody waits for.
#[derive(Clone, Debug)]
pub struct EmbeddedLog(EmbeddedStore);

impl EmbeddedLog {
    /// Opens the file `exposures.db` in a directory; creates it if it never existed. Blocks.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_at(WriterPriority::Normal, directory)
    }

    /// Likewise, with a writing thread at this priority.
    pub fn open_at(priority: WriterPriority, directory: &Path) -> Result<Self, OpenError> {
        EmbeddedStore::open_file(directory, Contents::Exposures, priority).map(Self)
    }

    /// Opens the existing file in a directory. Blocks.
    pub fn existing(directory: &Path) -> Result<Self, OpenError> {
        Self::existing_at(WriterPriority::Normal, directory)
    }

    /// Likewise, with a writing thread at this priority.
    pub(crate) fn existing_at(
        priority: WriterPriority,
        directory: &Path,
    ) -> Result<Self, OpenError> {
        EmbeddedStore::existing_file(directory, Contents::Exposures, priority).map(Self)
    }

    /// Whether there is an `exposures.db` in a directory. An error if it is gone and its write-ahead log is left.
    pub fn is_there(directory: &Path) -> Result<bool, OpenError> {
        EmbeddedStore::is_file_there(directory, Contents::Exposures)
    }

    /// The table of rows: exposures that are rows, not those in blocks, and reports of replicas.
    pub fn rows(&self) -> &EmbeddedStore {
        &self.0
    }

    /// Sets the timeout of each call of this handle, which includes waiting for threads and locks.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self(self.0.with_timeout(timeout))
    }

    /// Runs a job that only reads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let work = |database: &Database, _: &dyn Fn() -> bool| work(database);
        self.0.file.read(self.0.timeout, work).await
    }

    /// Runs a job that writes.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.file.write(self.0.timeout, work).await
    }
}

impl ExposureLog for EmbeddedLog {
    /// One transaction for the whole batch: its exposures are written together, except those that can never be written.
    fn append<'a>(&'a self, batch: &'a ExposureBatch) -> BoxFuture<'a, Vec<AppendResult>> {
        Box::pin(async move {
            let Blocks { blocks, results } = batch.blocks();
            let written = if blocks.is_empty() {
                Ok(())
            } else {
                let (id, limit) = (batch.id(), self.0.timeout * BATCH_WAIT);
                let append = move |database: &mut Database| blocks::append(database, id, &blocks);
                self.0.file.try_write(limit, append).await
            };
            let results = results.into_iter().map(|checked| {
                checked?;
                written
                    .clone()
                    .map_err(|failure| self.0.file.error(failure).into())
            });
            results.collect()
        })
    }

    fn insert_if_absent<'a>(
        &'a self,
        record: &'a ExposureRecord,
    ) -> BoxFuture<'a, Result<Insert, StoreError>> {
        Box::pin(async move {
            let Row { key, cells } = record.row();
            let row = StoredRow::new(key, cells).map_err(|refusal| self.0.file.error(refusal))?;
            let inserted = self.write(move |database| insert(database, row)).await?;
            Ok(if inserted {
                Insert::Inserted
            } else {
                Insert::AlreadyThere
            })
        })
    }

    fn find<'a>(
        &'a self,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<ExposureRecord>, StoreError>> {
        Box::pin(async move {
            if let Some(row) = self.0.get(key, Columns::All).await? {
                return Ok(Some(row.into()));
            }
            let key = key.to_vec();
            let find = move |database: &Database, _: &dyn Fn() -> bool| {
                blocks::find(database.connection(), &key)
            };
            self.0.file.read(self.0.timeout, find).await
        })
    }

    /// The rows in the order of their keys; then by flag, and within a flag from the newest block to the oldest. An exposure that an
    /// upgrade copies meanwhile may come twice.
    fn page<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        within: TimeRange,
        after: Option<&'a Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<ExposurePage, StoreError>> {
        let query = PageQuery {
            scope: ScopeOwned::from(scope),
            within,
            after: after.cloned(),
            limit,
        };
        let page = move |database: &Database, caller_waits: &dyn Fn() -> bool| {
            blocks::page(database, &query, caller_waits)
        };
        Box::pin(self.0.file.read(self.0.timeout, page))
    }

    /// The rows in the order of their keys; then by flag, and within a flag from the newest block to the oldest.
    fn batches<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        within: TimeRange,
        after: Option<&'a Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<BatchPage, StoreError>> {
        let query = PageQuery {
            scope: ScopeOwned::from(scope),
            within,
            after: after.cloned(),
            limit,
        };
        let batches = move |database: &Database, caller_waits: &dyn Fn() -> bool| {
            blocks::batches(database, &query, caller_waits)
        };
        Box::pin(self.0.file.read(self.0.timeout, batches))
    }

    /// Reads the blocks that were added, and the rows that were written since a minute before the cursor.
    fn logged_after<'a>(
        &'a self,
        scope: ExposureScope<'a>,
        after: Option<&'a Cursor>,
    ) -> BoxFuture<'a, Result<ExposurePage, StoreError>> {
        let (scope, after) = (ScopeOwned::from(scope), after.cloned());
        let page = move |database: &Database, caller_waits: &dyn Fn() -> bool| {
            blocks::logged_after(database, &scope, after.as_ref(), caller_waits)
        };
        Box::pin(self.0.file.read(self.0.timeout, page))
    }

    /// Reads only the blocks that may hold one of them; of what was sent by others, every row.
    fn newest<'a>(
        &'a self,
        query: ExposureQuery<'a>,
    ) -> BoxFuture<'a, Result<Vec<ExposureRecord>, StoreError>> {
        Box::pin(async move {
            let mut newest = NewestExposures::new(query);
            // Before the blocks, into which rows may be copied meanwhile.
            let mut scan = query.scope.row_range().limit(PAGE);
            loop {
                let rows = self.0.scan(scan.clone()).await?;
                let Some(last) = rows.last() else { break };
                scan.go_on_after(&last.key);
                newest.extend(rows.into_iter().map(ExposureRecord::from));
            }
            let scope = ScopeOwned::from(query.scope);
            let in_blocks = move |database: &Database, caller_waits: &dyn Fn() -> bool| {
                blocks::newest_in_blocks(database, &scope, &mut newest, caller_waits)?;
                Ok(newest.into_records())
            };
            self.0.file.read(self.0.timeout, in_blocks).await
        })
    }

    fn of_instance<'a>(
        &'a self,
        project: &'a ProjectName,
        instance: &'a InstanceId<'a>,
    ) -> BoxFuture<'a, Result<Vec<InstanceExposures>, StoreError>> {
        Box::pin(async move {
            let mut found = instance_in_rows(&self.0, project, instance).await?;
            let range = ExposureScope::Project(project).flag_prefix_range();
            let owned = instance.clone().into_owned();
            let in_blocks = move |database: &Database, caller_waits: &dyn Fn() -> bool| {
                blocks::of_instance(database, &range, &owned, caller_waits)
            };
            for (key_prefix, count) in self.0.file.read(self.0.timeout, in_blocks).await? {
                InstanceExposures::add_blocks(&mut found, &key_prefix, instance, count);
            }
            Ok(found)
        })
    }

    /// Rows are deleted, and blocks written anew without the instance; both are overwritten in the file.
    ///
    /// `SQLite` may have left copies where it moved rows from page to page; those go when the pages are used again.
    fn delete<'a>(
        &'a self,
        exposures: &'a InstanceExposures,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            for keys in exposures.keys.chunks(FORGOTTEN_AT_ONCE) {
                let keys = keys.to_vec();
                self.write(move |database| delete(database, &keys)).await?;
            }
            let (key_prefix, instance) = (
                exposures.key_prefix().to_owned(),
                exposures.instance.clone(),
            );
            let holding = move |database: &Database, caller_waits: &dyn Fn() -> bool| {
                blocks::holding(database, &key_prefix, &instance, caller_waits)
            };
            let holding = self.0.file.read(self.0.timeout, holding).await?;
            for blocks in holding.chunks(FORGOTTEN_AT_ONCE) {
                let (blocks, instance) = (blocks.to_vec(), exposures.instance.clone());
                self.write(move |database| blocks::forget(database, &blocks, &instance))
                    .await?;
            }
            Ok(())
        })
    }

    /// Empties the write-ahead log, for which others must not read at that moment; it is tried until the timeout.
    fn purge(&self) -> BoxFuture<'_, Result<Remains, StoreError>> {
        Box::pin(self.write(|database| database.empty_wal()))
    }

    /// One transaction for all of them.
    fn write_counts<'a>(
        &'a self,
        writer: CountsWriterId,
        counts: &'a [MinuteCounts],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let counts = counts.to_vec();
        let write = move |database: &mut Database| counts::write(database, writer, &counts);
        Box::pin(self.0.file.write(self.0.timeout * BATCH_WAIT, write))
    }

    fn counts<'a>(
        &'a self,
        flag: &'a FlagKey,
        within: Range<Minute>,
    ) -> BoxFuture<'a, Result<Vec<MinuteCounts>, StoreError>> {
        let flag = flag.clone();
        let read = move |database: &Database, caller_waits: &dyn Fn() -> bool| {
            counts::read(database, &flag, &within, caller_waits)
        };
        Box::pin(self.0.file.read(self.0.timeout, read))
    }

    fn last_counted<'a>(
        &'a self,
        flags: &'a [FlagKey],
        within: Range<Minute>,
    ) -> BoxFuture<'a, Result<Vec<Option<Minute>>, StoreError>> {
        let flags = flags.to_vec();
        let read = move |database: &Database, caller_waits: &dyn Fn() -> bool| {
            counts::last(database, &flags, &within, caller_waits)
        };
        Box::pin(self.0.file.read(self.0.timeout, read))
    }

    /// One transaction for all of them.
    fn write_reports<'a>(&'a self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let stored = rows.iter().map(|row| StoredRow::new(&row.key, &row.cells));
            let stored: Result<Vec<_>, _> = stored.collect();
            let stored = stored.map_err(|refusal| self.0.file.error(refusal))?;
            self.write(move |database| reports::write(database, &stored))
                .await
        })
    }

    fn reports(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<TimestampedRow>, StoreError>> {
        let read = move |database: &Database, caller_waits: &dyn Fn() -> bool| {
            reports::read(database, &scan, caller_waits)
        };
        Box::pin(self.0.file.read(self.0.timeout, read))
    }

    fn remove_reports<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), StoreError>> {
        let keys = keys.to_vec();
        Box::pin(self.write(move |database| delete(database, &keys)))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.ping()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.0.close()
    }
}

/// Keeps a row unless its key is there, as a row or in a block.
fn insert(database: &mut Database, row: StoredRow) -> Result<bool, Failure> {
    let transaction = rows::begin(database)?;
    if blocks::find(&transaction, &row.key)?.is_some() {
        return Ok(false);
    }
    let inserted = Write::Insert(row).make(&transaction)?;
    transaction.commit()?;
    Ok(inserted)
}

fn delete(database: &mut Database, keys: &[Vec<u8>]) -> Result<(), Failure> {
    let transaction = rows::begin(database)?;
    for key in keys {
        transaction.prepare_cached(DELETE)?.execute([key])?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use flag_model::{FlagKey, FlagValue, Timestamp};
    use flag_store::{BatchId, CellFormat, Cells, ExposureTemplate};
    use tempfile::TempDir;

    use super::*;

    fn flag() -> FlagKey {
        "p/feature/f".parse().unwrap()
    }

    /// A log with two exposures of somebody, who is forgotten then.
    async fn forgotten(directory: &TempDir) -> EmbeddedLog {
        let log = EmbeddedLog::open(directory.path()).unwrap();
        let id = InstanceId::new("somebody-who-wants-to-go").unwrap();
        let mut batch = ExposureBatch::new(BatchId(1), CellFormat::Json);
        let template = batch.add_template(ExposureTemplate {
            flag: flag(),
            revision: None,
            value: FlagValue::Boolean(true),
            rollout_group: "control".to_owned(),
            reason: None,
            from_cache: None,
        });
        batch.push(template, "r", &id, None, Timestamp::UNIX_EPOCH);
        assert!(matches!(log.append(&batch).await[..], [Ok(())]));
        let row = Row {
            key: b"PROJECT#p#FLAGTYPE#feature#FLAGNAME#f#INSTANCEID#somebody-who-wants-to-go#REQUESTID#1".to_vec(),
            cells: Cells::default().with("InstanceID", id.as_str()),
        };
        log.insert_or_compare(&row.into()).await.unwrap();
        let found = log.of_instance(&flag().project, &id).await.unwrap();
        let counts: Vec<_> = found.iter().map(InstanceExposures::count).collect();
        assert_eq!(counts, [2]);
        log.delete(&found[0]).await.unwrap();
        assert_eq!(log.of_instance(&flag().project, &id).await.unwrap(), []);
        log
    }

    /// The files of a directory that have somebody's id.
    fn naming_somebody(directory: &TempDir) -> Vec<String> {
        let files = std::fs::read_dir(directory).unwrap();
        let naming = files.filter_map(|file| {
            let file = file.unwrap();
            let bytes = std::fs::read(file.path()).unwrap();
            let is_naming = bytes.windows(8).any(|part| part == b"somebody");
            is_naming.then(|| file.file_name().into_string().unwrap())
        });
        naming.collect()
    }

    #[tokio::test]
    async fn what_was_deleted_is_overwritten() {
        let directory = TempDir::new().unwrap();
        let log = forgotten(&directory).await;
        log.close().await;
        assert_eq!(naming_somebody(&directory), [""; 0]);
    }

    #[tokio::test]
    async fn a_purge_empties_the_write_ahead_log_that_others_have_open() {
        let directory = TempDir::new().unwrap();
        let other = EmbeddedLog::open(directory.path()).unwrap();
        other.ping().await.unwrap();
        let log = forgotten(&directory).await;
        assert_eq!(naming_somebody(&directory), ["exposures.db-wal"]);
        assert_eq!(log.purge().await.unwrap(), Remains::Nothing);
        assert_eq!(naming_somebody(&directory), [""; 0]);
        other.ping().await.unwrap();
    }

    #[tokio::test]
    async fn a_purge_says_so_when_a_reader_prevents_it() {
        let directory = TempDir::new().unwrap();
        let reader = {
            EmbeddedLog::open(directory.path()).unwrap();
            let [_, file] = EmbeddedStore::files(directory.path());
            rusqlite::Connection::open(file).unwrap()
        };
        reader.execute_batch("BEGIN; SELECT * FROM rows").unwrap();
        let log = forgotten(&directory).await;
        assert_eq!(log.purge().await.unwrap(), Remains::InWriteAheadLog);
        reader.execute_batch("COMMIT").unwrap();
        assert_eq!(log.purge().await.unwrap(), Remains::Nothing);
        assert_eq!(naming_somebody(&directory), [""; 0]);
    }
}
