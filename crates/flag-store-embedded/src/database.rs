//! A connection to a file: opening and closing.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use flag_store::Remains;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::create_file::{ensure_made, is_empty};
use crate::failure::{Failure, is_busy};
use crate::lock_timeout::LockTimeout;
use crate::open_error::{Obstacle, OpenError};
use crate::open_files::{Closing, FileLoss, OpenFiles, is_absence};
use crate::schema::{Contents, SchemaState, schema_state, set_up};

/// How long opening waits for other processes that open or write at the same moment.
const OPENING: Duration = Duration::from_secs(5);

/// How long another process may take to fill a file that it has created.
const MAKING: Duration = Duration::from_millis(250);

/// Page cache per reading connection, in KiB; the service has caches of its own.
const READER_CACHE_KIB: i32 = 512;

/// How long emptying the write-ahead log waits for processes that read or write.
const EMPTYING: Duration = Duration::from_secs(2);

/// The write-ahead log is truncated to this size after a long read let it grow.
const LOG_LIMIT_BYTES: i32 = 16 * 1024 * 1024;

/// Bytes of the write-ahead log before its first frame, and before the page in each frame.
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// A connection to one file, ready for use.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    lock_timeout: LockTimeout,
    files: OpenFiles,
    page_bytes: u32,
}

impl Database {
    /// Opens or creates a file for writing.
    pub(crate) fn writer(path: &Path, contents: Contents) -> Result<Self, OpenError> {
        ensure_made(path, contents)?;
        wait_while_empty(path);
        Self::accepting(SchemaState::Empty, path, contents)
    }

    /// Opens an existing file for writing.
    pub(crate) fn existing(path: &Path, contents: Contents) -> Result<Self, OpenError> {
        Self::accepting(SchemaState::Current, path, contents)
    }

    fn accepting(
        accepted: SchemaState,
        path: &Path,
        contents: Contents,
    ) -> Result<Self, OpenError> {
        let opened = ensure_there(path).and_then(|()| {
            Self::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, |connection| {
                prepare(connection, contents, accepted)
            })
        });
        opened.map_err(|obstacle| obstacle.in_file(path))
    }

    /// A connection to an existing file that is to be copied.
    pub(crate) fn source(path: &Path, contents: Contents) -> Result<Connection, OpenError> {
        let opened = ensure_there(path).and_then(|()| {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(OPENING)?;
            connection.pragma_update(None, "query_only", true)?;
            match schema_state(&mut connection, contents)? {
                SchemaState::Current | SchemaState::Older => Ok(connection),
                SchemaState::Empty => Err(Obstacle::NoDatabase),
            }
        });
        opened.map_err(|obstacle| obstacle.in_file(path))
    }

    /// Opens a file that a writer has open, for reading.
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
        let lock_timeout = LockTimeout::default();
        lock_timeout.set_end(Instant::now().checked_add(OPENING));
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        lock_timeout.install(&mut connection)?;
        // Some locks, such as the one for switching to the write-ahead log, are refused without asking the busy handler.
        while let Err(obstacle) = prepare(&mut connection) {
            if !(obstacle.is_busy() && lock_timeout.pause()) {
                return Err(obstacle);
            }
        }
        // A file without a write-ahead log gets one with the first read.
        let _: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let page_bytes: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let files = OpenFiles::new(path).map_err(Obstacle::Vanished)?;
        // Until `close` changes it: the files of a connection that is only dropped may be gone.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(Self {
            connection,
            lock_timeout,
            files,
            page_bytes,
        })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// How long the connection waits for locks.
    pub(crate) fn lock_timeout(&self) -> &LockTimeout {
        &self.lock_timeout
    }

    /// The files as they were when it was opened.
    pub(crate) fn files(&self) -> &OpenFiles {
        &self.files
    }

    /// Refuses files that are no longer at their paths, as `SQLite` would write to files that no other process reads.
    pub(crate) fn ensure_in_place(&mut self) -> Result<(), FileLoss> {
        self.files.check()
    }

    /// Refuses a write-ahead log that is shorter than its committed frames: going on would damage the file.
    pub(crate) fn ensure_wal_is_whole(&self) -> Result<(), FileLoss> {
        let Some(before) = self.frames() else {
            return Ok(());
        };
        if self.is_wal_whole(before) {
            return Ok(());
        }
        // Another process may have restarted it in between.
        if self.frames() != Some(before) || self.is_wal_whole(before) {
            return Ok(());
        }
        Err(FileLoss::WalTruncated)
    }

    /// The number of frames committed to the write-ahead log, if known.
    fn frames(&self) -> Option<u64> {
        let pragma = "PRAGMA wal_checkpoint(NOOP)";
        let mut statement = self.connection.prepare_cached(pragma).ok()?;
        // It is negative where there is none.
        let frames: i64 = statement.query_row([], |row| row.get(1)).ok()?;
        u64::try_from(frames).ok()
    }

    fn is_wal_whole(&self, frames: u64) -> bool {
        let bytes = WAL_HEADER + frames * (FRAME_HEADER + u64::from(self.page_bytes));
        frames == 0 || self.files.wal_bytes().is_none_or(|found| found >= bytes)
    }

    /// Writes the write-ahead log into the file and empties it, unless another process reads what is in it.
    pub(crate) fn empty_wal(&self) -> Result<Remains, Failure> {
        self.lock_timeout
            .set_end(Instant::now().checked_add(EMPTYING));
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let emptied = self.connection.query_row(checkpoint, [], |row| row.get(0));
        match emptied {
            Ok(0) => Ok(Remains::Nothing),
            Ok::<i32, _>(_) => Ok(Remains::InWriteAheadLog),
            Err(error) if is_busy(&error) => Ok(Remains::InWriteAheadLog),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes the connection; the last one of a file writes the log into it, where that is wanted and possible.
    pub(crate) fn close(mut self, closing: Closing) {
        let in_place = self.ensure_in_place();
        let whole = in_place.and_then(|()| self.ensure_wal_is_whole());
        let is_sound = whole.map_or_else(|lost| lost.closing() == Closing::WithWal, |()| true);
        if closing == Closing::AsItIs || !is_sound {
            return;
        }
        // Whatever fails here, the log keeps what is in it.
        let _ = self
            .connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        // Where others have the file open, a copy of it has at least what was written here.
        if self.connection.total_changes() > 0 {
            let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
            let _ = self.connection.query_row(checkpoint, [], |_| Ok(()));
        }
    }
}

/// Refuses a database that contradicts itself, by `integrity_check` or `quick_check`.
pub(crate) fn check(connection: &Connection, by: &str) -> Result<(), Obstacle> {
    let found: String = connection.pragma_query_value(None, by, |row| row.get(0))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(Obstacle::Damaged(found))
    }
}

