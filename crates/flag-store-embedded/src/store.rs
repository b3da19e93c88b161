//! Rows in one file, and the operations of [`RowStore`] on them.

use std::io;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::Duration;

use flag_store::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan, StoreError,
};

use crate::create_file::{is_there, recreate};
use crate::directory::{self, EXPOSURES, FLAGS};
use crate::file::DataFile;
use crate::idle_priority::WriterPriority;
use crate::open_error::OpenError;
use crate::rows::{self, Comparison, Wanted, Write};
use crate::schema::Contents;
use crate::stored::StoredRow;

/// The default timeout of a call; a batch of exposures has six times as long.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Rows in a local file: flags, or, as part of an [`EmbeddedLog`](crate::EmbeddedLog), exposures.
///
/// Clones share file and threads; when the last one is dropped, the threads end and the file is closed, shortly
/// after and without waiting (see [`close`](RowStore::close)). Any number of processes may have the same directory open.
/// The next call notices files that were moved, removed or replaced: calls fail until there is a store at their paths
/// again, which is opened then.
///
/// An acknowledged row survives the end of the process and a power loss.
/// A call that timed out or was dropped while it was queued does nothing, whether it reads or writes.
/// Calls need a tokio runtime whose timer runs.
#[derive(Clone, Debug)]
pub struct EmbeddedStore {
    pub(crate) file: Arc<DataFile>,
    pub(crate) timeout: Duration,
}

impl EmbeddedStore {
    /// Opens the file `flags.db` in a directory; creates it if it never existed.
    ///
    /// Blocks: a few milliseconds as a rule, at most about 5 s while other processes hold its lock.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_file(directory, Contents::Flags, WriterPriority::Normal)
    }

    /// Opens the existing file in a directory.
    ///
    /// Blocks.
    pub fn existing(directory: &Path) -> Result<Self, OpenError> {
        Self::existing_file(directory, Contents::Flags, WriterPriority::Normal)
    }

    /// Whether there is a `flags.db` in a directory. An error if it is gone and its write-ahead log or the exposures are left.
    pub fn is_there(directory: &Path) -> Result<bool, OpenError> {
        Self::is_file_there(directory, Contents::Flags)
    }

    pub(crate) fn is_file_there(directory: &Path, contents: Contents) -> Result<bool, OpenError> {
        let directory = absolute(directory).map_err(unusable(directory))?;
        is_there(&directory.join(contents.file_name()), contents)
    }

    /// Makes `flags.db` and `exposures.db` where they are missing or empty, also if they were lost.
    ///
    /// Blocks.
    pub fn recreate(directory: &Path) -> Result<(), OpenError> {
        let directory = directory::make(directory).map_err(unusable(directory))?;
        for contents in [Contents::Flags, Contents::Exposures] {
            recreate(&directory.join(contents.file_name()), contents)?;
        }
        Ok(())
    }

    pub(crate) fn open_file(
        directory: &Path,
        contents: Contents,
        priority: WriterPriority,
    ) -> Result<Self, OpenError> {
        let directory = directory::make(directory).map_err(unusable(directory))?;
        DataFile::open(directory.join(contents.file_name()), contents, priority).map(Self::of)
    }

    pub(crate) fn existing_file(
        directory: &Path,
        contents: Contents,
        priority: WriterPriority,
    ) -> Result<Self, OpenError> {
        let directory = absolute(directory).map_err(unusable(directory))?;
        DataFile::existing(directory.join(contents.file_name()), contents, priority).map(Self::of)
    }

    fn of(file: DataFile) -> Self {
        Self {
            file: Arc::new(file),
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// The files in a directory that hold flags and exposures, whether they are there or not.
    pub fn files(directory: &Path) -> [PathBuf; 2] {
        [FLAGS, EXPOSURES].map(|name| directory.join(name))
    }

    /// Sets the timeout of each call of this handle, which includes waiting for threads and locks.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

fn unusable(directory: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = directory.to_owned();
    |source| OpenError::Directory { path, source }
}

impl RowStore for EmbeddedStore {
    fn get<'a>(
        &'a self,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        Box::pin(async move {
            let (key, wanted) = (key.to_vec(), Wanted::from(columns));
            self.file
                .read(self.timeout, move |database, _| {
                    let cells = rows::get(database, &key, &wanted)?;
                    Ok((!cells.is_empty()).then_some(Row { key, cells }))
                })
                .await
        })
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(self.file.read(self.timeout, move |database, caller_waits| {
            rows::scan(database, &scan, caller_waits)
        }))
    }

    fn keys(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Vec<u8>>, StoreError>> {
        Box::pin(self.file.read(self.timeout, move |database, caller_waits| {
            rows::keys(database, &scan, caller_waits)
        }))
    }

    fn insert_if_absent<'a>(&'a self, row: &'a Row) -> BoxFuture<'a, Result<Insert, StoreError>> {
        Box::pin(async move {
            let file = &*self.file;
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
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        Box::pin(async move {
            let file = &*self.file;
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

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.file.ping(self.timeout))
    }

    /// Afterwards the `.db` file holds everything, if no other process has it open.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.file.close())
    }
}
