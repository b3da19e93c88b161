//! The store: two files, and the operations of [`RowStore`] on them.

use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::Duration;

use flag_store::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan, StoreError,
    Table,
};
use tokio::sync::OnceCell;

use crate::database::Database;
use crate::directory;
use crate::failure::Failure;
use crate::file::DataFile;
use crate::forget;
use crate::open_error::OpenError;
use crate::rows::{self, Comparison, Wanted, Write};
use crate::schema::Contents;
use crate::stored::{Batch, StoredRow};

const FLAGS: &str = "flags.db";
const EXPOSURES: &str = "exposures.db";

/// What the file is called that holds this.
pub(crate) fn file_name(contents: Contents) -> &'static str {
    match contents {
        Contents::Flags => FLAGS,
        Contents::Exposures => EXPOSURES,
    }
}

/// How long a call takes at most, unless [`EmbeddedStore::with_timeout`] says otherwise; a batch of exposures six times that.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many times as long a batch of exposures may take.
const EXPOSURES_WAIT: u32 = 6;

/// Flags and exposures in local files.
///
/// Clones share files and threads; when the last one is dropped, the threads end and the files are closed, shortly
/// after and without waiting (see [`close`](RowStore::close)). Any number of processes may have the same directory open.
/// Files that are moved, removed or replaced are noticed by the next call: calls fail until there is a store in their
/// place again, which is opened then.
///
/// A row that was acknowledged survives the death of the process; in the table of flags also a power loss.
/// A call that timed out or was dropped before its turn came does nothing, whether it reads or writes.
/// Calls need a tokio runtime whose timer runs.
#[derive(Clone, Debug)]
pub struct EmbeddedStore {
    files: Arc<Files>,
    timeout: Duration,
}

#[derive(Debug)]
struct Files {
    directory: PathBuf,
    flags: DataFile,
    exposures: OnceCell<DataFile>,
}

impl EmbeddedStore {
    /// Opens the files `flags.db` and `exposures.db` in a directory; makes whatever is not there yet.
    ///
    /// Blocks: a few milliseconds as a rule, at most about 5 s per file while other processes hold its lock.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let store = Self::open_flags(directory)?;
        let exposures = exposures(&store.files.directory)?;
        Ok(store.with_exposures(exposures))
    }

    /// Opens the file `flags.db` in a directory, or makes it; `exposures.db` only when a call needs it first.
    ///
    /// For whoever reads or changes flags alone: whatever happened to the exposures is no matter then. Blocks likewise.
    pub fn open_flags(directory: &Path) -> Result<Self, OpenError> {
        let directory = directory::make(directory).map_err(|source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let flags = DataFile::open(directory.join(FLAGS), Contents::Flags)?;
        Ok(Self::of(directory, flags))
    }

    /// Opens the files that are in a directory; makes nothing.
    ///
    /// Blocks likewise.
    pub fn existing(directory: &Path) -> Result<Self, OpenError> {
        let directory = absolute(directory).map_err(|source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let flags = DataFile::existing(directory.join(FLAGS), Contents::Flags)?;
        let exposures = DataFile::existing(directory.join(EXPOSURES), Contents::Exposures)?;
        Ok(Self::of(directory, flags).with_exposures(exposures))
    }

    fn of(directory: PathBuf, flags: DataFile) -> Self {
        let files = Files {
            directory,
            flags,
            exposures: OnceCell::new(),
        };
        Self {
            files: Arc::new(files),
            timeout: DEFAULT_TIMEOUT,
        }
    }

    fn with_exposures(self, exposures: DataFile) -> Self {
        // It is new: nobody has opened them meanwhile.
        let _ = self.files.exposures.set(exposures);
        self
    }

    /// The files in a directory that hold a store, whether they are there or not.
    pub fn files(directory: &Path) -> [PathBuf; 2] {
        [FLAGS, EXPOSURES].map(|name| directory.join(name))
    }

    /// Ends each call of this handle after `timeout`, waiting for threads and for locks included.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Runs a job that writes exposures.
    pub(crate) async fn write_exposures<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = self.file(Table::Exposures).await?;
        file.write(self.timeout, work).await
    }

    async fn file(&self, table: Table) -> Result<&DataFile, StoreError> {
        let file = self.files.of(table).await;
        file.map_err(|failure| self.files.not_opened(failure))
    }
}

