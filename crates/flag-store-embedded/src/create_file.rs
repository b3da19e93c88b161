//! Makes the files of a store: whole, or not at all.
//!
//! A file is created under another name and renamed when it is complete. So an empty file is a damaged one, and so is a
//! missing file whose journal is there; `SQLite` would take both for new.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::directory;
use crate::open_error::{Obstacle, OpenError};
use crate::open_files::{beside, is_absence};
use crate::schema::{Contents, set_up};

/// How folders begin that hold files which are not complete yet.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// The suffixes of the journals that `SQLite` applies to a file when it opens it.
pub(crate) const JOURNAL_SUFFIXES: [&str; 2] = ["-wal", "-journal"];

/// Makes a file if it is missing; another process may do so at the same time. An error if it existed and is gone.
pub(crate) fn ensure_made(path: &Path, contents: Contents) -> Result<(), OpenError> {
    if is_there(path, contents)? {
        return Ok(());
    }
    make(path, contents)
}

/// Whether there is a file. An error if it existed and is gone.
pub(crate) fn is_there(path: &Path, contents: Contents) -> Result<bool, OpenError> {
    // Looked for first: another process makes the file before them.
    let left = left_of(path, contents);
    if !is_absent(path) {
        return Ok(true);
    }
    match left {
        None => Ok(false),
        Some(left) => Err(OpenError::Gone {
            path: path.to_owned(),
            left,
        }),
    }
}

/// Makes a file if it is missing or empty, whether it was lost or not; an error if its journal is left.
pub(crate) fn recreate(path: &Path, contents: Contents) -> Result<(), OpenError> {
    if !is_empty(path) && !is_absent(path) {
        return Ok(());
    }
    if let Some(left) = journals_of(path).find(|log| log.symlink_metadata().is_ok()) {
        return Err(OpenError::LogLeft { left });
    }
    if is_empty(path) {
        fs::remove_file(path).map_err(|source| OpenError::Directory {
            path: path.to_owned(),
            source,
        })?;
    }
    make(path, contents)
}

/// Gives a file the name that it is to have, where none may be yet.
pub(crate) fn publish(made: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(made, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            // Not every file system has links; without them, creating the file is what only one process can do.
            File::create_new(path)?;
            fs::rename(made, path)
        }
        linked => linked,
    }
}

fn make(path: &Path, contents: Contents) -> Result<(), OpenError> {
    let directory = path.parent().unwrap_or(path);
    let failed = |source| OpenError::Directory {
        path: directory.to_owned(),
        source,
    };
    let unfinished = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(directory)
        .map_err(failed)?;
    let made = unfinished.path().join(contents.file_name());
    fill(&made, contents).map_err(|obstacle| obstacle.in_file(path))?;
    match publish(&made, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => directory::sync(directory),
    }
    Ok(())
}

/// Without a write-ahead log, so that everything is in the file itself.
fn fill(path: &Path, contents: Contents) -> Result<(), Obstacle> {
    let mut connection = Connection::open(path)?;
    set_up(&mut connection, contents)?;
    connection.close().map_err(|(_, error)| error.into())
}

/// What shows that a file was there: its log, or the exposures, which are made after the flags.
fn left_of(path: &Path, contents: Contents) -> Option<PathBuf> {
    let exposures = path.with_file_name(Contents::Exposures.file_name());
    let exposures = (contents == Contents::Flags).then_some(exposures);
    let mut left = journals_of(path).chain(exposures);
    left.find(|file| file.symlink_metadata().is_ok())
}

fn journals_of(path: &Path) -> impl Iterator<Item = PathBuf> {
    JOURNAL_SUFFIXES
        .into_iter()
        .map(|suffix| beside(path, suffix))
}

/// Whether it is a file without a byte.
pub(crate) fn is_empty(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

fn is_absent(path: &Path) -> bool {
    fs::metadata(path).is_err_and(|error| is_absence(&error))
}
