//! `flagctl manual`: the manual pages, for whoever packs them.

use std::path::PathBuf;

use clap::Args;

use crate::args;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct ManualArgs {
    /// Folder that gets a page per command
    folder: PathBuf,
}

/// Writes `flagctl.1`, and `flagctl-add.1` and so on for its commands.
pub(crate) fn manual(typed: &ManualArgs) -> Result<(), Failure> {
    clap_mangen::generate_to(args::command(), &typed.folder).map_err(|source| Failure::File {
        path: typed.folder.clone(),
        source,
    })
}