impl Files {
    async fn of(&self, table: Table) -> Result<&DataFile, Failure> {
        match table {
            Table::Flags => Ok(&self.flags),
            Table::Exposures => self.exposures().await,
        }
    }

    /// The exposures, opened now if nobody has needed them before.
    async fn exposures(&self) -> Result<&DataFile, Failure> {
        let open = async || {
            let directory = self.directory.clone();
            let opened = tokio::task::spawn_blocking(move || exposures(&directory)).await;
            let opened = opened.map_err(|_| Failure::Ended);
            opened.and_then(|opened| opened.map_err(|error| Failure::NotOpened(Arc::new(error))))
        };
        self.exposures.get_or_try_init(open).await
    }

    /// What it means to the caller that the exposures cannot be opened.
    fn not_opened(&self, failure: Failure) -> StoreError {
        failure.in_file(&self.directory.join(EXPOSURES))
    }
}

/// Opens the exposures in a directory, or makes their file.
fn exposures(directory: &Path) -> Result<DataFile, OpenError> {
    DataFile::open(directory.join(EXPOSURES), Contents::Exposures)
}

impl RowStore for EmbeddedStore {
    fn get<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        Box::pin(async move {
            let (key, wanted) = (key.to_vec(), Wanted::from(columns));
            self.file(table)
                .await?
                .read(self.timeout, move |database, _| {
                    let cells = rows::get(database, &key, &wanted)?;
                    Ok((!cells.is_empty()).then_some(Row { key, cells }))
                })
                .await
        })
    }

    fn scan(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            self.file(table)
                .await?
                .read(self.timeout, move |database, is_wanted| {
                    rows::scan(database, &scan, is_wanted)
                })
                .await
        })
    }

    fn keys(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Vec<u8>>, StoreError>> {
        Box::pin(async move {
            self.file(table)
                .await?
                .read(self.timeout, move |database, is_wanted| {
                    rows::keys(database, &scan, is_wanted)
                })
                .await
        })
    }

    fn insert_if_absent<'a>(
        &'a self,
        table: Table,
        row: &'a Row,
    ) -> BoxFuture<'a, Result<Insert, StoreError>> {
        Box::pin(async move {
            let file = self.file(table).await?;
            let row =
                StoredRow::new(&row.key, &row.cells).map_err(|refusal| file.error(refusal))?;
            let inserted = file.write_row(self.timeout, Write::Insert(row)).await?;
            Ok(if inserted {
                Insert::Inserted
            } else {
                Insert::AlreadyThere
            })
        })
    }

    fn compare_and_set<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        Box::pin(async move {
            let file = self.file(table).await?;
            let row = StoredRow::new(key, cells).map_err(|refusal| file.error(refusal))?;
            let expected = Comparison {
                column: expected.column.to_owned(),
                value: expected.value.map(<[u8]>::to_vec),
            };
            let set = Write::CompareAndSet(expected, row);
            Ok(if file.write_row(self.timeout, set).await? {
                CompareAndSet::Set
            } else {
                CompareAndSet::Differs
            })
        })
    }

    /// One transaction for all rows: they are written together, except those that can never be written.
    fn write_batch<'a>(
        &'a self,
        table: Table,
        rows: &'a [Row],
    ) -> BoxFuture<'a, Vec<Result<(), StoreError>>> {
        Box::pin(async move {
            if rows.is_empty() {
                return Vec::new();
            }
            let batch = Batch::new(rows);
            let limit = match table {
                Table::Flags => self.timeout,
                // Their writer steps back; trying again would only make more of what waits.
                Table::Exposures => self.timeout * EXPOSURES_WAIT,
            };
            match self.files.of(table).await {
                Ok(file) => file.write_batch(limit, batch).await,
                Err(failure) => {
                    let failed = || Err(self.files.not_opened(failure.clone()));
                    rows.iter().map(|_| failed()).collect()
                }
            }
        })
    }

    fn delete_exposures<'a>(
        &'a self,
        keys: &'a [Vec<u8>],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(forget::delete_exposures(self, keys.to_vec()))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let exposures = async {
                match self.files.exposures.get() {
                    Some(exposures) => exposures.ping(self.timeout).await,
                    None => Ok(()),
                }
            };
            tokio::try_join!(self.files.flags.ping(self.timeout), exposures)?;
            Ok(())
        })
    }

    /// What was written lies in the `.db` files alone then, if no other process has them open.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(exposures) = self.files.exposures.get() {
                exposures.close().await;
            }
            self.files.flags.close().await;
        })
    }
}
