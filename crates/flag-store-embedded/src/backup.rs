//! Backs up a store while others use it, and restores it.
//!
//! A copy of the `.db` files alone lacks what is still in the write-ahead logs. These are copies by `SQLite`'s backup API:
//! each file as of one moment, checked, and complete by itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use tempfile::TempDir;

use crate::create_file::{JOURNAL_SUFFIXES, UNFINISHED, is_empty, publish};
use crate::database::{Database, check};
use crate::directory;
use crate::failure::Failure;
use crate::lock_timeout::LockTimeout;
use crate::open_error::OpenError;
use crate::open_files::{Closing, beside};
use crate::schema::Contents;

/// Flags come last: a copy with flags is complete.
const ALL: [Contents; 2] = [Contents::Exposures, Contents::Flags];

/// All pages of a file in one step, so that they are of one moment.
const ALL_PAGES: i32 = -1;

/// How long a copy waits for writers.
const LOCKED: Duration = Duration::from_secs(30);

/// Why a store was not backed up or restored. Nothing is lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is a store at the destination.
    #[error("there is {} already", path.display())]
    Exists {
        /// A file of it.
        path: PathBuf,
    },
    /// The write-ahead log of a lost file is left, and `SQLite` would apply it to the restored file.
    #[error("{} is left of a store whose file is gone, and would be mixed with what is put there: move it away", path.display())]
    LogLeft {
        /// The write-ahead log.
        path: PathBuf,
    },
    /// A file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A folder or a file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The folder or file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file cannot be copied.
    #[error("cannot copy {}", path.display())]
    Copy {
        /// The file.
        path: PathBuf,
        /// The error of `SQLite`.
        source: flag_store::BoxError,
    },
}

/// What happens to a store that exists at the destination.
#[derive(Clone, Copy, Debug)]
pub enum ExistingStore<'a> {
    /// It stays, and nothing is restored.
    Stays,
    /// It is copied into this folder, which must not exist yet, and replaced.
    KeptIn(&'a Path),
}

/// Copies the store in a directory into another one, which is created if needed and must hold no store; returns the
/// files. The store can be used meanwhile. Blocks.
pub fn back_up(directory: &Path, to: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let to = make(to)?;
    refuse_store(&to)?;
    let unfinished = Unfinished::make_in(&to)?;
    for contents in ALL {
        let path = file_in(directory, contents);
        let copy = unfinished.copy(&path, contents)?;
        examine(&copy, &path)?;
    }
    unfinished.publish(&to, &ALL)?;
    Ok(files_in(&to))
}

/// Restores a copy that [`back_up`] made; returns the files. Blocks.
///
/// An existing store is changed in one transaction per file, so that others may have it open.
pub fn restore(
    backup: &Path,
    directory: &Path,
    present: ExistingStore<'_>,
) -> Result<Vec<PathBuf>, BackupError> {
    for contents in ALL {
        let path = file_in(backup, contents);
        examine(&Database::source(&path, contents)?, &path)?;
    }
    let directory = make(directory)?;
    match present {
        ExistingStore::Stays => refuse_store(&directory)?,
        ExistingStore::KeptIn(folder) => {
            keep(&directory, folder)?;
            set_aside(&directory, folder)?;
        }
    }
    let unfinished = Unfinished::make_in(&directory)?;
    for contents in ALL {
        unfinished.copy(&file_in(backup, contents), contents)?;
        // As a store has its files.
        let upgraded = Database::writer(&unfinished.file(contents), contents)?;
        upgraded.close(Closing::WithWal);
    }
    let there = self::present(&directory);
    for contents in &there {
        overwrite(&unfinished.file(*contents), &directory, *contents)?;
    }
    let missing = ALL.into_iter().filter(|contents| !there.contains(contents));
    unfinished.publish(&directory, &missing.collect::<Vec<_>>())?;
    Ok(files_in(&directory))
}

/// Moves empty files away, with the journals beside them.
fn set_aside(directory: &Path, folder: &Path) -> Result<(), BackupError> {
    for contents in ALL {
        let path = file_in(directory, contents);
        if is_empty(&path) {
            let folder = directory::make(folder).map_err(writing(folder))?;
            for ending in ["-wal", "-journal", "-shm", ""] {
                let found = beside(&path, ending);
                if found.symlink_metadata().is_ok() {
                    let aside = beside(&file_in(&folder, contents), ending);
                    fs::rename(&found, aside).map_err(writing(&found))?;
                }
            }
        }
    }
    Ok(())
}

