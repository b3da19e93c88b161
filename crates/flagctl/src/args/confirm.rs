//! Arguments that confirm a command in advance.

use clap::Args;

/// How a change is confirmed.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Confirmation")]
pub(crate) struct ConfirmArgs {
    /// Do not ask; nothing is asked either where standard input is no terminal
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Show what would change, and stop there
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Name of a flag whose change leaves nobody with the control, gives everybody a new bucket, moves instances
    /// between treatments, leaves treatments out, undoes a rollback, or will be undone by a revision ahead of the clock;
    /// may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) yes_i_mean: Vec<String>,
}

/// How something is confirmed that changes no flag.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Confirmation")]
pub(crate) struct YesArgs {
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}
