//! The size limit of files.

use std::io;

/// From now on a write beyond the size limit of files (`RLIMIT_FSIZE`) fails instead of ending the process. A binary calls
/// it when it starts.
pub fn outlive_file_limits() -> io::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default())?;
    Ok(())
}
