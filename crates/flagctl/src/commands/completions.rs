//! `flagctl completions`: the completion script of a shell.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output;

/// Scripts that ask `flagctl __complete`, which knows the names in the store too.
const BASH: &str = include_str!("../../completions/flagctl.bash");
const ZSH: &str = include_str!("../../completions/flagctl.zsh");
const FISH: &str = include_str!("../../completions/flagctl.fish");

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete in; names in the store are completed by bash, zsh and fish
    shell: Shell,
}

/// Prints the script of the shell.
pub(crate) fn completions(
    args: &CompletionsArgs,
    mut command_line: Command,
) -> Result<(), Failure> {
    match args.shell {
        Shell::Bash => output::print(BASH),
        Shell::Zsh => output::print(ZSH),
        Shell::Fish => output::print(FISH),
        shell => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command_line, "flagctl", &mut script);
            output::print(&String::from_utf8_lossy(&script))
        }
    }
}
