//! The directory that the files live in.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf, absolute};

/// The files in it.
pub(crate) const FLAGS: &str = "flags.db";
pub(crate) const EXPOSURES: &str = "exposures.db";

/// Makes a directory and those above it, durably, and gives its absolute path.
pub(crate) fn make(directory: &Path) -> io::Result<PathBuf> {
    let directory = absolute(directory)?;
    let missing: Vec<&Path> = directory
        .ancestors()
        .take_while(|above| !above.exists())
        .collect();
    fs::create_dir_all(&directory)?;
    for made in missing {
        made.parent().into_iter().for_each(sync);
    }
    Ok(directory)
}

/// Why no file can be made in a directory; `None` if one can.
///
/// Makes a file of its own, because closing a file of SQLite's would give up all locks that this process has on it.
pub(crate) fn why_not_writable(directory: &Path) -> Option<io::Error> {
    let trial = directory.join(format!(".trial-{}", std::process::id()));
    match File::create_new(&trial) {
        Ok(_) => fs::remove_file(&trial).err(),
        Err(error) => Some(error),
    }
}

/// Makes the names in a directory survive a power loss, where the system can.
pub(crate) fn sync(directory: &Path) {
    // Not every system opens directories, and the store works without this as long as the power stays on.
    let _ = File::open(directory).and_then(|opened| opened.sync_all());
}
