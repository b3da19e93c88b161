//! Why the store could not be opened.

use std::io;
use std::path::{Path, PathBuf};

use flag_store::BoxError;
use rusqlite::ErrorCode;

use crate::directory;
use crate::failure::{Failure, is_busy};
use crate::open_files::FileLoss;

/// `SQLite` would apply the log to the new file.
const WAL_OF_ANOTHER: &str = "another file has taken its place, and the write-ahead log of the old one lies beside it: \
    stop whatever has it open, and move the -wal and -shm beside it away";

/// Why the store cannot be opened. No foreign file has been changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be created or written to: no permission, read-only, disk full.
    #[error("cannot use the directory {}{}", path.display(), disk_full(source))]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file does not exist, and was not to be created.
    #[error("there is no {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file existed once, as the files left of it show.
    #[error("{} is gone, and {} is still there: {}", path.display(), left.display(), remedy(path, Some(left)))]
    Gone {
        /// The file.
        path: PathBuf,
        /// A file that is left.
        left: PathBuf,
    },
    /// The file is empty, and its contents are lost.
    #[error("{} is empty, and what it held is lost: {}", path.display(), remedy(path, None))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The write-ahead log of a lost file is left, and `SQLite` would apply it to the new file.
    #[error("{} is left of a file that is lost, and would be mixed with a new one: move it away", left.display())]
    LogLeft {
        /// The write-ahead log.
        left: PathBuf,
    },
    /// The file is read-only.
    #[error("{} is write-protected", path.display())]
    WriteProtected {
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to something else. Give the store a directory of its own.
    #[error("{} is no file of this store: {found}", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// A newer release has written the file. Use that release.
    #[error(
        "{} has schema version {found}, newer than version {supported} that this release knows",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema version of the file.
        found: i32,
        /// The schema version that this release knows.
        supported: i32,
    },
    /// Another process kept the file locked for 5 s. Retrying may help.
    #[error("another process keeps {} locked", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be used: damaged, disk full, or no permission.
    #[error("cannot open {}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The error of `SQLite`.
        source: BoxError,
    },
    /// The threads of the file could not be started.
    #[error("cannot start the threads for {}", path.display())]
    NoThreads {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// Why a file cannot be opened, without its path.
#[derive(Debug)]
pub(crate) enum Obstacle {
    Missing,
    Empty,
    WriteProtected,
    NoWal,
    NoDatabase,
    NotOurs { id: i32, version: i32 },
    Newer { version: i32, supported: i32 },
    Vanished(io::Error),
    FileLoss(FileLoss),
    WalOfAnother,
    Damaged(String),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Obstacle {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NoDatabase,
            _ => Self::Sqlite(error),
        }
    }
}

impl Obstacle {
    /// Whether it is the lock of another process.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_busy(error))
    }

    /// The error for the caller that opens the store.
    pub(crate) fn in_file(self, file: &Path) -> OpenError {
        let path = file.to_owned();
        match self {
            Self::Missing => OpenError::Missing { path },
            Self::Empty => OpenError::Empty { path },
            Self::WriteProtected => OpenError::WriteProtected { path },
            Self::NoWal => unusable(file, "its file system cannot keep a write-ahead log"),
            Self::NoDatabase => OpenError::NotOurs {
                path,
                found: "not a database".to_owned(),
            },
            Self::NotOurs { id, version } => OpenError::NotOurs {
                path,
                found: format!(
                    "a database with application_id {id:#010x} and user_version {version}"
                ),
            },
            Self::Newer { version, supported } => OpenError::Newer {
                path,
                found: version,
                supported,
            },
            Self::Vanished(error) => unusable(file, error),
            Self::FileLoss(lost) => unusable(file, lost),
            Self::WalOfAnother => unusable(file, WAL_OF_ANOTHER),
            Self::Damaged(found) => unusable(file, format!("it is damaged: {found}")),
            Self::Sqlite(error) if is_busy(&error) => OpenError::Busy { path },
            Self::Sqlite(error) => sqlite_obstacle(file, error),
        }
    }
}

/// What is wrong with the directory; `SQLite` reports only that it cannot open its file.
fn sqlite_obstacle(file: &Path, error: rusqlite::Error) -> OpenError {
    let directory = file.parent().unwrap_or(file);
    match directory::why_not_writable(directory) {
        Some(source) => OpenError::Directory {
            path: directory.to_owned(),
            source,
        },
        None => unusable(file, Failure::from(error)),
    }
}

/// What to do about a lost file. `SQLite` would apply a write-ahead log that is left to the new file.
fn remedy(path: &Path, left: Option<&PathBuf>) -> String {
    let remedy = if path.file_name() == Some(directory::FLAGS.as_ref()) {
        "`flagctl restore-backup DIR --replace` puts a backup in its place, `flagctl init` makes a new one"
    } else {
        "`flagctl init` makes a new one, `flagctl restore-backup DIR --replace` brings flags and exposures back"
    };
    let is_log = left.is_some_and(|left| left.extension() != path.extension());
    let first = if is_log { "move it away, then " } else { "" };
    format!("{first}{remedy}")
}

/// Says it in the words that are looked for.
fn disk_full(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": disk full",
        _ => "",
    }
}

fn unusable(file: &Path, source: impl Into<BoxError>) -> OpenError {
    OpenError::Unusable {
        path: file.to_owned(),
        source: source.into(),
    }
}
