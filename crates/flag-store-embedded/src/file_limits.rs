//! The size limit of files.

use std::io;

/// Ignores SIGXFSZ: from now on a write beyond the size limit of files (`RLIMIT_FSIZE`) fails, and does not end the process. A binary calls
/// it when it starts.
pub fn ignore_sigxfsz() -> io::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default())?;
    Ok(())
}