fn ensure_there(path: &Path) -> Result<(), Obstacle> {
    match fs::metadata(path) {
        Err(error) if is_absence(&error) => Err(Obstacle::Missing),
        // SQLite would remove the log beside it, as that of a new file.
        Ok(_) if is_empty(path) => Err(Obstacle::Empty),
        // SQLite takes it for an empty one, and would write over it.
        Ok(metadata) if metadata.len() == 1 => Err(Obstacle::NoDatabase),
        _ => Ok(()),
    }
}

/// Waits for another process that has just created a file: on file systems without links, and with older releases, it is empty at first.
fn wait_while_empty(path: &Path) {
    let lock_timeout = LockTimeout::default();
    lock_timeout.set_end(Instant::now().checked_add(MAKING));
    while is_empty(path) && lock_timeout.pause() {}
}

/// Checks that a file is ours, sets it up if it is empty and may be, and configures the connection for it.
fn prepare(
    connection: &mut Connection,
    contents: Contents,
    accepted: SchemaState,
) -> Result<(), Obstacle> {
    if connection.is_readonly(MAIN_DB)? {
        return Err(Obstacle::WriteProtected);
    }
    let schema_state = schema_state(connection, contents)?;
    if (schema_state, accepted) == (SchemaState::Empty, SchemaState::Current) {
        return Err(Obstacle::NoDatabase);
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Obstacle::NoWal);
    }
    connection.pragma_update(None, "synchronous", contents.synchronous())?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_LIMIT_BYTES, |_| Ok(()))?;
    if contents == Contents::Exposures {
        // Whatever is deleted is overwritten: `forget` cannot find an instance in pages that expiry or an upgrade has freed.
        connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    }
    match schema_state {
        SchemaState::Empty => set_up(connection, contents),
        SchemaState::Older | SchemaState::Current => Ok(()),
    }
}
