//! What goes wrong inside, and what it means to the caller.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flag_model::Invalid;
use flag_store::{BlockError, StoreError};
use rusqlite::{ErrorCode, ffi};

use crate::cells::{DecodeError, TooLong};
use crate::open_error::OpenError;
use crate::open_files::FileLoss;

/// Why a job failed; cloned when one failure is the result of every row of a batch.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no answer within {} ms", .after.as_millis())]
    TimedOut { after: Duration },
    #[error("it is closed")]
    Ended,
    #[error(transparent)]
    FileLoss(#[from] FileLoss),
    #[error("{lost}, and what is there now cannot be used")]
    Away {
        lost: FileLoss,
        source: Arc<OpenError>,
    },
    #[error("row {key} is damaged")]
    Decode { key: String, source: DecodeError },
    #[error("block {block} is damaged")]
    Block { block: i64, source: BlockError },
    #[error("counts of exposures are damaged")]
    Counts(#[source] Invalid),
    #[error("the cursor is not one of this log")]
    Cursor,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("another process keeps it locked")]
    Locked,
    #[error("disk full")]
    DiskFull,
    #[error(transparent)]
    Sqlite(Arc<rusqlite::Error>),
}

/// Why a row cannot be kept, here or in Bigtable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("a row needs a key")]
    NoKey,
    #[error("a row needs a cell")]
    NoCells,
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

/// Names the file in which something went wrong.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}", path.display())]
struct InFile {
    path: PathBuf,
    source: Failure,
}

/// What the caller can do about a failure.
enum Remedy {
    /// The same call may succeed later.
    Retry,
    /// No such call succeeds until an operator has corrected the set-up.
    Reconfigure,
    /// This call never succeeds.
    GiveUp,
    /// The file needs a person.
    Repair,
}

impl Failure {
    pub(crate) fn garbled(key: &[u8], source: DecodeError) -> Self {
        Self::Decode {
            key: String::from_utf8_lossy(key).into_owned(),
            source,
        }
    }

    /// Whether another process holds a lock that this one needs.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_busy(error))
    }

    /// The error that the caller of the store sees.
    pub(crate) fn in_file(self, path: &Path) -> StoreError {
        if let Self::TimedOut { after } = self {
            return StoreError::TimedOut { after };
        }
        let remedy = self.remedy();
        let source = Box::new(InFile {
            path: path.to_owned(),
            source: self,
        });
        match remedy {
            Remedy::Retry => StoreError::Unavailable { source },
            Remedy::Reconfigure => StoreError::Misconfigured { source },
            Remedy::GiveUp => StoreError::Refused { source },
            Remedy::Repair => StoreError::Broken { source },
        }
    }

    fn remedy(&self) -> Remedy {
        match self {
            Self::TimedOut { .. }
            | Self::Ended
            | Self::FileLoss(_)
            | Self::Away { .. }
            | Self::Locked
            | Self::DiskFull => Remedy::Retry,
            Self::Refused(_) | Self::Cursor => Remedy::GiveUp,
            Self::Decode { .. } | Self::Block { .. } | Self::Counts(_) => Remedy::Repair,
            Self::Sqlite(error) => remedy_of_sqlite(error),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error() {
            // Of the files that are read, only the log can end early, where it was truncated.
            Some(error) if error.extended_code == ffi::SQLITE_IOERR_SHORT_READ => {
                Self::FileLoss(FileLoss::WalTruncated)
            }
            _ if is_disk_full(&error) => Self::DiskFull,
            _ => Self::Sqlite(Arc::new(error)),
        }
    }
}

/// Whether another process holds a lock that this one needs.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}

/// Whether the disk is full, for the file or for the shared memory beside it.
pub(crate) fn is_disk_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
    })
}

fn remedy_of_sqlite(error: &rusqlite::Error) -> Remedy {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted,
        ) => Remedy::Retry,
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::NoLargeFileSupport) => {
            Remedy::Reconfigure
        }
        Some(ErrorCode::TooBig) => Remedy::GiveUp,
        _ => Remedy::Repair,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[track_caller]
    fn check(code: i32, expected: fn(&StoreError) -> bool) {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        let error = Failure::from(error).in_file(Path::new("flags.db"));
        assert!(expected(&error), "{error:?}");
    }

    #[test]
    fn what_may_pass_is_unavailable() {
        check(ffi::SQLITE_BUSY_SNAPSHOT, StoreError::is_transient);
        check(ffi::SQLITE_FULL, StoreError::is_transient);
        check(ffi::SQLITE_IOERR_FSYNC, StoreError::is_transient);
    }

    #[test]
    fn what_is_forbidden_is_for_the_operator_and_what_is_too_large_is_refused() {
        check(ffi::SQLITE_READONLY_DIRECTORY, |error| {
            matches!(error, StoreError::Misconfigured { .. })
        });
        check(ffi::SQLITE_TOOBIG, |error| {
            matches!(error, StoreError::Refused { .. })
        });
    }

    #[test]
    fn what_is_damaged_is_broken() {
        let broken = |error: &StoreError| matches!(error, StoreError::Broken { .. });
        check(ffi::SQLITE_CORRUPT_INDEX, broken);
        check(ffi::SQLITE_NOTADB, broken);
    }

    #[test]
    fn the_source_names_the_file() {
        let error = Failure::FileLoss(FileLoss::Replaced).in_file(Path::new("/data/flags.db"));
        let source = error.source().map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("cannot use /data/flags.db"));
    }
}
