//! `flagctl kill`: gives everybody the control value, at once.

use std::io::{self, IsTerminal as _};

use clap::Args;
use flag_rollout::{Risk, switched_off};

use crate::args::{FlagWords, OutputArgs, OwnerArgs, RevisionWriteArgs};
use crate::confirm::agrees_to;
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::{self, ArgumentError};
use crate::lookup::{open_flag, revision_in_force};
use crate::write::{self, NextRevision};

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    #[command(flatten)]
    flag: FlagWords,
    /// Give the control value to the instances in override lists, too
    #[arg(long)]
    overrides: bool,
    /// Reason [default: Killed]
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "Killed")]
    comment: String,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    revision_write: RevisionWriteArgs,
}

/// Appends a revision whose treatments have 0 %. `flagctl rollback` brings them back.
pub(crate) async fn kill(context: &Context, args: &KillArgs) -> Result<(), Failure> {
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    let (store, flag) = open_flag(context, &named).await?;
    let newest = revision_in_force(context, &store, &flag).await?;
    let overridden: usize = (newest.treatments.iter())
        .map(|treatment| treatment.overrides.len())
        .sum();
    let takes_overrides = args.overrides || (overridden > 0 && wants_overrides(args, overridden));
    let mut parts = switched_off(&newest, takes_overrides);
    parts.comment = interpret::required_text("Comment", &args.comment)?;
    parts.owner = Some(interpret::owner(&args.owner, &context.variables)?);
    if parts.treatments == newest.treatments {
        write::report_unchanged(&flag, "gives everybody the control value already");
        return Ok(());
    }
    let mut next = NextRevision::on(Some(&Ok(newest)), parts)?;
    // Control for everybody is what this command is for.
    (next.change.risks).retain(|risk| *risk != Risk::EveryValueChanges);
    if overridden > 0 && !takes_overrides {
        let warning = format!(
            "{overridden} instances in override lists keep their value; --overrides takes it from them, too"
        );
        next.change = next.change.with_warning(&warning);
    }
    next.success_message = Some(format!("killed {flag}"));
    write::confirm_and_append_revision(
        context,
        &store,
        next,
        &args.revision_write,
        args.output.format,
    )
    .await
}

/// Asks a person; a script says it in an option.
fn wants_overrides(args: &KillArgs, overridden: usize) -> bool {
    let is_asked = io::stdin().is_terminal()
        && !args.revision_write.write.yes
        && !args.revision_write.write.dry_run;
    is_asked
        && agrees_to(&format!(
            "{overridden} instances are in override lists. The control value for them, too? [y/N]"
        ))
}
