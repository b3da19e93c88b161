//! Copies the rows of an older log of exposures into blocks, while others use it, and gives back disk.

use std::fs;
use std::path::{Path, absolute};
use std::time::Duration;

use flag_store::{BoxError, ExposureLog as _, StoreError};
use rusqlite::{Connection, OpenFlags};
use tokio::time::sleep;

use crate::blocks::{AtOnce, copy_rows, read_rows};
use crate::directory::EXPOSURES;
use crate::expiry::give_back;
use crate::exposure_log::EmbeddedLog;
use crate::failure::{Failure, is_busy};

/// How many rows are read and sorted at once; they take about four times as much memory as in the file.
const AT_ONCE: AtOnce = AtOnce {
    rows: 50_000,
    bytes: 16 << 20,
};

/// The pause after each transaction, so that others can write.
const PAUSE: Duration = Duration::from_millis(2);

/// How long a call may take: reading the rows of a slow disk.
const LONG: Duration = Duration::from_mins(1);

/// How long the last step waits for a process that opens or closes the file at the same moment.
const SHORT: Duration = Duration::from_secs(1);

/// The result of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogUpgrade {
    /// How many exposures were copied from rows into blocks.
    pub copied: usize,
    /// How many stay rows, as a block would not give them back byte for byte, or they changed meanwhile.
    pub left: usize,
    /// The bytes of the file before.
    pub bytes_before: u64,
    /// The bytes of the file now.
    pub bytes_after: u64,
    /// What is free in the file.
    pub free: FreeSpace,
}

/// What becomes of the free space in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeSpace {
    /// It was given back to the disk.
    GivenBack,
    /// It is used for new exposures; the file is of an older release, and another process has it open.
    InUse,
    /// It is used for new exposures; there is not enough space on the disk to write the file anew.
    DiskFull,
}

/// Copies rows into blocks, a few at a time, and gives back disk; `progress` learns how many rows were looked at.
///
/// Each block takes the place of its rows in one transaction, so it can be stopped at any time and run again. Shares the file with
/// other processes. Creates no store.
pub async fn upgrade_log(
    directory: &Path,
    progress: impl Fn(usize),
) -> Result<LogUpgrade, StoreError> {
    let unavailable = |source: BoxError| StoreError::Unavailable { source };
    let directory = absolute(directory).map_err(|error| unavailable(error.into()))?;
    let file = directory.join(EXPOSURES);
    let opening = tokio::task::spawn_blocking(move || EmbeddedLog::existing(&directory));
    let log = opening
        .await
        .map_err(|error| unavailable(error.into()))?
        .map_err(|error| unavailable(error.into()))?
        .with_timeout(LONG);
    let bytes = |file: &Path| fs::metadata(file).map_or(0, |metadata| metadata.len());
    let bytes_before = bytes(&file);
    let copied = copy(&log, progress).await;
    log.close().await;
    let (copied, left) = copied?;
    let shrinking = {
        let file = file.clone();
        tokio::task::spawn_blocking(move || shrink(&file))
    };
    let free = shrinking
        .await
        .map_err(|error| unavailable(error.into()))?
        .map_err(|failure| failure.in_file(&file))?;
    Ok(LogUpgrade {
        copied,
        left,
        bytes_before,
        bytes_after: bytes(&file),
        free,
    })
}

/// How many rows were copied, and how many stay.
async fn copy(log: &EmbeddedLog, progress: impl Fn(usize)) -> Result<(usize, usize), StoreError> {
    let (mut copied, mut left, mut after) = (0, 0, Vec::new());
    loop {
        let from = std::mem::take(&mut after);
        let read = log
            .read(move |database| read_rows(database, &from, AT_ONCE))
            .await?;
        let Some(last) = read.last else {
            return Ok((copied, left));
        };
        after = last;
        left += read.others;
        for rows in read.blocks {
            let all = rows.len();
            let done = log
                .write(move |database| copy_rows(database, &rows))
                .await?;
            copied += done;
            left += all - done;
            progress(copied + left);
            sleep(PAUSE).await;
        }
        let mut pages = log
            .write(|database| give_back(database.connection()))
            .await?;
        while pages > 0 {
            sleep(PAUSE).await;
            pages = log
                .write(|database| give_back(database.connection()))
                .await?;
        }
    }
}

/// Makes a file of an older release one that gives back free pages, which writes it anew; only if no other process has it open.
fn shrink(file: &Path) -> Result<FreeSpace, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(SHORT)?;
    let vacuum: i32 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if vacuum != 0 {
        return Ok(FreeSpace::GivenBack);
    }
    // Without a write-ahead log only this connection can have the file open.
    match set_journal(&connection, "delete") {
        Err(error) if is_busy(&error) => return Ok(FreeSpace::InUse),
        other => other?,
    }
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    let written = connection.execute_batch("VACUUM").map_err(Failure::from);
    // The next process that opens the file does the same.
    let _ = set_journal(&connection, "wal");
    match written {
        Ok(()) => Ok(FreeSpace::GivenBack),
        Err(Failure::DiskFull) => Ok(FreeSpace::DiskFull),
        Err(failure) if failure.is_busy() => Ok(FreeSpace::InUse),
        Err(failure) => Err(failure),
    }
}

fn set_journal(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", mode)
}
