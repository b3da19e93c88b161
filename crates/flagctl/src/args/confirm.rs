//! Arguments that confirm a command in advance.

use clap::Args;

/// How a command is confirmed that changes no flag.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Confirmation")]
pub(crate) struct YesArgs {
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}
