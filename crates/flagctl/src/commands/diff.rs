//! `flagctl diff`: shows two revisions side by side.

use clap::Args;
use flag_model::{FlagKey, Revision, Timestamp};
use flag_store::FlagStore;

use crate::args::{FlagArgs, OutputArgs};
use crate::change::Impact;
use crate::context::Context;
use crate::equivalence::are_equivalent;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::interpret;
use crate::lookup::{LookupError, revision_in_force};
use crate::output::{self, Diff};

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    flag: FlagArgs,
    /// Time of the first revision, as `flagctl history` shows it
    #[arg(value_name = "TIME", value_parser = Timestamp::parse)]
    from: Timestamp,
    /// Time of the second revision
    #[arg(value_name = "TIME", value_parser = Timestamp::parse)]
    to: Timestamp,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows both revisions; the exit code is whether they are equivalent.
pub(crate) async fn diff(context: &Context, args: &DiffArgs) -> Result<(), Failure> {
    let flag = interpret::flag(&args.flag)?;
    let store = context.open().await?;
    let from = revision_of(context, &store, &flag, args.from).await?;
    let to = revision_of(context, &store, &flag, args.to).await?;
    let diff = Diff {
        flag: &flag,
        from: &from,
        to: &to,
        are_equivalent: are_equivalent(&from, &to),
        impact: Impact::of(&from, &to),
    };
    output::show(&diff, args.output.form)?;
    if diff.are_equivalent {
        Ok(())
    } else {
        Err(Failure::explained_by_output(ExitCode::Differs))
    }
}

/// The revision that was made at exactly this time.
async fn revision_of(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    made: Timestamp,
) -> Result<Revision, Failure> {
    let revision = revision_in_force(context, store, flag, Some(made)).await?;
    if revision.created() == made {
        return Ok(revision);
    }
    let in_force = revision.created();
    Err(LookupError::NoRevision {
        flag: flag.clone(),
        missing: format!("has no revision made at {made}; the one in force then is of {in_force}"),
    }
    .into())
}
