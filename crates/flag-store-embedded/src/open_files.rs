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
    wal: FileAtPath,
    shm: FileAtPath,
    /// It grows, and shrinks only while no process has the database open.
    shm_bytes: u64,
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
    Wal,
    #[error(
        "its write-ahead log, the -wal beside it, was truncated while open, and what was written last is perhaps lost"
    )]
    WalTruncated,
    #[error("its shared memory, the -shm beside it, was removed or replaced while open")]
    Shm,
    #[error("its shared memory, the -shm beside it, was truncated while open")]
    ShmTruncated,
}

/// How a database is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The last one to close writes the write-ahead log into the file.
    WithWal,
    /// The files are left as they are: writing the write-ahead log would use what is gone.
    AsItIs,
}

impl FileLoss {
    /// How to close what was lost. Where `-wal` or `-shm` were unlinked, the open ones still hold everything.
    pub(crate) fn closing(self) -> Closing {
        match self {
            Self::Wal | Self::Shm => Closing::WithWal,
            Self::Removed
            | Self::Replaced
            | Self::Truncated
            | Self::WalTruncated
            | Self::ShmTruncated => Closing::AsItIs,
        }
    }
}

impl OpenFiles {
    /// The files of a database that has been read, so that all three are there.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let (shm, metadata) = FileAtPath::new(beside(path, "-shm"))?;
        Ok(Self {
            file: FileAtPath::new(path.to_owned())?.0,
            wal: FileAtPath::new(beside(path, "-wal"))?.0,
            shm,
            shm_bytes: metadata.len(),
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
        if let Look::Absent | Look::Other = self.wal.look() {
            return Err(FileLoss::Wal);
        }
        match self.shm.look() {
            Look::Absent | Look::Other => return Err(FileLoss::Shm),
            Look::Same(shm) if shm.len() < self.shm_bytes => {
                return Err(FileLoss::ShmTruncated);
            }
            Look::Same(shm) => self.shm_bytes = shm.len(),
            Look::Failed => {}
        }
        Ok(())
    }

    /// The length of the write-ahead log in bytes, if it can be seen.
    pub(crate) fn wal_bytes(&self) -> Option<u64> {
        match self.wal.look() {
            Look::Same(wal) => Some(wal.len()),
            _ => None,
        }
    }

    /// Whether another file lies beside the write-ahead log of this database, which `SQLite` would take for that of the other file.
    pub(crate) fn left_its_wal_to_another(&self) -> bool {
        matches!(
            (self.file.look(), self.wal.look()),
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
