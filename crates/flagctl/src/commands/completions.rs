//! `flagctl completions`: the completion script of a shell.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete in
    shell: Shell,
}

/// Prints the script of the shell.
pub(crate) fn completions(
    args: &CompletionsArgs,
    mut command_line: Command,
) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command_line, "flagctl", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
