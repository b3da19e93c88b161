//! One file of the store, together with its threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flag_store::StoreError;

use crate::database::Database;
use crate::failure::Failure;
use crate::group::Group;
use crate::open_error::OpenError;
use crate::rows::{self, Write};
use crate::schema::Contents;
use crate::stored::Batch;
use crate::worker::Workers;

/// Threads that read, per file; two, so that a long scan doesn't hold up the short reads.
const READERS: usize = 2;

/// An open file.
#[derive(Debug)]
pub(crate) struct DataFile {
    path: PathBuf,
    workers: Workers,
    group: Arc<Group>,
}

impl DataFile {
    /// Opens a file, or makes it, and starts its threads.
    pub(crate) fn open(path: PathBuf, contents: Contents) -> Result<Self, OpenError> {
        let writer = Database::writer(&path, contents)?;
        let readers = (0..READERS)
            .map(|_| Database::reader(&path))
            .collect::<Result<_, _>>()?;
        match Workers::start(contents, writer, readers) {
            Ok(workers) => Ok(Self {
                path,
                workers,
                group: Arc::default(),
            }),
            Err(source) => Err(OpenError::NoThreads { path, source }),
        }
    }

    /// Runs a job that only reads. It can ask whether anybody still waits for its result.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Database, &dyn Fn() -> bool) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let result = self.workers.read(limit, work).await;
        result.map_err(|failure| self.error(failure))
    }

    /// Runs a job that writes.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let result = self.workers.write(limit, work).await;
        result.map_err(|failure| self.error(failure))
    }

    /// Writes a row, together with those that wait at the same time; whether it was written.
    pub(crate) async fn write_row(
        &self,
        limit: Duration,
        write: Write,
    ) -> Result<bool, StoreError> {
        let mut outcome = self.group.add(write);
        let group = Arc::clone(&self.group);
        self.write(limit, move |database| group.make(database))
            .await?;
        // By now its turn has come, here or with a write before it.
        let outcome = outcome.try_recv().unwrap_or(Err(Failure::Ended));
        outcome.map_err(|failure| self.error(failure))
    }

    /// Writes many rows in one transaction; when that fails, each of them has failed.
    pub(crate) async fn write_batch(
        &self,
        limit: Duration,
        batch: Batch,
    ) -> Vec<Result<(), StoreError>> {
        let length = batch.len();
        self.workers
            .write(limit, move |database| rows::write_batch(database, batch))
            .await
            .unwrap_or_else(|failure| vec![Err(failure); length])
            .into_iter()
            .map(|result| result.map_err(|failure| self.error(failure)))
            .collect()
    }

    /// Makes sure that the file can be read, and is still in its place.
    pub(crate) async fn ping(&self, limit: Duration) -> Result<(), StoreError> {
        self.read(limit, |database, _| rows::ping(database)).await
    }

    /// What a failure in this file means to the caller.
    pub(crate) fn error(&self, failure: impl Into<Failure>) -> StoreError {
        failure.into().in_file(&self.path)
    }

    /// Ends the threads, and waits until the file is closed.
    pub(crate) async fn close(self) {
        self.workers.end().await;
    }
}
