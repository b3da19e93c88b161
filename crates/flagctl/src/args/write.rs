//! Arguments of commands that write rows of flags.

use std::time::Duration;

use clap::Args;

use super::SeenArgs;
use super::moment::length;

/// How rows are confirmed, waited for and shown.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Confirmation")]
pub(crate) struct WriteArgs {
    /// Do not ask; nothing is asked either if standard input is not a terminal
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Show what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Confirm the risky change of the flag with this name: no instance keeps the control value, all get a new bucket, instances
    /// move between treatments, treatments are left out, a rollback is undone, or a revision ahead of the clock will
    /// replace it; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) yes_i_mean: Vec<String>,
    /// Wait until every replica serves what was written, and end with code 8 if one does not in this time [default: 5s]
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "5s",
        value_parser = length,
        help_heading = "Options"
    )]
    pub(crate) wait: Option<Duration>,
    /// Show the cells of the row as they were written
    #[arg(short, long, help_heading = "Options")]
    pub(crate) verbose: bool,
}

/// The same for revisions, with the instances that they would move.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct RevisionWriteArgs {
    #[command(flatten)]
    pub(crate) write: WriteArgs,
    #[command(flatten)]
    pub(crate) seen: SeenArgs,
}
