//! One file of the store, and the jobs of its threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flag_store::StoreError;

use crate::database::Database;
use crate::failure::Failure;
use crate::file_state::FileState;
use crate::group_commit::GroupCommit;
use crate::idle_priority::WriterPriority;
use crate::open_error::OpenError;
use crate::open_files::Closing;
use crate::rows::{self, Write};
use crate::schema::Contents;
use crate::worker::{JobResult, JobThreads, JobTimeout};

/// An open file.
#[derive(Debug)]
pub(crate) struct DataFile {
    state: Arc<FileState>,
    group: Arc<GroupCommit>,
}

impl DataFile {
    /// Opens or creates a file, and starts its threads.
    pub(crate) fn open(
        path: PathBuf,
        contents: Contents,
        priority: WriterPriority,
    ) -> Result<Self, OpenError> {
        let writer = Database::writer(&path, contents)?;
        Self::start(path, contents, priority, writer)
    }

    /// Opens an existing file, and starts its threads.
    pub(crate) fn existing(
        path: PathBuf,
        contents: Contents,
        priority: WriterPriority,
    ) -> Result<Self, OpenError> {
        let writer = Database::existing(&path, contents)?;
        Self::start(path, contents, priority, writer)
    }

    fn start(
        path: PathBuf,
        contents: Contents,
        priority: WriterPriority,
        writer: Database,
    ) -> Result<Self, OpenError> {
        let state = FileState::open(path, contents, priority, writer)?;
        Ok(Self {
            state,
            group: Arc::default(),
        })
    }

    /// Runs a job that only reads. It can ask whether its caller still waits.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl FnOnce(&Database, &dyn Fn() -> bool) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let work =
            |database: &mut Database, caller_waits: &dyn Fn() -> bool| work(database, caller_waits);
        let result = self.run(JobThreads::Readers, timeout, work).await;
        result.map_err(|failure| self.error(failure))
    }

    /// Runs a job that writes.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl FnOnce(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let result = self.try_write(timeout, work).await;
        result.map_err(|failure| self.error(failure))
    }

    /// Runs a job that writes; its failure can be cloned, and is made an error by [`error`](Self::error).
    pub(crate) async fn try_write<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl FnOnce(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let work = |database: &mut Database, _: &dyn Fn() -> bool| work(database);
        self.run(JobThreads::Writer, timeout, work).await
    }

    /// Writes a row, together with other waiting ones; returns whether it was written.
    pub(crate) async fn write_row(
        &self,
        timeout: Duration,
        write: Write,
    ) -> Result<bool, StoreError> {
        let mut outcome = self.group.add(write);
        let group = Arc::clone(&self.group);
        self.write(timeout, move |database| group.commit_waiting(database))
            .await?;
        // By now its turn has come, here or with a write before it.
        let outcome = outcome.try_recv().unwrap_or(Err(Failure::Ended));
        outcome.map_err(|failure| self.error(failure))
    }

    /// Checks that the file can be read and is still at its path.
    pub(crate) async fn ping(&self, timeout: Duration) -> Result<(), StoreError> {
        self.read(timeout, |database, _| rows::ping(database)).await
    }

    /// The error for the caller.
    pub(crate) fn error(&self, failure: impl Into<Failure>) -> StoreError {
        failure.into().in_file(self.state.path())
    }

    /// Ends the threads, and waits until the file is closed; calls fail from now on.
    pub(crate) async fn close(&self) {
        if let Some(workers) = self.state.close() {
            let ended = tokio::task::spawn_blocking(|| workers.end(Closing::WithWal));
            // Where the runtime ends first, so do the threads by themselves.
            let _ = ended.await;
        }
    }

    /// Runs a job; if the file was lost before the job began, runs it on the file that replaced it.
    async fn run<T, W>(
        &self,
        threads: JobThreads,
        timeout: Duration,
        mut work: W,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: FnOnce(&mut Database, &dyn Fn() -> bool) -> Result<T, Failure> + Send + 'static,
    {
        let timeout = JobTimeout::new(timeout);
        let mut losses = 0;
        loop {
            let workers = FileState::workers(&self.state, timeout).await?;
            match workers.clone().run(threads, timeout, work).await {
                JobResult::Ended(result) => {
                    if let Err(Failure::FileLoss(lost)) = &result {
                        FileState::lose(&self.state, workers, *lost);
                    }
                    return result;
                }
                JobResult::NotBegun(same, lost) => {
                    FileState::lose(&self.state, workers, lost);
                    losses += 1;
                    if losses > 1 {
                        return Err(lost.into());
                    }
                    work = same;
                }
            }
        }
    }
}
