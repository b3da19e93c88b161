//! Log lines, on standard error.

use std::io::{self, IsTerminal as _, stderr};

use tracing_subscriber::{EnvFilter, fmt};

use super::json::Json;
use super::log_writer::LogWriter;
use super::panics;
use super::settings::LogFormat;

/// Starts logging; lines with a trace name the Google Cloud project `project`.
pub(crate) fn start(
    filter: EnvFilter,
    format: LogFormat,
    project: Option<String>,
) -> io::Result<LogWriter> {
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !stderr().is_terminal(),
    };
    let writer = LogWriter::to_stderr()?;
    let log = fmt()
        .with_env_filter(filter)
        .with_writer(writer.clone())
        // They would be written to standard error directly, which may block.
        .log_internal_errors(false)
        .with_ansi(stderr().is_terminal());
    if json {
        log.event_format(Json { project }).init();
    } else {
        log.init();
    }
    panics::log();
    Ok(writer)
}
