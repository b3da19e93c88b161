//! One connection to one file, and how it is opened.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::failure::Failure;
use crate::open_error::{Obstacle, OpenError};
use crate::patience::Patience;
use crate::schema::{Contents, Origin, origin, set_up};

/// How long opening waits for other processes that open or write at the same moment.
const OPENING: Duration = Duration::from_secs(5);

/// Memory for pages, per connection that reads; the service has caches of its own.
const READER_CACHE_KIB: i32 = 512;

/// The log is cut to this size when a long read has let it grow.
const LOG_LIMIT_BYTES: i32 = 16 * 1024 * 1024;

/// A connection to one file, ready for use.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    patience: Patience,
    path: PathBuf,
    identity: Identity,
}

impl Database {
    /// Opens a file for writing, or makes it.
    pub(crate) fn writer(path: &Path, contents: Contents) -> Result<Self, OpenError> {
        // SQLite takes a file of one byte for an empty one, and would write over it.
        if fs::metadata(path).is_ok_and(|metadata| metadata.len() == 1) {
            return Err(Obstacle::NoDatabase.in_file(path));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        Self::open(path, flags, |connection| prepare(connection, contents))
            .map_err(|obstacle| obstacle.in_file(path))
    }

    /// Opens a file that is there, for reading.
    pub(crate) fn reader(path: &Path) -> Result<Self, OpenError> {
        Self::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, |connection| {
            connection.pragma_update(None, "query_only", true)?;
            connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
            Ok(())
        })
        .map_err(|obstacle| obstacle.in_file(path))
    }

    fn open(
        path: &Path,
        flags: OpenFlags,
        prepare: impl Fn(&mut Connection) -> Result<(), Obstacle>,
    ) -> Result<Self, Obstacle> {
        let patience = Patience::default();
        patience.last_until(Instant::now().checked_add(OPENING));
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        patience.install(&mut connection)?;
        // Some locks, the one for switching to the log among them, are refused without asking the busy handler.
        while let Err(obstacle) = prepare(&mut connection) {
            if !(obstacle.is_busy() && patience.pause()) {
                return Err(obstacle);
            }
        }
        let identity = Identity::of(path).map_err(Obstacle::Vanished)?;
        Ok(Self {
            connection,
            patience,
            path: path.to_owned(),
            identity,
        })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// How long the connection waits for locks.
    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Refuses a file that was removed or replaced, for SQLite would go on and write where nobody reads.
    pub(crate) fn ensure_in_place(&self) -> Result<(), Failure> {
        match Identity::of(&self.path) {
            Ok(identity) if identity == self.identity => Ok(()),
            _ => Err(Failure::Replaced),
        }
    }
}

/// Makes sure that a file is ours, sets it up if it is new, and adapts the connection to it.
fn prepare(connection: &mut Connection, contents: Contents) -> Result<(), Obstacle> {
    if connection.is_readonly(MAIN_DB)? {
        return Err(Obstacle::WriteProtected);
    }
    let origin = origin(connection, contents)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Obstacle::NoLog);
    }
    connection.pragma_update(None, "synchronous", contents.synchronous())?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_LIMIT_BYTES, |_| Ok(()))?;
    match origin {
        Origin::New | Origin::Older => set_up(connection, contents),
        Origin::Ours => Ok(()),
    }
}

/// Tells a file from another one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::from_metadata(&metadata))
    }

    #[cfg(unix)]
    fn from_metadata(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// Elsewhere an open file can neither be removed nor replaced.
    #[cfg(not(unix))]
    fn from_metadata(_metadata: &Metadata) -> Self {
        Self {
            device: 0,
            inode: 0,
        }
    }
}
