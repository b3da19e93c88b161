//! Log lines, on standard error.

use std::io::{self, IsTerminal as _, stderr};

use tracing_subscriber::fmt;

use crate::config::{Config, LogFormat};
use crate::telemetry::json::Json;
use crate::telemetry::log_writer::LogWriter;
use crate::telemetry::panics;

/// Starts logging as configured; there is no line per request at the default level.
pub(crate) fn start(config: &Config) -> io::Result<LogWriter> {
    let json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !stderr().is_terminal(),
    };
    let writer = LogWriter::to_stderr()?;
    let log = fmt()
        .with_env_filter(config.log.clone())
        .with_writer(writer.clone())
        // They would go to standard error, waiting for it.
        .log_internal_errors(false)
        .with_ansi(stderr().is_terminal());
    if json {
        let project = config.telemetry.project.clone();
        log.event_format(Json { project }).init();
    } else {
        log.init();
    }
    panics::log();
    Ok(writer)
}