/// Copies the existing files of a store.
fn keep(directory: &Path, folder: &Path) -> Result<(), BackupError> {
    let mut there = present(directory);
    there.retain(|contents| !is_empty(&file_in(directory, *contents)));
    if there.is_empty() {
        return Ok(());
    }
    let folder = make(folder)?;
    refuse_store(&folder)?;
    let unfinished = Unfinished::make_in(&folder)?;
    for contents in &there {
        unfinished.copy(&file_in(directory, *contents), *contents)?;
    }
    unfinished.publish(&folder, &there)
}

/// Changes a file that others may have open into a copy of another one, in one transaction.
fn overwrite(from: &Path, directory: &Path, contents: Contents) -> Result<(), BackupError> {
    let source = Database::source(from, contents)?;
    let path = file_in(directory, contents);
    let mut target = Database::existing(&path, contents)?;
    copy_pages(&source, target.connection_mut()).map_err(copying(&path))?;
    target.close(Closing::WithWal);
    Ok(())
}

/// Incomplete copies, in a folder of their own that is removed with them.
struct Unfinished(TempDir);

impl Unfinished {
    fn make_in(directory: &Path) -> Result<Self, BackupError> {
        let made = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(directory);
        made.map(Self).map_err(writing(directory))
    }

    fn file(&self, contents: Contents) -> PathBuf {
        file_in(self.0.path(), contents)
    }

    /// Copies a file; returns the open copy.
    fn copy(&self, from: &Path, contents: Contents) -> Result<Connection, BackupError> {
        let source = Database::source(from, contents)?;
        let mut target = Connection::open(self.file(contents)).map_err(copying(from))?;
        copy_pages(&source, &mut target).map_err(copying(from))?;
        // So that nothing lies beside it, and it can be read where nothing can be written.
        target
            .pragma_update(None, "journal_mode", "delete")
            .map_err(copying(from))?;
        Ok(target)
    }

    /// Moves files to their destination, where none may exist yet.
    fn publish(self, directory: &Path, files: &[Contents]) -> Result<(), BackupError> {
        for contents in files {
            let path = file_in(directory, *contents);
            publish(&self.file(*contents), &path).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => BackupError::Exists { path: path.clone() },
                _ => writing(&path)(error),
            })?;
        }
        directory::sync(directory);
        Ok(())
    }
}

/// Copies all pages as of one moment.
fn copy_pages(from: &Connection, to: &mut Connection) -> Result<(), Failure> {
    let lock_timeout = LockTimeout::default();
    lock_timeout.set_end(Instant::now().checked_add(LOCKED));
    let backup = Backup::new(from, to)?;
    loop {
        match backup.step(ALL_PAGES)? {
            StepResult::Done => return Ok(()),
            _ if lock_timeout.pause() => {}
            _ => return Err(Failure::Locked),
        }
    }
}

/// Refuses a database that contradicts itself.
fn examine(connection: &Connection, path: &Path) -> Result<(), BackupError> {
    check(connection, "integrity_check").map_err(|obstacle| obstacle.in_file(path).into())
}

fn refuse_store(directory: &Path) -> Result<(), BackupError> {
    match present(directory).first() {
        Some(contents) => Err(BackupError::Exists {
            path: file_in(directory, *contents),
        }),
        None => Ok(()),
    }
}

/// The existing files of a store.
fn present(directory: &Path) -> Vec<Contents> {
    let mut there = ALL.to_vec();
    there.retain(|contents| file_in(directory, *contents).symlink_metadata().is_ok());
    there
}

/// Creates the destination directory; an error if files in it would not stay as they are.
fn make(directory: &Path) -> Result<PathBuf, BackupError> {
    let directory = directory::make(directory).map_err(writing(directory))?;
    let there = present(&directory);
    let missing = ALL.into_iter().filter(|contents| !there.contains(contents));
    let mut logs = missing.flat_map(|contents| {
        let file = file_in(&directory, contents);
        JOURNAL_SUFFIXES.map(|suffix| beside(&file, suffix))
    });
    match logs.find(|log| log.symlink_metadata().is_ok()) {
        Some(path) => Err(BackupError::LogLeft { path }),
        None => Ok(directory),
    }
}

fn file_in(directory: &Path, contents: Contents) -> PathBuf {
    directory.join(contents.file_name())
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    ALL.map(|contents| file_in(directory, contents)).to_vec()
}

fn writing(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    |source| BackupError::Write { path, source }
}

fn copying<E: Into<Failure>>(path: &Path) -> impl FnOnce(E) -> BackupError {
    let path = path.to_owned();
    |error| BackupError::Copy {
        path,
        source: Box::new(error.into()),
    }
}
