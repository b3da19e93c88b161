//! `flagctl manual`: the manual pages, for packages.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command};

use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};

#[derive(Debug, Args)]
pub(crate) struct ManualArgs {
    /// Folder that gets a page per command
    folder: PathBuf,
}

/// The manual pages cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the manual pages into {}", folder.display())]
struct NotWritten {
    folder: PathBuf,
    source: io::Error,
}

impl CommandError for NotWritten {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Failed
    }
}

/// Writes `flagctl.1`, and `flagctl-add.1` and so on for its commands.
pub(crate) fn manual(args: &ManualArgs, command_line: Command) -> Result<(), Failure> {
    let written = clap_mangen::generate_to(command_line, &args.folder);
    Ok(written.map_err(|source| NotWritten {
        folder: args.folder.clone(),
        source,
    })?)
}
