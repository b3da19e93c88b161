//! Checks that the files of an open database are still at their paths.
//!
//! `SQLite` continues with files that were moved, removed or replaced, and crashes on a truncated `-shm`. So every
//! job begins with a check of all three: a `stat` each, a few microseconds.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The smallest page that `SQLite` has; a database has one at least.
const LEAST_BYTES: u64 = 512;

/// The files of an open database as they were when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct OpenFiles {
    file: FileAtPath,
    log: FileAtPath,
    index: FileAtPath,
    /// It grows, and shrinks only while no process has the database open.
    index_bytes: u64,
}

/// A file that was seen at a path.
#[derive(Clone, Debug)]
struct FileAtPath {
    path: PathBuf,
    identity: Identity,
}

/// Tells a file from another one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

/// What happened to an open database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileLoss {
    #[error("it was moved or removed while open")]
    Removed,
    #[error("another file took its place while open")]
    Replaced,
    #[error("it was truncated while open, and what it held is perhaps lost")]
    Truncated,
    #[error("its write-ahead log, the -wal beside it, was removed or replaced while open")]
    Log,
    #[error(
        "its write-ahead log, the -wal beside it, was truncated while open, and what was written last is perhaps lost"
    )]
    LogTruncated,
    #[error("its shared memory, the -shm beside it, was removed or replaced while open")]
    Index,
    #[error("its shared memory, the -shm beside it, was truncated while open")]
    IndexTruncated,
}

/// How a database is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The last one to close writes the log into the file.
    WithLog,
    /// The files are left as they are: writing the log would use what is gone.
    AsItIs,
}

impl FileLoss {
    /// How to close what was lost. Where log or index were unlinked, the open ones still hold everything.
    pub(crate) fn closing(self) -> Closing {
        match self {
            Self::Log | Self::Index => Closing::WithLog,
            Self::Removed
            | Self::Replaced
            | Self::Truncated
            | Self::LogTruncated
            | Self::IndexTruncated => Closing::AsItIs,
        }
    }
}

impl OpenFiles {
    /// The files of a database that has been read, so that all three are there.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let (index, metadata) = FileAtPath::new(beside(path, "-shm"))?;
        Ok(Self {
            file: FileAtPath::new(path.to_owned())?.0,
            log: FileAtPath::new(beside(path, "-wal"))?.0,
            index,
            index_bytes: metadata.len(),
        })
    }

    /// Whether everything is in its place, as far as can be seen; a failed look is ignored.
    pub(crate) fn check(&mut self) -> Result<(), FileLoss> {
        match self.file.look() {
            Look::Same(file) if file.len() < LEAST_BYTES => return Err(FileLoss::Truncated),
            Look::Same(_) => {}
            Look::Absent => return Err(FileLoss::Removed),
            Look::Other => return Err(FileLoss::Replaced),
            Look::Failed => return Ok(()),
        }
        if let Look::Absent | Look::Other = self.log.look() {
            return Err(FileLoss::Log);
        }
        match self.index.look() {
            Look::Absent | Look::Other => return Err(FileLoss::Index),
            Look::Same(index) if index.len() < self.index_bytes => {
                return Err(FileLoss::IndexTruncated);
            }
            Look::Same(index) => self.index_bytes = index.len(),
            Look::Failed => {}
        }
        Ok(())
    }

    /// The length of the log in bytes, if it can be seen.
    pub(crate) fn log_bytes(&self) -> Option<u64> {
        match self.log.look() {
            Look::Same(log) => Some(log.len()),
            _ => None,
        }
    }

    /// Whether another file lies beside this database's log, which `SQLite` would take for the log of that file.
    pub(crate) fn left_its_log_to_another(&self) -> bool {
        matches!(
            (self.file.look(), self.log.look()),
            (Look::Other, Look::Same(_))
        )
    }
}

/// What is seen at a path.
enum Look {
    Same(Metadata),
    Other,
    Absent,
    Failed,
}

impl FileAtPath {
    fn new(path: PathBuf) -> io::Result<(Self, Metadata)> {
        let metadata = fs::metadata(&path)?;
        let identity = Identity::of(&metadata);
        Ok((Self { path, identity }, metadata))
    }

    fn look(&self) -> Look {
        match fs::metadata(&self.path) {
            Ok(metadata) if Identity::of(&metadata) == self.identity => Look::Same(metadata),
            Ok(_) => Look::Other,
            Err(error) if is_absence(&error) => Look::Absent,
            Err(_) => Look::Failed,
        }
    }
}

/// Whether an error says that there is no such file, and not that it cannot be seen.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The path of what `SQLite` keeps beside a file.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// Elsewhere an open file can neither be removed nor replaced.
    #[cfg(not(unix))]
    fn of(_metadata: &Metadata) -> Self {
        Self {
            device: 0,
            inode: 0,
        }
    }
}
