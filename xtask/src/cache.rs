//! Folders that keep what is costly to get, and the lock that lets one process at a time fill them.
use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::foreground::Foreground;

/// The place of a folder of ours among the user's caches.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .map(|folder| folder.join(name))
        .context("neither XDG_CACHE_HOME nor HOME says where to cache")
}

/// Makes a folder, and keeps other processes from filling it too until the file is dropped.
pub(crate) fn lock(folder: &Path, foreground: &mut Foreground) -> Result<File> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let file = File::create(folder.join("lock"))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if told => foreground.rest()?,
            Err(TryLockError::WouldBlock) => {
                eprintln!(
                    "xtask: waiting for another process that fills {}",
                    folder.display()
                );
                told = true;
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", folder.display()));
            }
        }
    }
}
