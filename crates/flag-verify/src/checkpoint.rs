//! Where a verification got to, so that it can go on later.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flag_model::Timestamp;
use flag_store::{Cursor, TimeRange};
use serde::{Deserialize, Serialize};

use crate::fingerprints::{length_of, of_text};
use crate::report::Report;

/// The form of the file.
const FORMAT: u32 = 1;

/// Only its owner reads a checkpoint: it may name instances.
const MODE: u32 = 0o600;

/// The most bytes of the file.
const MAX_BYTES: u64 = 1 << 30;

/// What is verified; a checkpoint goes on only with the same question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationScope {
    /// The store.
    pub store: String,
    /// The project.
    pub project: String,
    /// One flag, as `type/name`.
    pub flag: Option<String>,
    /// The beginning of the time, as it was typed.
    pub since: Option<String>,
    /// Its end, as it was typed.
    pub until: Option<String>,
}

/// Why a verification cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no checkpoint of this release.
    #[error("{} is no checkpoint of this release; remove it to begin anew", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// The file of the fingerprints is gone, or shorter than it was.
    #[error("{} is missing or incomplete; remove {} to begin anew", fingerprints.display(), path.display())]
    Incomplete {
        /// The checkpoint.
        path: PathBuf,
        /// The file of the fingerprints.
        fingerprints: PathBuf,
    },
    /// The checkpoint is of another question.
    #[error("checkpoint {} belongs to another verification: {found}; name the same project, flag and times, or remove it to begin anew", path.display())]
    OtherScope {
        /// The file.
        path: PathBuf,
        /// What it is of.
        found: String,
    },
}

/// What is in the file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    format: u32,
    /// How a known text is hashed: fingerprints of another hash are worthless.
    hash: u64,
    question: VerificationScope,
    since: Option<i64>,
    until: Option<i64>,
    after: Vec<u8>,
    pub(crate) runs: Vec<u64>,
    pub(crate) report: Report,
}

/// The file of a verification, and that of its fingerprints beside it.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    path: PathBuf,
    question: VerificationScope,
}

impl Checkpoint {
    pub(crate) fn new(path: &Path, question: VerificationScope) -> Self {
        Self {
            path: path.to_owned(),
            question,
        }
    }

    /// Where the verification got to, if there is a file.
    pub(crate) fn load(&self) -> Result<Option<Saved>, CheckpointError> {
        if !self.path.exists() {
            return Ok(None);
        }
        let bytes = flag_keys::read_regular(&self.path, MAX_BYTES);
        let bytes = bytes.map_err(|source| self.failed(source))?;
        let path = self.path.clone();
        let saved: Option<Saved> = serde_json::from_slice(&bytes).ok();
        let known = saved.filter(|saved| saved.format == FORMAT && saved.hash == hash());
        let Some(saved) = known else {
            return Err(CheckpointError::Unknown { path });
        };
        if saved.question != self.question {
            let found = saved.question.to_string();
            return Err(CheckpointError::OtherScope { path, found });
        }
        Ok(Some(saved))
    }

    /// Keeps where the verification got to.
    pub(crate) fn save(
        &self,
        within: TimeRange,
        after: &Cursor,
        runs: &[u64],
        report: &Report,
    ) -> Result<(), CheckpointError> {
        let saved = Saved {
            format: FORMAT,
            hash: hash(),
            question: self.question.clone(),
            since: within.since.map(Timestamp::unix_micros),
            until: within.until.map(Timestamp::unix_micros),
            after: after.0.clone(),
            runs: runs.to_vec(),
            report: report.clone(),
        };
        let bytes = serde_json::to_vec(&saved).map_err(|error| self.failed(error.into()))?;
        let written = flag_keys::replace(&self.path, MODE, |file| file.write_all(&bytes));
        written.map_err(|source| self.failed(source))
    }

    /// Opens the file of the fingerprints, which begins anew unless there are runs in it.
    pub(crate) fn fingerprints(&self, runs: &[u64]) -> Result<File, CheckpointError> {
        let (is_new, path) = (runs.is_empty(), self.fingerprints_path());
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(MODE);
        let file = options.create(is_new).truncate(is_new).open(&path);
        let opened = file.and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((length, file)) if length >= length_of(runs) => Ok(file),
            Err(source) if is_new || source.kind() != io::ErrorKind::NotFound => {
                Err(CheckpointError::File { path, source })
            }
            Ok(_) | Err(_) => Err(CheckpointError::Incomplete {
                path: self.path.clone(),
                fingerprints: path,
            }),
        }
    }

    /// Removes both files.
    pub(crate) fn remove(&self) {
        // A verification that ended needs neither.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.fingerprints_path());
    }

    /// The path of the file of the fingerprints.
    pub(crate) fn fingerprints_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".fingerprints");
        path.into()
    }

    fn failed(&self, source: io::Error) -> CheckpointError {
        let path = self.path.clone();
        CheckpointError::File { path, source }
    }
}

impl Saved {
    /// The time that is verified.
    pub(crate) fn within(&self) -> TimeRange {
        TimeRange {
            since: self.since.and_then(Timestamp::from_unix_micros),
            until: self.until.and_then(Timestamp::from_unix_micros),
        }
    }

    /// Where the next page begins.
    pub(crate) fn after(&self) -> Cursor {
        Cursor(self.after.clone())
    }
}

impl std::fmt::Display for VerificationScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.project)?;
        if let Some(flag) = &self.flag {
            write!(f, "/{flag}")?;
        }
        write!(f, " in the {}", self.store)?;
        for (word, time) in [("since", &self.since), ("until", &self.until)] {
            if let Some(time) = time {
                write!(f, " {word} {time}")?;
            }
        }
        Ok(())
    }
}

fn hash() -> u64 {
    of_text("flag-verify")
}
